/* certificate_set_judge_layout: what a folder lacks, by the names that belong together. */

#include "base/text.h"
#include "certs/set.h"

#include <stdio.h>
#include <string.h>

#define NODES_MAX 1000

typedef struct Folder {
        const CertificateSet *set;
        const char *path; /* with a slash at its end, as all below it begin */
        const char *name; /* the last part of the path, and that slash */
        size_t first;     /* of the entries below it */
} Folder;

typedef struct Reporting {
        SetFault fault;
        void *userdata;
        size_t count;
} Reporting;

/* --- names --- */

bool certificate_set_read_node(const char *name, char ret_uuid[37])
{
        char uuid[37];

        if (strlen(name) != 36 + strlen(".crt") || !text_ends(name, ".crt"))
                return false;
        (void)snprintf(uuid, sizeof(uuid), "%.36s", name);
        if (!text_is_uuid(uuid))
                return false;
        memcpy(ret_uuid, uuid, sizeof(uuid));
        return true;
}

static bool is_uuid_name(const char *name)
{
        char uuid[37];

        return certificate_set_read_node(name, uuid);
}

/* flocker-ca's name, and the one in /etc/flocker and in the store. */
static bool is_node_name(const char *name)
{
        return is_uuid_name(name) || text_equal(name, "node.crt");
}

static bool is_control_name(const char *name)
{
        return text_starts(name, "control-") && text_ends(name, ".crt") &&
               !text_equal(name, "control-service.crt");
}

static bool is_user_name(const char *name)
{
        return text_ends(name, ".crt") && !text_starts(name, "control-") && !is_node_name(name) &&
               !text_equal(name, "cluster.crt") && !text_equal(name, "plugin.crt");
}

/* --- folders --- */

/* The first entry below `path` (which ends with a slash), of those that are sorted. */
static size_t find_first(const CertificateSet *set, const char *path)
{
        size_t low = 0, high = set->n_entries;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(set->entries[middle], path) <= 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static const char *last_part(const char *path, size_t length)
{
        const char *part = path + length;

        while (part > path && part[-1] == '/')
                part--;
        while (part > path && part[-1] != '/')
                part--;
        return part;
}

static Folder open_folder(const CertificateSet *set, const char *path)
{
        return (Folder){set, path, last_part(path, strlen(path)), find_first(set, path)};
}

/* The name of the next entry that lies in the folder itself; NULL: no more. Folders' names end with
 * a slash. */
static const char *next_name(const Folder *folder, size_t *index)
{
        size_t length = strlen(folder->path);

        while (*index < folder->set->n_entries &&
                text_starts(folder->set->entries[*index], folder->path)) {
                const char *name = folder->set->entries[(*index)++] + length;
                const char *slash = strchr(name, '/');

                if (!slash || !slash[1])
                        return name;
        }
        return NULL;
}

static bool has_some(const Folder *folder, bool (*is)(const char *name))
{
        size_t index = folder->first;

        for (const char *name; (name = next_name(folder, &index));)
                if (is(name))
                        return true;
        return false;
}

static bool has(const Folder *folder, const char *wanted)
{
        size_t index = folder->first;

        for (const char *name; (name = next_name(folder, &index));)
                if (text_equal(name, wanted))
                        return true;
        return false;
}

static bool is_called(const Folder *folder, const char *name)
{
        return text_starts(folder->name, name) && folder->name[strlen(name)] == '/';
}

static bool lies_in(const Folder *folder, const char *parent)
{
        const char *above = last_part(folder->path, (size_t)(folder->name - folder->path));

        return above < folder->name && text_starts(above, parent) && above[strlen(parent)] == '/';
}

static bool is_number(const char *name, int64_t *ret)
{
        char digits[8];
        size_t length = strspn(name, "0123456789");

        if (length == 0 || length >= sizeof(digits) || name[length] != '/' || name[0] == '0')
                return false;
        (void)snprintf(digits, sizeof(digits), "%.*s", TEXT_PART(name, length));
        return text_to_int64(digits, 1, NODES_MAX, ret) == 0;
}

/* --- what a folder is --- */

/* Not the store's: there agent.yml lies beside cluster.crt, and control's pair does not. */
static bool is_flocker_set(const Folder *folder)
{
        return (has(folder, "nodes/") ||
                       (is_called(folder, "flocker") && has_some(folder, is_control_name))) &&
               !has(folder, "agent.yml");
}

static bool is_node(const Folder *folder)
{
        int64_t number;

        return lies_in(folder, "nodes") && is_number(folder->name, &number);
}

/* /etc/flocker of an agent; not a folder of flocker-ca's, where all lie side by side. */
static bool is_agent(const Folder *folder)
{
        return (has(folder, "node.crt") || has(folder, "plugin.crt")) && !is_node(folder) &&
               !has(folder, "control-service.crt") && !has_some(folder, is_control_name) &&
               !has_some(folder, is_uuid_name);
}

/* Not the store's, which has a manifest, and no machine's, where all lie side by side. */
static bool is_docker_set(const Folder *folder)
{
        return is_called(folder, "docker") && !has(folder, "manifest.json") &&
               !has(folder, "cert.pem") && !has(folder, "key.pem") &&
               (has(folder, "ca.pem") || has(folder, "ca-key.pem") || has(folder, "control/") ||
                       has(folder, "client/"));
}

static bool is_docker_member(const Folder *folder)
{
        return lies_in(folder, "docker") &&
               (is_called(folder, "control") || is_called(folder, "client"));
}

static const struct {
        bool (*applies)(const Folder *folder);
        struct {
                const char *name;
                bool (*is)(const char *name); /* NULL: that name exactly */
        } wanted[4];
} layouts[] = {
        {is_flocker_set,
                {{"cluster.crt", NULL},
                        {"control-<host>.crt", is_control_name},
                        {"<user>.crt", is_user_name},
                        {"nodes/", NULL}}},
        {is_node, {{"<uuid>.crt", is_node_name}, {"plugin.crt", NULL}}},
        {is_agent, {{"cluster.crt", NULL}, {"node.crt", NULL}, {"plugin.crt", NULL}}},
        {is_docker_set, {{"ca.pem", NULL}, {"control/", NULL}, {"client/", NULL}}},
        {is_docker_member, {{"ca.pem", NULL}, {"cert.pem", NULL}}},
};

/* --- the judgement --- */

static void report(Reporting *reporting, const Folder *folder, const char *name)
{
        _cleanup_(free) char *path = text_copy(folder->path);
        Error sentence = ERROR_INIT;

        if (path && path[1])
                path[strlen(path) - 1] = '\0';
        error_record(&sentence,
                0,
                "%s: %s is missing; put it back, with its key, or make a new set with 'certs "
                "create'",
                path ? path : folder->path,
                name);
        reporting->count++;
        reporting->fault(path ? path : folder->path, sentence.text, reporting->userdata);
}

static void judge_names(Reporting *reporting, const Folder *folder)
{
        for (size_t i = 0; i < ELEMENTS(layouts); i++) {
                if (!layouts[i].applies(folder))
                        continue;
                for (size_t j = 0; j < ELEMENTS(layouts[i].wanted) && layouts[i].wanted[j].name;
                        j++) {
                        const char *name = layouts[i].wanted[j].name;
                        bool (*is)(const char *) = layouts[i].wanted[j].is;

                        if (!(is ? has_some(folder, is) : has(folder, name)))
                                report(reporting, folder, name);
                }
        }
}

/* Nodes count from 1: a gap is one that is lost. How many there were is not known here. */
static void judge_numbers(Reporting *reporting, const Folder *folder)
{
        bool seen[NODES_MAX + 1] = {};
        int64_t number, last = 0;
        size_t index = folder->first;
        char name[16];

        if (!is_called(folder, "nodes"))
                return;
        for (const char *entry; (entry = next_name(folder, &index));)
                if (is_number(entry, &number)) {
                        seen[number] = true;
                        last = number > last ? number : last;
                }
        for (number = 1; number < last; number++)
                if (!seen[number]) {
                        (void)snprintf(name, sizeof(name), "%d/", (int)number);
                        report(reporting, folder, name);
                }
}

size_t certificate_set_judge_layout(const CertificateSet *set, SetFault fault, void *userdata)
{
        Reporting reporting = {fault, userdata, 0};

        for (size_t i = 0; i < set->n_entries; i++) {
                Folder folder;

                if (!text_ends(set->entries[i], "/"))
                        continue;
                folder = open_folder(set, set->entries[i]);
                judge_names(&reporting, &folder);
                judge_numbers(&reporting, &folder);
        }
        return reporting.count;
}
