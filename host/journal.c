#include "host/journal.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#define FILES_MAX   4096U
#define SIGNATURE   "LPKSHHRH" /* systemd's Journal File Format, "Header" */
#define HEADER_SIZE 16U        /* signature, compatible_flags, incompatible_flags */
#define FLAGS_KNOWN 0x1FU      /* xz, lz4, keyed hash, zstd, compact */

static const char *const folders[] = {"var/log/journal", "run/log/journal"};

/* As journalctl -u has it: what others say of a unit counts only from those who may (trusted
 * fields, systemd.journal-fields(7)). */
static const struct {
        const char *field;
        const char *with; /* NULL: nothing more is asked */
} unit_matches[] = {
        {"_SYSTEMD_UNIT", NULL},
        {"UNIT", "_PID=1"},
        {"OBJECT_SYSTEMD_UNIT", "_UID=0"},
        {"COREDUMP_UNIT", "_UID=0"},
};

static void sd_journal_close_p(sd_journal **journal)
{
        sd_journal_close(*journal);
}

typedef struct Finding {
        char **files; /* readable journal files; paths on the heap */
        size_t count;
        int code; /* of the first file that cannot be read; 0: all can */
        Error error;
        const char *folder;
        unsigned depth;
} Finding;

static void finding_done(Finding *finding)
{
        for (size_t i = 0; i < finding->count; i++)
                free(finding->files[i]);
        free((void *)finding->files);
}
DEFINE_CLEANUP_IN_PLACE(Finding, finding_done);

static void note_unreadable(Finding *finding, int code, const char *path, const char *cause)
{
        if (finding->code == 0)
                finding->code = error_set(
                        &finding->error, code, "cannot read the journal '%s': %s", path, cause);
}

/* libsystemd passes over what it does not understand without a word, so we look first. */
static int check_header(const char *path, const char **ret_cause)
{
        unsigned char header[HEADER_SIZE];
        _cleanup_(close) int fd = -1;
        uint32_t incompatible;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                *ret_cause = strerrordesc_np(errno);
                return -errno;
        }
        if (pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header) ||
                memcmp(header, SIGNATURE, strlen(SIGNATURE)) != 0) {
                *ret_cause = "it is no journal file, or cut short";
                return -EBADMSG;
        }
        incompatible = (uint32_t)header[12] | (uint32_t)header[13] << 8 |
                       (uint32_t)header[14] << 16 | (uint32_t)header[15] << 24;
        if (incompatible & ~FLAGS_KNOWN) {
                *ret_cause =
                        "it was written by a newer systemd, in a format this program does not know";
                return -EPROTONOSUPPORT;
        }
        return 0;
}

static int keep_file(Finding *finding, char *take_path)
{
        char **files =
                (char **)reallocarray((void *)finding->files, finding->count + 1, sizeof(*files));

        if (!files) {
                free(take_path);
                return -ENOMEM;
        }
        finding->files = files;
        files[finding->count++] = take_path;
        return 0;
}

/* Does libsystemd read it as well? One file at a time, so that the one which it cannot read is
 * known. */
static int consider_file(Finding *finding, const char *path)
{
        _cleanup_(sd_journal_close) sd_journal *journal = NULL;
        const char *cause = "";
        const char *single[] = {path, NULL};
        char *copy;
        int r;

        r = check_header(path, &cause);
        if (r < 0) {
                note_unreadable(finding, r, path, cause);
                return 0;
        }
        r = sd_journal_open_files(&journal, single, 0);
        if (r < 0) {
                note_unreadable(finding, r, path, strerrordesc_np(-r));
                return 0;
        }
        copy = text_copy(path);
        return copy ? keep_file(finding, copy) : -ENOMEM;
}

static int visit(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        Finding *finding = userdata;
        _cleanup_(free) char *path = text_format("%s/%s", finding->folder, name);
        struct stat status;
        int r = 0;

        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot read the journal: %m");
        if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;                                     /* rotated away meanwhile */
        if (S_ISDIR(status.st_mode) && finding->depth == 0) { /* <machine id>/ */
                const char *above = finding->folder;

                finding->folder = path;
                finding->depth++;
                r = folder_list(folder_fd, name, FILES_MAX, visit, finding, ret_error);
                finding->depth--;
                finding->folder = above;
        } else if (S_ISREG(status.st_mode) &&
                   (text_ends(name, ".journal") || text_ends(name, ".journal~")))
                r = consider_file(finding, path);
        return r;
}

static int find_files(const char *root, Finding *finding, Error *ret_error)
{
        bool any = false;

        for (size_t i = 0; i < ELEMENTS(folders); i++) {
                _cleanup_(free) char *folder =
                        text_format("%s/%s", text_equal(root, "/") ? "" : root, folders[i]);
                int r;

                if (!folder)
                        return error_set(ret_error, -ENOMEM, "cannot read the journal: %m");
                finding->folder = folder;
                r = folder_list(AT_FDCWD, folder, FILES_MAX, visit, finding, ret_error);
                if (r < 0 && r != -ENOENT)
                        return r;
                any |= r == 0;
        }
        if (!any || (finding->count == 0 && finding->code == 0))
                return error_set(ret_error,
                        -ENOENT,
                        "cannot find a journal below '%s': neither in %s nor in %s",
                        root,
                        folders[0],
                        folders[1]);
        return 0;
}

static int match_unit(sd_journal *journal, const char *unit)
{
        for (size_t i = 0; i < ELEMENTS(unit_matches); i++) {
                _cleanup_(free) char *match = text_format("%s=%s", unit_matches[i].field, unit);
                int r = match ? sd_journal_add_match(journal, match, 0) : -ENOMEM;

                if (r >= 0 && unit_matches[i].with)
                        r = sd_journal_add_match(journal, unit_matches[i].with, 0);
                if (r >= 0)
                        r = sd_journal_add_disjunction(journal);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The message where the journal stands, flat and cut; NULL when memory is out. */
static char *take_message(sd_journal *journal, int *ret_code)
{
        const void *data;
        size_t length;
        char *line;
        int r;

        *ret_code = 0;
        r = sd_journal_get_data(journal, "MESSAGE", &data, &length);
        if (r == -ENOENT)
                return text_copy("");
        if (r < 0) {
                *ret_code = r;
                return NULL;
        }
        data = (const char *)data + strlen("MESSAGE=");
        length -= strlen("MESSAGE=");
        line = text_copy_part(data, length > JOURNAL_LINE_MAX ? JOURNAL_LINE_MAX : length);
        if (line && length > JOURNAL_LINE_MAX)
                text_shorten(line, JOURNAL_LINE_MAX - 1);
        if (line)
                text_flatten(line);
        return line;
}

typedef struct Lines {
        char *texts[JOURNAL_LINES_MAX]; /* newest first */
        size_t count, bytes;
} Lines;

static void lines_done(Lines *lines)
{
        for (size_t i = 0; i < lines->count; i++)
                free(lines->texts[i]);
}
DEFINE_CLEANUP_IN_PLACE(Lines, lines_done);

/* From the end backwards, until there are enough, the room is full, or the deadline comes. */
static int collect(sd_journal *journal, size_t wanted, size_t room, Usec deadline, Lines *lines)
{
        int r;

        r = sd_journal_seek_tail(journal);
        if (r < 0)
                return r;
        while (lines->count < wanted) {
                char *line;
                int code;

                if (clock_passed(&clock_system, deadline))
                        return -ETIMEDOUT;
                r = sd_journal_previous(journal);
                if (r <= 0)
                        return r;
                line = take_message(journal, &code);
                if (!line)
                        return code < 0 ? code : -ENOMEM;
                lines->bytes += strlen(line) + 1;
                if (lines->bytes > room) {
                        free(line);
                        return 0;
                }
                lines->texts[lines->count++] = line;
        }
        return 0;
}

static int read_files(const Finding *finding,
        const char *unit,
        size_t wanted,
        Usec deadline,
        Buffer *ret,
        Error *ret_error)
{
        _cleanup_(sd_journal_close) sd_journal *journal = NULL;
        _cleanup_(lines_done) Lines lines = {};
        const char **paths;
        int r;

        paths = (const char **)calloc(finding->count + 1, sizeof(*paths));
        if (!paths)
                return error_set(ret_error, -ENOMEM, "cannot read the journal: %m");
        for (size_t i = 0; i < finding->count; i++)
                paths[i] = finding->files[i];
        r = sd_journal_open_files(&journal, paths, 0);
        free((void *)paths);

        if (r >= 0)
                r = match_unit(journal, unit);
        if (r >= 0)
                r = collect(journal, wanted, ret->max - ret->size, deadline, &lines);
        for (size_t i = lines.count; i-- > 0;)
                if (buffer_append_format(ret, "%s\n", lines.texts[i]) < 0)
                        break;
        if (r < 0)
                return error_set(ret_error, r, "cannot read the journal of '%s': %m", unit);
        return 0;
}

int journal_read_unit(const char *root,
        const char *unit,
        size_t lines,
        Usec deadline,
        Buffer *ret,
        Error *ret_error)
{
        _cleanup_(finding_done) Finding finding = {};
        int r;

        if (lines > JOURNAL_LINES_MAX)
                lines = JOURNAL_LINES_MAX;
        r = find_files(root, &finding, ret_error);
        if (r == 0 && finding.count > 0)
                r = read_files(&finding, unit, lines, deadline, ret, ret_error);
        if (r == 0 && finding.code < 0)
                r = error_set(ret_error, finding.code, "%s", finding.error.text);
        return r;
}
