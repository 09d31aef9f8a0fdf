#include "host/journal.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>

#define FILES_MAX   4096U
#define LOGS        "var/log/units"
#define LOG_MAX     (1024U * 1024U)
#define SECOND_LOOK 200U /* entries */

static const char *const folders[] = {"var/log/journal", "run/log/journal"};

typedef struct JournalFile {
        char *path; /* heap */
        struct timespec changed;
} JournalFile;

typedef struct JournalLine {
        sd_id128_t boot;
        Usec monotonic; /* since that boot */
        Usec wall;
        char *text; /* heap */
} JournalLine;

typedef struct Reading {
        const char *unit;
        size_t max_lines, max_bytes;
        Usec deadline;
        JournalFile *files;
        size_t n_files;
        const char *folder;                       /* that is being listed */
        bool nested;                              /* it is one of a machine identifier */
        JournalLine lines[JOURNAL_LINES_MAX + 1]; /* newest first */
        size_t n_lines, n_bytes;
        bool full; /* a line had to go for a newer one */
        bool late;
        size_t n_unreadable;
        int code;    /* of the first unreadable file */
        Error error; /* of it */
} Reading;

DEFINE_CLEANUP(sd_journal *, sd_journal_close);

static void reading_done(Reading *reading)
{
        for (size_t i = 0; i < reading->n_files; i++)
                free(reading->files[i].path);
        for (size_t i = 0; i < reading->n_lines; i++)
                free(reading->lines[i].text);
        free(reading->files);
}
DEFINE_CLEANUP_IN_PLACE(Reading, reading_done);

/* What sd-journal means by errors whose usual words say nothing here; NULL: those words do
 * (systemd src/libsystemd/sd-journal/journal-file.c). */
static const char *damage_of(int code)
{
        switch (-code) {
        case EPROTONOSUPPORT:
                return "it was written by a newer systemd, in a format this program does not "
                       "know";
        case EBADMSG:
        case EADDRNOTAVAIL:
                return "it is corrupted";
        case ENODATA:
                return "it is no journal file, or cut short";
        case EBADFD:
                return "it is not a regular file";
        default:
                return NULL;
        }
}

/* The first one is named; the others are counted. */
static void complain(Reading *reading, int code, const char *path)
{
        const char *damage = damage_of(code);

        if (reading->n_unreadable++ > 0)
                return;
        if (code == -ENODATA || code == -EADDRNOTAVAIL || code == -EBADFD)
                code = -EBADMSG;
        reading->code =
                damage ? error_set(&reading->error,
                                 code,
                                 "cannot read the journal '%s': %s",
                                 path,
                                 damage)
                       : error_set(&reading->error, code, "cannot read the journal '%s': %m", path);
}

static int list_journals(Reading *reading, const char *path, bool nested);

static int add_file(Reading *reading, char *take_path, const struct stat *status)
{
        JournalFile *files =
                reallocarray(reading->files, reading->n_files + 1, sizeof(*reading->files));

        if (!files) {
                free(take_path);
                return -ENOMEM;
        }
        reading->files = files;
        files[reading->n_files++] = (JournalFile){take_path, status->st_mtim};
        return 0;
}

/* "system.journal", "user-1000.journal", archived ones with '@'; '~' ends those that journald found
 * damaged and set aside, which mostly still hold what was said before the damage. */
static bool is_journal_name(const char *name)
{
        return text_ends(name, ".journal") || text_ends(name, ".journal~");
}

/* A machine identifier, perhaps with a namespace behind a dot. */
static bool is_machine_folder(const char *name)
{
        size_t digits = strspn(name, "0123456789abcdef");

        return digits == 32 && (name[digits] == '\0' || name[digits] == '.');
}

static int visit(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        Reading *reading = userdata;
        _cleanup_(free) char *path = NULL;
        struct stat status;

        (void)ret_error;
        if (!is_journal_name(name) && (reading->nested || !is_machine_folder(name)))
                return 0;

        path = text_format("%s/%s", reading->folder, name);
        if (!path)
                return -ENOMEM;
        if (fstatat(folder_fd, name, &status, 0) < 0) {
                if (errno != ENOENT) /* rotated away */
                        complain(reading, -errno, path);
                return 0;
        }
        if (is_journal_name(name))
                return add_file(reading, TAKE_PTR(path), &status);
        return S_ISDIR(status.st_mode) ? list_journals(reading, path, true) : 0;
}

/* Only a lack of memory ends the reading: a folder that cannot be listed is named. */
static int list_journals(Reading *reading, const char *path, bool nested)
{
        const char *outer = reading->folder;
        bool outer_nested = reading->nested;
        int r;

        reading->folder = path;
        reading->nested = nested;
        r = folder_list(AT_FDCWD, path, FILES_MAX, visit, reading, NULL);
        reading->folder = outer;
        reading->nested = outer_nested;
        if (r < 0 && r != -ENOENT && r != -ENOMEM)
                complain(reading, r, path);
        return r == -ENOMEM ? r : 0;
}

static int newest_first(const void *a, const void *b)
{
        const struct timespec *x = &((const JournalFile *)a)->changed;
        const struct timespec *y = &((const JournalFile *)b)->changed;

        if (x->tv_sec != y->tv_sec)
                return x->tv_sec > y->tv_sec ? -1 : 1;
        return (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
}

/* `all` of them in one entry, or the next row's: UNIT is believed of the service manager alone, and
 * what is said about others of root alone. */
static int match_unit(sd_journal *journal, const char *unit)
{
        static const struct {
                const char *field; /* whose value is the unit */
                const char *all[2];
        } rows[] = {
                {"_SYSTEMD_UNIT", {}},
                {"UNIT", {"_PID=1"}},
                {"OBJECT_SYSTEMD_UNIT", {"_UID=0"}},
                {"COREDUMP_UNIT", {"_UID=0", "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1"}},
        };
        int r;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                _cleanup_(free) char *match = text_format("%s=%s", rows[i].field, unit);

                if (!match)
                        return -ENOMEM;
                r = sd_journal_add_match(journal, match, 0);
                for (size_t j = 0; r >= 0 && j < ELEMENTS(rows[i].all) && rows[i].all[j]; j++)
                        r = sd_journal_add_match(journal, rows[i].all[j], 0);
                if (r >= 0)
                        r = sd_journal_add_disjunction(journal);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The current entry's message, flat and cut. sd_journal_get_data(3) passes over a field that it
 * cannot read as if it were not there, and an entry of a unit without a message is next to unheard
 * of: a line stands for it. */
static int read_message(sd_journal *journal, size_t max, char **ret)
{
        static const char prefix[] = "MESSAGE=", none[] = "[an entry without a readable message]";
        const char *start = none;
        const void *data;
        size_t size;
        char *text;
        int r;

        r = sd_journal_get_data(journal, "MESSAGE", &data, &size);
        if (r < 0 && r != -ENOENT)
                return r;
        if (r == 0)
                start = (const char *)data + sizeof(prefix) - 1;
        size = r == 0 ? size - (sizeof(prefix) - 1) : sizeof(none) - 1;

        text = malloc(size + 1);
        if (!text)
                return -ENOMEM;
        for (size_t i = 0; i < size; i++)
                text[i] = (char)(start[i] ? start[i] : ' ');
        text[size] = '\0';
        if (size > max)
                text_shorten(text, max);
        text_mend_utf8(text);
        text_flatten(text);
        *ret = text;
        return 0;
}

static bool is_older(const JournalLine *a, const JournalLine *b)
{
        if (sd_id128_equal(a->boot, b->boot))
                return a->monotonic < b->monotonic;
        return a->wall < b->wall;
}

static void drop_oldest(Reading *reading)
{
        char *oldest = reading->lines[--reading->n_lines].text;

        reading->n_bytes -= strlen(oldest) + 1;
        reading->full = true;
        free(oldest);
}

/* Puts the line where it belongs and lets the oldest go if there are too many. False: this line is
 * older than all that there is room for, and so are those before it. */
static bool insert(Reading *reading, const JournalLine *take_line)
{
        size_t place = reading->n_lines;

        while (place > 0 && is_older(&reading->lines[place - 1], take_line))
                place--;
        if (place == reading->n_lines &&
                (reading->full || reading->n_lines >= reading->max_lines)) {
                free(take_line->text);
                return false;
        }

        memmove(reading->lines + place + 1,
                reading->lines + place,
                (reading->n_lines - place) * sizeof(*reading->lines));
        reading->lines[place] = *take_line;
        reading->n_lines++;
        reading->n_bytes += strlen(take_line->text) + 1;
        while (reading->n_lines > reading->max_lines || reading->n_bytes > reading->max_bytes)
                drop_oldest(reading);
        return true;
}

/* The entry that the journal stands at. 1: go on to the one before it; 0: none before is wanted. */
static int take_entry(Reading *reading, sd_journal *journal)
{
        size_t max_text = reading->max_bytes > JOURNAL_LINE_MAX ? JOURNAL_LINE_MAX - 1
                          : reading->max_bytes > 0              ? reading->max_bytes - 1
                                                                : 0;
        JournalLine line = {};
        int r;

        r = sd_journal_get_realtime_usec(journal, &line.wall);
        if (r >= 0)
                r = sd_journal_get_monotonic_usec(journal, &line.monotonic, &line.boot);
        if (r >= 0)
                r = read_message(journal, max_text, &line.text);
        if (r < 0)
                return r;
        return insert(reading, &line);
}

/* True if sd-journal still holds the one file, with entries in it: one that it finds broken while
 * it reads, it lets go, and reports an end. */
static bool holds_entries(sd_journal *journal)
{
        uint64_t from, to;

        return sd_journal_get_cutoff_realtime_usec(journal, &from, &to) > 0;
}

/* Walks back from the tail until an entry is not wanted, the journal begins, or time is up. */
static int read_backwards(Reading *reading, sd_journal *journal, bool *ret_any)
{
        bool held = holds_entries(journal), any = false;
        int r;

        r = sd_journal_seek_tail(journal);
        while (r >= 0) {
                if (clock_passed(&clock_system, reading->deadline)) {
                        reading->late = true;
                        return 0;
                }
                r = sd_journal_previous(journal);
                if (r == 0 && held && !holds_entries(journal))
                        return -EBADMSG;
                if (r <= 0)
                        break;
                any = true;
                r = take_entry(reading, journal);
                if (r == 0)
                        break;
        }
        *ret_any = any;
        return r;
}

/* The unit is found through the file's hash table. Where that finds nothing, the newest entries
 * are asked themselves: one of the unit among them means that the table is broken. */
static int look_again(Reading *reading, sd_journal *journal)
{
        static const char *const fields[] = {"_SYSTEMD_UNIT", "UNIT"};
        const char *unit = reading->unit;
        bool held = holds_entries(journal);
        const char *data;
        size_t size;
        int r;

        sd_journal_flush_matches(journal);
        r = sd_journal_seek_tail(journal);
        for (size_t n = 0; r >= 0 && n < SECOND_LOOK; n++) {
                r = sd_journal_previous(journal);
                if (r <= 0)
                        return r == 0 && held && !holds_entries(journal) ? -EBADMSG : r;
                for (size_t i = 0; i < ELEMENTS(fields); i++) {
                        size_t skip = strlen(fields[i]) + 1;

                        if (sd_journal_get_data(journal, fields[i], (const void **)&data, &size) ==
                                        0 &&
                                size == skip + strlen(unit) &&
                                memcmp(data + skip, unit, strlen(unit)) == 0)
                                return -EBADMSG;
                }
                if (clock_passed(&clock_system, reading->deadline))
                        break;
        }
        return r < 0 ? r : 0;
}

static int open_and_read(Reading *reading, const char *path)
{
        _cleanup_(sd_journal_close) sd_journal *journal = NULL;
        const char *paths[] = {path, NULL};
        bool any = true;
        int r;

        r = sd_journal_open_files(&journal, paths, 0);
        if (r < 0)
                return r;
        /* What is more of a field is not even decompressed; room for the name, and a rest to cut.
         */
        r = sd_journal_set_data_threshold(journal, 2 * JOURNAL_LINE_MAX);
        if (r >= 0)
                r = match_unit(journal, reading->unit);
        if (r >= 0)
                r = read_backwards(reading, journal, &any);
        return r >= 0 && !any ? look_again(reading, journal) : r;
}

static int read_files(Reading *reading)
{
        int r;

        for (size_t i = 0; i < reading->n_files; i++) {
                if (clock_passed(&clock_system, reading->deadline)) {
                        reading->late = true;
                        return 0;
                }
                r = open_and_read(reading, reading->files[i].path);
                if (r == -ENOENT) /* rotated away since it was listed */
                        continue;
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        complain(reading, r, reading->files[i].path);
        }
        return 0;
}

static int read_all(Reading *reading, const char *root)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(folders); i++) {
                _cleanup_(free) char *path =
                        text_format("%s/%s", text_equal(root, "/") ? "" : root, folders[i]);

                r = path ? list_journals(reading, path, false) : -ENOMEM;
        }
        if (r < 0)
                return r;

        if (reading->n_files > 0)
                qsort(reading->files, reading->n_files, sizeof(*reading->files), newest_first);
        return read_files(reading);
}

static int append_lines(const Reading *reading, Buffer *ret)
{
        int r = 0;

        for (size_t i = reading->n_lines; r == 0 && i-- > 0;) {
                r = buffer_append_text(ret, reading->lines[i].text);
                if (r == 0)
                        r = buffer_append(ret, "\n", 1);
        }
        return r;
}

/* What has to be said of a reading that ran to its end: what is missing in it, and why. */
static int judge(const Reading *reading, const char *root, Error *ret_error)
{
        if (reading->n_unreadable > 0) {
                (void)error_set(ret_error, reading->code, "%s", reading->error.text);
                if (reading->n_unreadable > 1)
                        (void)error_append(ret_error,
                                reading->code,
                                ", and %zu more cannot be read",
                                reading->n_unreadable - 1);
                return reading->code;
        }
        if (reading->late)
                return error_set(ret_error,
                        -ETIMEDOUT,
                        "cannot read the journal of '%s' to its end: the time was over",
                        reading->unit);
        if (reading->n_files == 0)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot find a journal below '%s': neither in %s nor in %s",
                        root,
                        folders[0],
                        folders[1]);
        return 0;
}

/* The last lines of a unit's log file, which a rehearsal's machine has in a journal's stead. 0;
 * -ENOENT. */
static int read_log(const char *root, const char *unit, size_t lines, Buffer *ret)
{
        _cleanup_(free) char *path = text_format("%s/" LOGS "/%s.log", root, unit);
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(LOG_MAX);
        const char *start;
        int r = path ? file_read(AT_FDCWD, path, LOG_MAX, &text, NULL) : -ENOMEM;

        if (r < 0)
                return r;
        start = buffer_text(&text) + text.size;
        for (size_t left = lines + 1; start > buffer_text(&text); start--)
                if (start[-1] == '\n' && --left == 0)
                        break;
        return buffer_append_text(ret, start);
}

int journal_read_unit(const char *root,
        const char *unit,
        size_t lines,
        Usec deadline,
        Buffer *ret,
        Error *ret_error)
{
        _cleanup_(reading_done) Reading reading = {
                .unit = unit,
                .max_lines = lines < JOURNAL_LINES_MAX ? lines : JOURNAL_LINES_MAX,
                .max_bytes = ret->max - ret->size,
                .deadline = deadline,
        };
        int r;

        r = read_all(&reading, root);
        if (r == 0)
                r = append_lines(&reading, ret);
        if (r < 0)
                return error_set(ret_error, r, "cannot read the journal of '%s': %m", unit);
        if (reading.n_files == 0 && reading.n_unreadable == 0 && !text_equal(root, "/") &&
                read_log(root, unit, reading.max_lines, ret) == 0)
                return 0;
        return judge(&reading, root, ret_error);
}
