#include "certs/set.h"

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ENTRIES_MAX 4096U

typedef struct Loading {
        CertificateSet *set;
        const Secret *passphrase;
        const char *shown; /* the folder's path, for sentences and members */
        unsigned depth;
} Loading;

static void member_done(SetMember *member)
{
        free(member->path);
        free(member->key_path);
        pair_done(&member->pair);
        certificate_info_done(&member->info);
}
DEFINE_CLEANUP_IN_PLACE(SetMember, member_done);

void certificate_set_done(CertificateSet *set)
{
        for (size_t i = 0; i < set->count; i++)
                member_done(&set->members[i]);
        for (size_t i = 0; i < set->n_damages; i++)
                free(set->damages[i].path);
        for (size_t i = 0; i < set->n_entries; i++)
                free(set->entries[i]);
        free(set->members);
        free(set->damages);
        free(set->entries);
        *set = (CertificateSet){};
}

static bool starts_with_uuid_prefix(const char *cn, const char *prefix)
{
        return text_starts(cn, prefix) && text_is_uuid(cn + strlen(prefix));
}

const Profile *certificate_set_recognize(const CertificateInfo *info)
{
        bool flocker = text_is_uuid(info->organizational_unit);
        const char *cn = info->common_name;

        if (info->authority)
                return &profiles[flocker ? PROFILE_FLOCKER_CLUSTER : PROFILE_DOCKER_CA];
        if (flocker && text_equal(cn, profiles[PROFILE_FLOCKER_CONTROL].cn_prefix))
                return &profiles[PROFILE_FLOCKER_CONTROL];
        if (flocker && starts_with_uuid_prefix(cn, profiles[PROFILE_FLOCKER_NODE].cn_prefix))
                return &profiles[PROFILE_FLOCKER_NODE];
        if (flocker && text_starts(cn, profiles[PROFILE_FLOCKER_USER].cn_prefix))
                return &profiles[PROFILE_FLOCKER_USER];
        if (flocker || !info->has_usage)
                return NULL;
        if (info->server_auth)
                return &profiles[PROFILE_DOCKER_NODE];
        return info->client_auth ? &profiles[PROFILE_DOCKER_CLIENT] : NULL;
}

/* The file beside `certificate` that holds its key, by the names that flocker-ca and Docker use;
 * "": none is usual. */
static void key_name(const char *certificate, char *ret, size_t size)
{
        size_t length = strlen(certificate);

        if (text_equal(certificate, "cert.pem"))
                (void)text_put(ret, size, "key.pem");
        else if (text_ends(certificate, ".pem"))
                (void)snprintf(ret, size, "%.*s-key.pem", TEXT_PART(certificate, length - 4));
        else if (text_ends(certificate, ".crt"))
                (void)snprintf(ret, size, "%.*s.key", TEXT_PART(certificate, length - 4));
        else
                ret[0] = '\0';
}

/* The sentence names the folder too: a set has many files of one name. */
static int read_file(const Loading *loading,
        int folder_fd,
        const char *name,
        size_t max,
        Buffer *ret,
        Error *ret_error)
{
        int r = file_read(folder_fd, name, max, ret, ret_error);

        return r < 0 ? error_prefix(ret_error, r, "in '%s'", loading->shown) : 0;
}

/* A key that cannot be read is a fault of the member, for the judge, and no failure of the reading.
 */
static int load_key(const Loading *loading, int folder_fd, const char *name, SetMember *member)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(2 * KEY_PEM_MAX);
        char key[512];
        struct stat status;

        key_name(name, key, sizeof(key));
        if (!key[0] || fstatat(folder_fd, key, &status, 0) < 0)
                return 0;

        member->key_path = text_format("%s/%s", loading->shown, key);
        if (!member->key_path)
                return -ENOMEM;
        member->key_mode = status.st_mode & 07777;

        member->key_failure =
                read_file(loading, folder_fd, key, KEY_PEM_MAX, &pem, &member->key_error);
        if (member->key_failure == 0)
                member->key_failure = key_parse(member->key_path,
                        buffer_text(&pem),
                        pem.size,
                        loading->passphrase,
                        &member->pair.key,
                        &member->key_error);
        return 0;
}

static int add_member(
        CertificateSet *set, SetMember *take_member, const char *name, Error *ret_error)
{
        SetMember *members;

        if (set->count >= SET_CERTIFICATES_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot read '%s': more than %u certificates",
                        name,
                        SET_CERTIFICATES_MAX);
        members = reallocarray(set->members, set->count + 1, sizeof(*members));
        if (!members)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);

        set->members = members;
        members[set->count++] = *take_member;
        *take_member = (SetMember){};
        return 0;
}

/* One of the many that lie there; `end` is "/" for a folder. */
static int add_entry(const Loading *loading, const char *path, const char *end, Error *ret_error)
{
        _cleanup_(free) char *entry = text_format("%s%s", path, end);
        CertificateSet *set = loading->set;
        char **entries;

        if (set->n_entries >= SET_ENTRIES_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot read '%s': more than %u files and folders",
                        loading->shown,
                        SET_ENTRIES_MAX);
        entries = reallocarray(set->entries, set->n_entries + 1, sizeof(*entries));
        if (!entries || !entry)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", path);

        set->entries = entries;
        entries[set->n_entries++] = TAKE_PTR(entry);
        return 0;
}

static int add_damage(
        CertificateSet *set, char **take_path, int failure, const Error *error, Error *ret_error)
{
        SetDamage *damages = reallocarray(set->damages, set->n_damages + 1, sizeof(*damages));

        if (!damages)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", *take_path);
        set->damages = damages;
        damages[set->n_damages++] = (SetDamage){TAKE_PTR(*take_path), *error, failure};
        return 0;
}

static int parse_member(const char *pem, size_t size, SetMember *member, Error *ret_error)
{
        int r;

        r = certificate_parse(member->path, pem, size, &member->pair.certificate, ret_error);
        if (r == 0)
                r = certificate_examine(member->pair.certificate, &member->info, ret_error);
        if (r == 0)
                member->profile = certificate_set_recognize(&member->info);
        return r;
}

int certificate_set_load_pem(
        const char *name, const char *pem, size_t size, CertificateSet *ret, Error *ret_error)
{
        _cleanup_(member_done) SetMember member = {.path = text_copy(name)};
        CertificateSet set = {};
        int r;

        if (!member.path)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        r = parse_member(pem, size, &member, ret_error);
        if (r == 0)
                r = add_member(&set, &member, name, ret_error);
        if (r == 0)
                *ret = set;
        return r;
}

static bool is_only_a_key(const char *pem)
{
        return strstr(pem, "PRIVATE KEY-----") && !strstr(pem, "-----BEGIN CERTIFICATE");
}

static int load_file(const Loading *loading, int folder_fd, const char *name, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_INIT(2 * CERTIFICATE_PEM_MAX);
        _cleanup_(member_done) SetMember member = {};
        Error error = ERROR_INIT;
        int r;

        member.path = text_format("%s/%s", loading->shown, name);
        if (!member.path)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);

        r = read_file(loading, folder_fd, name, CERTIFICATE_PEM_MAX, &pem, &error);
        if (r == 0 && is_only_a_key(buffer_text(&pem)))
                return 0;
        if (r == 0)
                r = parse_member(buffer_text(&pem), pem.size, &member, &error);
        if (r < 0)
                return add_damage(loading->set, &member.path, r, &error, ret_error);

        r = load_key(loading, folder_fd, name, &member);
        if (r < 0)
                return error_set(ret_error, r, "cannot read '%s': %m", member.path);
        return add_member(loading->set, &member, loading->shown, ret_error);
}

static int load_entry(int folder_fd, const char *name, void *userdata, Error *ret_error);

static int load_folder(const Loading *loading, int folder_fd, const char *name, Error *ret_error)
{
        _cleanup_(free) char *shown = text_format("%s/%s", loading->shown, name);
        Loading below = *loading;
        int r;

        if (!shown)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        if (++below.depth > SET_DEPTH_MAX)
                return error_set(ret_error,
                        -EFBIG,
                        "cannot read '%s': folders are nested deeper than %u",
                        shown,
                        SET_DEPTH_MAX);
        below.shown = shown;
        r = add_entry(loading, shown, "/", ret_error);
        return r < 0 ? r : folder_list(folder_fd, name, ENTRIES_MAX, load_entry, &below, ret_error);
}

static bool is_certificates_name(const char *name)
{
        if (text_equal(name, "key.pem") || text_ends(name, "-key.pem"))
                return false;
        return text_ends(name, ".crt") || text_ends(name, ".pem");
}

static int load_entry(int folder_fd, const char *name, void *userdata, Error *ret_error)
{
        const Loading *loading = userdata;
        _cleanup_(free) char *path = NULL;
        struct stat status;
        int r;

        if (fstatat(folder_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
                return error_set(ret_error, -errno, "cannot examine '%s': %m", name);
        if (S_ISDIR(status.st_mode))
                return load_folder(loading, folder_fd, name, ret_error);

        path = text_format("%s/%s", loading->shown, name);
        if (!path)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        r = add_entry(loading, path, "", ret_error);
        if (r == 0 && is_certificates_name(name))
                r = load_file(loading, folder_fd, name, ret_error);
        return r;
}

static int compare_members(const void *a, const void *b)
{
        return strcmp(((const SetMember *)a)->path, ((const SetMember *)b)->path);
}

static int compare_damages(const void *a, const void *b)
{
        return strcmp(((const SetDamage *)a)->path, ((const SetDamage *)b)->path);
}

static int compare_entries(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(CertificateSet *set)
{
        if (set->count > 0)
                qsort(set->members, set->count, sizeof(*set->members), compare_members);
        if (set->n_damages > 0)
                qsort(set->damages, set->n_damages, sizeof(*set->damages), compare_damages);
        if (set->n_entries > 0)
                qsort(set->entries, set->n_entries, sizeof(*set->entries), compare_entries);
}

static int load_path(const char *path, Loading *loading, Error *ret_error)
{
        const char *slash = strrchr(path, '/');
        _cleanup_(free) char *parent = NULL;
        _cleanup_(close) int parent_fd = -1;
        struct stat status;
        int r;

        if (stat(path, &status) < 0)
                return error_set(ret_error, -errno, "cannot read '%s': %m", path);
        if (S_ISDIR(status.st_mode)) {
                r = add_entry(loading, path, "/", ret_error);
                return r < 0 ? r
                             : folder_list(
                                       AT_FDCWD, path, ENTRIES_MAX, load_entry, loading, ret_error);
        }

        parent = slash ? text_copy_part(path, slash == path ? 1 : (size_t)(slash - path))
                       : text_copy(".");
        if (!parent)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", path);
        parent_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (parent_fd < 0)
                return error_set(ret_error, -errno, "cannot open folder '%s': %m", parent);

        loading->shown = parent;
        return load_file(loading, parent_fd, slash ? slash + 1 : path, ret_error);
}

int certificate_set_survey(
        const char *path, const Secret *passphrase, CertificateSet *ret, Error *ret_error)
{
        _cleanup_(certificate_set_done) CertificateSet set = {};
        Loading loading = {.set = &set, .passphrase = passphrase, .shown = path};
        int r;

        r = load_path(path, &loading, ret_error);
        if (r < 0)
                return r;
        if (set.count + set.n_damages == 0 && loading.shown != path)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use '%s': it is a private key; name its certificate",
                        path);
        if (set.count + set.n_damages == 0)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot find a certificate in '%s': expected files ending .crt or .pem",
                        path);

        sort(&set);
        *ret = TAKE_STRUCT(set);
        return 0;
}

int certificate_set_load(
        const char *path, const Secret *passphrase, CertificateSet *ret, Error *ret_error)
{
        _cleanup_(certificate_set_done) CertificateSet set = {};
        int r;

        r = certificate_set_survey(path, passphrase, &set, ret_error);
        if (r < 0)
                return r;
        if (set.n_damages > 0)
                return error_set(
                        ret_error, set.damages[0].failure, "%s", set.damages[0].error.text);
        *ret = TAKE_STRUCT(set);
        return 0;
}

const SetMember *certificate_set_issuer(const CertificateSet *set, const SetMember *member)
{
        const SetMember *found = NULL;

        if (member->info.self_issued && member->info.authority)
                return member;
        for (size_t i = 0; i < set->count; i++) {
                const SetMember *candidate = &set->members[i];

                if (!candidate->info.authority ||
                        certificate_check_issued(
                                member->pair.certificate, candidate->pair.certificate, NULL) < 0)
                        continue;
                if (!found || (!found->pair.key && candidate->pair.key))
                        found = candidate; /* one whose key is at hand is of more use */
        }
        return found;
}
