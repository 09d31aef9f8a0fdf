#include "rehearsal/unit.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX   (64U * 1024U)
#define DROP_INS   32U
#define OWN_DIR    "etc/systemd/system"
#define VENDOR_DIR "usr/lib/systemd/system"

void unit_done(UnitFile *unit)
{
        for (size_t i = 0; i < UNIT_LIST_MAX; i++) {
                free(unit->after[i]);
                free(unit->required[i]);
                free(unit->wanted_by[i]);
        }
        for (size_t i = 0; i < UNIT_ARGUMENTS_MAX; i++)
                free(unit->arguments[i]);
        *unit = (UnitFile){};
}

/* Adds the words of `value`; an empty one takes those before away. */
static void add_words(char **list, size_t max, char *value)
{
        size_t count = 0;
        char *word;

        while (list[count])
                count++;
        if (!*value)
                while (count > 0) {
                        free(list[--count]);
                        list[count] = NULL;
                }
        while ((word = strsep(&value, " \t")))
                if (*word && count < max)
                        list[count++] = text_copy(word);
}

/* One argument of a command line, unquoted in place: systemd.service(5), "Command lines". */
static char *take_argument(char **rest)
{
        char *from = *rest + strspn(*rest, " \t"), *start = from, *to = from;
        char quote = '\0';

        if (!*from)
                return NULL;
        for (; *from && (quote || (*from != ' ' && *from != '\t')); from++) {
                if (!quote && (*from == '"' || *from == '\''))
                        quote = *from;
                else if (quote && *from == quote)
                        quote = '\0';
                else if (*from == '\\' && from[1])
                        *to++ = *++from == 'n' ? '\n' : *from;
                else if (*from == '%' && from[1] == '%')
                        *to++ = *++from;
                else
                        *to++ = *from;
        }
        *rest = *from ? from + 1 : from;
        *to = '\0';
        return start;
}

static void set_exec_start(UnitFile *unit, char *value)
{
        size_t count = 0;
        char *argument;

        for (size_t i = 0; i < UNIT_ARGUMENTS_MAX; i++) {
                free(unit->arguments[i]);
                unit->arguments[i] = NULL;
        }
        unit->n_exec_start = *value ? unit->n_exec_start + 1 : 0;
        while ((argument = take_argument(&value)) && count < UNIT_ARGUMENTS_MAX)
                unit->arguments[count++] = text_copy(argument);
}

static UnitType parse_type(const char *value)
{
        if (text_equal(value, "notify"))
                return UNIT_NOTIFY;
        return text_equal(value, "oneshot") ? UNIT_ONESHOT : UNIT_SIMPLE;
}

static void take_unit_line(UnitFile *unit, const char *key, char *value)
{
        if (text_equal(key, "After"))
                add_words(unit->after, UNIT_LIST_MAX, value);
        else if (text_equal(key, "Requires"))
                add_words(unit->required, UNIT_LIST_MAX, value);
        else if (text_equal(key, "RefuseManualStart"))
                unit->refuses_start = text_equal(value, "yes");
        else if (text_equal(key, "ConditionPathExists") && *value == '/')
                (void)text_put(unit->condition, sizeof(unit->condition), value);
        else if (text_equal(key, "AssertPathExists") && *value == '/')
                (void)text_put(unit->assertion, sizeof(unit->assertion), value);
}

static void take_line(UnitFile *unit, const char *section, char *key, char *value)
{
        uint64_t seconds;

        if (text_equal(section, "Unit"))
                take_unit_line(unit, key, value);
        else if (text_equal(section, "Install") && text_equal(key, "WantedBy"))
                add_words(unit->wanted_by, UNIT_LIST_MAX, value);
        else if (text_equal(section, "Service") && text_equal(key, "ExecStart"))
                set_exec_start(unit, value);
        else if (text_equal(section, "Service") && text_equal(key, "Type"))
                unit->type = parse_type(value);
        else if (text_equal(section, "Service") && text_equal(key, "RemainAfterExit"))
                unit->remains = text_equal(value, "yes");
        else if (text_equal(section, "Service") && text_equal(key, "TimeoutStartSec") &&
                 text_to_uint64(value, 0, 3600, &seconds) == 0)
                unit->start_timeout = seconds * USEC_PER_SEC;
}

static void parse(UnitFile *unit, char *text)
{
        char section[64] = "", *line;

        while ((line = strsep(&text, "\n"))) {
                char *equals;

                line = text_strip(line);
                if (*line == '#' || *line == ';' || !*line)
                        continue;
                if (*line == '[') {
                        line[strcspn(line, "]")] = '\0';
                        (void)text_put(section, sizeof(section), line + 1);
                        continue;
                }
                equals = strchr(line, '=');
                if (!equals)
                        continue;
                *equals = '\0';
                take_line(unit, section, text_strip(line), text_strip(equals + 1));
        }
}

/* Reads one file into the unit, and its text into `all`. */
static int read_part(
        const char *root, const char *path, UnitFile *unit, Buffer *all, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(FILE_MAX);
        _cleanup_(free) char *whole = text_format("%s/%s", root, path);
        int r;

        if (!whole)
                return -ENOMEM;
        r = file_read(AT_FDCWD, whole, FILE_MAX, &text, ret_error);
        if (r == 0)
                r = buffer_append(all, buffer_text(&text), text.size);
        if (r == 0 && text.data)
                parse(unit, text.data);
        return r;
}

typedef struct Names {
        char *names[DROP_INS];
        size_t count;
} Names;

static int add_name(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        Names *names = userdata;

        (void)folder_fd;
        (void)ret_error;
        if (text_ends(name, ".conf") && names->count < DROP_INS)
                names->names[names->count++] = text_copy(name);
        return 0;
}

static int compare(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_drop_ins(
        const char *root, const char *name, UnitFile *unit, Buffer *all, Error *ret_error)
{
        _cleanup_(free) char *path = text_format("%s/" OWN_DIR "/%s.d", root, name);
        _cleanup_(close) int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
        Names names = {};
        int r = 0;

        if (fd < 0)
                return 0;
        r = folder_list(fd, path, 1000, add_name, &names, ret_error);
        qsort(names.names, names.count, sizeof(char *), compare);
        for (size_t i = 0; i < names.count; i++) {
                _cleanup_(free) char *part = text_format(OWN_DIR "/%s.d/%s", name, names.names[i]);

                if (r == 0)
                        r = part ? read_part(root, part, unit, all, ret_error) : -ENOMEM;
                free(names.names[i]);
        }
        return r;
}

static bool is_masked(const char *root, const char *path)
{
        _cleanup_(free) char *whole = text_format("%s/%s", root, path);
        char target[64] = "";

        return whole && readlink(whole, target, sizeof(target) - 1) > 0 &&
               text_equal(target, "/dev/null");
}

static bool find(const char *root, const char *name, UnitFile *unit)
{
        static const char *const folders[] = {OWN_DIR, VENDOR_DIR};

        for (size_t i = 0; i < ELEMENTS(folders); i++) {
                _cleanup_(free) char *whole = text_format("%s/%s/%s", root, folders[i], name);
                struct stat status;

                if (whole && lstat(whole, &status) == 0) {
                        (void)snprintf(unit->path, sizeof(unit->path), "%s/%s", folders[i], name);
                        return true;
                }
        }
        return false;
}

bool unit_is_named_well(const char *name)
{
        static const char *const kinds[] = {
                ".service", ".socket", ".target", ".timer", ".mount", ".path", ".slice"};
        static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                      "0123456789:-_.\\@";

        if (name[strspn(name, letters)] || *name == '.' || strlen(name) >= UNIT_NAME_MAX)
                return false;
        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (text_ends(name, kinds[i]))
                        return true;
        return false;
}

/* systemd.service(5): one command, or any number of a oneshot service. */
static bool has_bad_setting(const char *name, const UnitFile *unit)
{
        return text_ends(name, ".service") &&
               (unit->n_exec_start == 0 || (unit->n_exec_start > 1 && unit->type != UNIT_ONESHOT));
}

int unit_load(const char *root, const char *name, UnitFile *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer all = BUFFER_INIT(16 * FILE_MAX);
        _cleanup_(unit_done) UnitFile unit = {};
        Digest digest;
        int r = 0;

        if (!unit_is_named_well(name) || !find(root, name, &unit)) {
                *ret = (UnitFile){};
                return 0;
        }
        unit.load = is_masked(root, unit.path) ? UNIT_MASKED : UNIT_LOADED;
        if (unit.load == UNIT_LOADED)
                r = read_part(root, unit.path, &unit, &all, ret_error);
        if (r == 0 && unit.load == UNIT_LOADED && all.size == 0)
                unit.load =
                        UNIT_MASKED; /* systemd.unit(5): an empty file is as good as /dev/null */
        if (r == 0)
                r = read_drop_ins(root, name, &unit, &all, ret_error);
        if (r == 0)
                r = digest_sha256(buffer_text(&all), all.size, &digest);
        if (r < 0)
                return r;
        if (unit.load == UNIT_LOADED && has_bad_setting(name, &unit))
                unit.load = UNIT_BAD_SETTING;
        digest_format(&digest, unit.digest);
        *ret = TAKE_STRUCT(unit);
        return 0;
}

static char *link_path(const char *root, const char *target, const char *name)
{
        return text_format("%s/" OWN_DIR "/%s.wants/%s", root, target, name);
}

const char *unit_file_state(const char *root, const char *name, const UnitFile *unit)
{
        if (unit->load == UNIT_NOT_FOUND)
                return "";
        if (unit->load == UNIT_MASKED)
                return "masked";
        for (size_t i = 0; unit->wanted_by[i]; i++) {
                _cleanup_(free) char *link = link_path(root, unit->wanted_by[i], name);
                struct stat status;

                if (link && lstat(link, &status) == 0)
                        return "enabled";
        }
        return unit->wanted_by[0] ? "disabled" : "static";
}

static int change_link(const char *root,
        const char *target,
        const char *name,
        const UnitFile *unit,
        bool enable,
        bool *ret_changed,
        Error *ret_error)
{
        _cleanup_(free) char *folder = text_format("%s/" OWN_DIR "/%s.wants", root, target);
        _cleanup_(free) char *link = link_path(root, target, name);
        _cleanup_(free) char *to = text_format("/%s", unit->path);
        int r;

        if (!folder || !link || !to)
                return error_set(ret_error, -ENOMEM, "cannot enable '%s': %m", name);
        if (!enable) {
                *ret_changed |= unlink(link) == 0;
                return 0;
        }
        r = folder_make(AT_FDCWD, folder, 0755, ret_error);
        if (r < 0)
                return r;
        if (symlink(to, link) == 0)
                *ret_changed = true;
        else if (errno != EEXIST)
                return error_set(ret_error, -errno, "cannot enable '%s': %m", name);
        return 0;
}

int unit_enable(const char *root,
        const char *name,
        const UnitFile *unit,
        bool enable,
        bool *ret_changed,
        Error *ret_error)
{
        int r = 0;

        *ret_changed = false;
        for (size_t i = 0; unit->wanted_by[i] && r == 0; i++)
                r = change_link(
                        root, unit->wanted_by[i], name, unit, enable, ret_changed, ret_error);
        return r;
}
