/* Control: the Flocker cluster's CA, and the sets of certificates that others wait for. A set is on
 * disk before it is in the store, and leaves the disk behind that: a kill in between makes neither
 * two sets for one node nor none. */

#include "base/file.h"
#include "base/folder.h"
#include "base/text.h"
#include "certs/flocker.h"
#include "roles/agent-yml.h"
#include "roles/files.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define CA_CERTIFICATE PATH_FLOCKER_CA "/cluster.crt"
#define CA_KEY         PATH_FLOCKER_CA "/cluster.key"
#define AGENT_YML      PATH_FLOCKER_CA "/agent.yml"
#define AGENT_YML_MAX  (64U * 1024U)
#define NAME_MAX_BYTES 64U
#define PATH_MAX_BYTES 256U
#define PAIRS_MAX      2U

/* What a set is for: the client's, or a node's. */
typedef struct Bundle {
        char name[NAME_MAX_BYTES];      /* in the store: "flocker/nodes/1" */
        char path[NAME_MAX_BYTES + 64]; /* on disk */
        const char *files[PAIRS_MAX];   /* "node", "plugin" */
        size_t n_files;
} Bundle;

/* Number 0 is the client. */
static Bundle describe_bundle(int64_t number)
{
        Bundle bundle = {.files = {"user1"}, .n_files = 1};

        if (number > 0) {
                bundle = (Bundle){.files = {"node", "plugin"}, .n_files = 2};
                (void)snprintf(bundle.name, sizeof(bundle.name), "flocker/nodes/%" PRId64, number);
        } else {
                (void)text_put(bundle.name, sizeof(bundle.name), "flocker/client");
        }
        (void)snprintf(bundle.path, sizeof(bundle.path), PATH_BUNDLES "/%s", bundle.name);
        return bundle;
}

int step_flocker_ca_is_made(Role *role, bool *ret, Error *ret_error)
{
        static const char *const paths[] = {CA_CERTIFICATE, CA_KEY, AGENT_YML, NULL};

        (void)ret_error;
        *ret = files_are_there(role->root_fd, paths);
        return 0;
}

int step_make_flocker_ca(Role *role, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer agent_yml = BUFFER_INIT(AGENT_YML_MAX);
        _cleanup_(pair_text_done) PairText text = {};
        _cleanup_(pair_done) Pair ca = {};
        Key *key;
        int r;

        if (role_would(role,
                    "make the CA of the Flocker cluster '%s' (/" PATH_FLOCKER_CA ")",
                    role->settings->cluster))
                return 0;
        r = agent_yml_make(role, &agent_yml, ret_error);
        if (r == 0)
                r = role_take_key(role, KEY_RSA_4096, &key, ret_error);
        if (r == 0)
                r = flocker_make_authority(
                        role->settings->cluster, key, clock_wall(role->clock), &ca, ret_error);
        if (r == 0)
                r = files_format_pair(&ca, &text, ret_error);
        if (r < 0)
                return r;

        const FileContent files[] = {
                FILE_OF_CERTIFICATE("cluster.crt", &text),
                FILE_OF_SECRET("cluster.key", text.key),
                {"agent.yml", buffer_text(&agent_yml), agent_yml.size, 0600},
        };
        return files_replace_folder(role, PATH_FLOCKER_CA, files, ELEMENTS(files), NULL, ret_error);
}

static int load_ca(Role *role, Pair *ret, Error *ret_error)
{
        int r = files_read_pair(role->root_fd, CA_CERTIFICATE, CA_KEY, ret, ret_error);

        if (r == FILES_ABSENT)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot use the Flocker CA: '/" CA_CERTIFICATE
                        "' is not there (make-flocker-ca makes it)");
        return r;
}

/* Is the set in the store, by us? Its manifest tells; keys may have been purged since. */
static int is_published(Role *role, const Bundle *bundle, bool *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        char name[NAME_MAX_BYTES + 32];
        Manifest manifest;
        S3Store *store;
        int r;

        (void)snprintf(name, sizeof(name), "%s/manifest.json", bundle->name);
        r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = s3_store_get(
                        store, name, MANIFEST_SIZE_MAX, role->deadline, &text, NULL, ret_error);
        if (r == S3_OK)
                r = manifest_parse(name, buffer_text(&text), text.size, &manifest, ret_error);
        if (r < 0)
                return r;
        *ret = r == S3_OK;
        if (*ret && !text_equal(manifest.writer, role->instance.identity.instance_id))
                return error_set(ret_error,
                        -EEXIST,
                        "cannot publish '%s': %s has published there, and this is %s; give each "
                        "cluster a store of its own, or empty this one",
                        name,
                        manifest.writer,
                        role->instance.identity.instance_id);
        return 0;
}

static bool is_on_disk(const Role *role, const Bundle *bundle)
{
        return files_are_there(role->root_fd, (const char *const[]){bundle->path, NULL});
}

/* The certificates of a set; keys are waited for one by one. */
static int make_pairs(
        Role *role, const Pair *ca, bool node, Pair pairs[PAIRS_MAX], Error *ret_error)
{
        Usec wall = clock_wall(role->clock);
        char uuid[FLOCKER_UUID_SIZE];
        Key *key;
        int r;

        r = role_take_key(role, KEY_RSA_4096, &key, ret_error);
        if (r < 0)
                return r;
        if (!node)
                return flocker_make_user(ca, "user1", key, wall, &pairs[0], ret_error);
        r = flocker_make_node(ca, key, wall, uuid, &pairs[0], ret_error);
        if (r == 0)
                r = role_take_key(role, KEY_RSA_4096, &key, ret_error);
        return r < 0 ? r : flocker_make_user(ca, "plugin", key, wall, &pairs[1], ret_error);
}

static int write_pairs(Role *role, const Bundle *bundle, const Pair *pairs, Error *ret_error)
{
        char names[2 * PAIRS_MAX][NAME_MAX_BYTES];
        PairText texts[PAIRS_MAX] = {};
        FileContent files[2 * PAIRS_MAX];
        int r = 0;

        for (size_t i = 0; i < bundle->n_files && r == 0; i++) {
                r = files_format_pair(&pairs[i], &texts[i], ret_error);
                if (r < 0)
                        break;
                (void)snprintf(names[2 * i], NAME_MAX_BYTES, "%s.crt", bundle->files[i]);
                (void)snprintf(names[2 * i + 1], NAME_MAX_BYTES, "%s.key", bundle->files[i]);
                files[2 * i] = FILE_OF_CERTIFICATE(names[2 * i], &texts[i]);
                files[2 * i + 1] = FILE_OF_SECRET(names[2 * i + 1], texts[i].key);
        }
        if (r == 0)
                r = files_replace_folder(
                        role, bundle->path, files, 2 * bundle->n_files, NULL, ret_error);
        for (size_t i = 0; i < PAIRS_MAX; i++)
                pair_text_done(&texts[i]);
        return r;
}

static int make_bundle(
        Role *role, const Pair *ca, const Bundle *bundle, bool node, Error *ret_error)
{
        Pair pairs[PAIRS_MAX] = {};
        int r = make_pairs(role, ca, node, pairs, ret_error);

        if (r == 0)
                r = write_pairs(role, bundle, pairs, ret_error);
        for (size_t i = 0; i < PAIRS_MAX; i++)
                pair_done(&pairs[i]);
        return r;
}

/* What a set publishes: its files, cluster.crt, and for a node agent.yml. */
#define OBJECTS_MAX (2 * PAIRS_MAX + 2)

typedef struct Publishing {
        Buffer contents[OBJECTS_MAX];
        char names[OBJECTS_MAX][NAME_MAX_BYTES + 32];
        S3StoreObject objects[OBJECTS_MAX];
        size_t count;
} Publishing;

static void publishing_done(Publishing *publishing)
{
        for (size_t i = 0; i < OBJECTS_MAX; i++)
                buffer_done(&publishing->contents[i]);
}
DEFINE_CLEANUP_IN_PLACE(Publishing, publishing_done);

static int add_file(
        Role *role, Publishing *publishing, const char *path, const char *name, Error *ret_error)
{
        size_t i = publishing->count;
        Buffer *content = &publishing->contents[i];
        int r;

        *content = BUFFER_INIT(MANIFEST_OBJECT_MAX);
        r = file_read(role->root_fd, path, MANIFEST_OBJECT_MAX, content, ret_error);
        if (r < 0)
                return r;
        (void)text_put(publishing->names[i], sizeof(publishing->names[i]), name);
        publishing->objects[i] =
                (S3StoreObject){publishing->names[i], buffer_text(content), content->size};
        publishing->count++;
        return 0;
}

/* The set's file of that number, below `folder`: of each pair the certificate, then the key. */
static const char *format_file(
        const Bundle *bundle, const char *folder, size_t number, char place[PATH_MAX_BYTES])
{
        (void)snprintf(place,
                PATH_MAX_BYTES,
                "%s/%s.%s",
                folder,
                bundle->files[number / 2],
                number % 2 == 0 ? "crt" : "key");
        return place;
}

/* A set comes as a whole and leaves file by file: one that lacks a file is in the store. */
static bool is_whole(const Role *role, const Bundle *bundle)
{
        char place[PATH_MAX_BYTES];
        size_t i = 0;

        while (i < 2 * bundle->n_files &&
                files_are_there(role->root_fd,
                        (const char *const[]){format_file(bundle, bundle->path, i, place), NULL}))
                i++;
        return i == 2 * bundle->n_files;
}

static int add_files(Role *role, Publishing *publishing, const Bundle *bundle, Error *ret_error)
{
        char path[PATH_MAX_BYTES], name[PATH_MAX_BYTES];
        int r;

        r = add_file(role, publishing, CA_CERTIFICATE, "flocker/cluster.crt", ret_error);
        if (r == 0 && bundle->n_files > 1)
                r = add_file(role, publishing, AGENT_YML, "flocker/agent.yml", ret_error);
        for (size_t i = 0; i < 2 * bundle->n_files && r == 0; i++)
                r = add_file(role,
                        publishing,
                        format_file(bundle, bundle->path, i, path),
                        format_file(bundle, bundle->name, i, name),
                        ret_error);
        return r;
}

static int publish_whole(Role *role, const Bundle *bundle, Error *ret_error)
{
        _cleanup_(publishing_done) Publishing publishing = {};
        char manifest[NAME_MAX_BYTES + 32];
        S3StorePublication publication = {
                .manifest = manifest,
                .cluster = role->settings->cluster,
                .writer = role->instance.identity.instance_id,
                .objects = publishing.objects,
        };
        S3Store *store;
        int r;

        (void)snprintf(manifest, sizeof(manifest), "%s/manifest.json", bundle->name);
        r = add_files(role, &publishing, bundle, ret_error);
        publication.n_objects = publishing.count;
        if (r == 0)
                r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = role_fail(s3_store_publish(store, &publication, role->deadline, ret_error));
        return r;
}

/* Publishes what is on disk, and takes it off there. */
static int publish_bundle(Role *role, const Bundle *bundle, Error *ret_error)
{
        int r = is_whole(role, bundle) ? publish_whole(role, bundle, ret_error) : 0;

        return r < 0 ? r : folder_remove(role->root_fd, bundle->path, ret_error);
}

/* One set, from nothing to the store: what of that is done is not done again. */
static int provide_bundle(Role *role, const Pair *ca, int64_t number, Error *ret_error)
{
        Bundle bundle = describe_bundle(number);
        bool published = false;
        int r = 0;

        if (!is_on_disk(role, &bundle)) {
                r = is_published(role, &bundle, &published, ret_error);
                if (r < 0 || published)
                        return r;
                r = make_bundle(role, ca, &bundle, number > 0, ret_error);
        }
        return r < 0 ? r : publish_bundle(role, &bundle, ret_error);
}

static const Bundle control_bundle = {
        .path = PATH_CONTROL_SET, .files = {"control-service"}, .n_files = 1};

static int make_control_set(Role *role, const Pair *ca, Error *ret_error)
{
        _cleanup_(pair_done) Pair pair = {};
        Key *key;
        int r;

        if (is_whole(role, &control_bundle))
                return 0;
        r = role_take_key(role, KEY_RSA_4096, &key, ret_error);
        if (r == 0)
                r = flocker_make_control(ca,
                        role->instance.private_ip,
                        key,
                        clock_wall(role->clock),
                        &pair,
                        ret_error);
        return r < 0 ? r : write_pairs(role, &control_bundle, &pair, ret_error);
}

/* Control's own is at hand, in its set or where it is installed. */
static bool has_control_set(const Role *role)
{
        return is_whole(role, &control_bundle) ||
               files_are_there(role->root_fd,
                       (const char *const[]){PATH_FLOCKER "/control-service.key", NULL});
}

int step_flocker_certs_are_made(Role *role, bool *ret, Error *ret_error)
{
        int r = 0;

        *ret = has_control_set(role);
        for (int64_t n = 0; n <= role->settings->agents && r == 0 && *ret; n++) {
                Bundle bundle = describe_bundle(n);

                if (!is_on_disk(role, &bundle))
                        r = is_published(role, &bundle, ret, ret_error);
        }
        return r;
}

int step_make_flocker_certs(Role *role, Error *ret_error)
{
        _cleanup_(pair_done) Pair ca = {};
        int r;

        if (role_would(role,
                    "make and publish the Flocker sets of %" PRId64 " agent%s and the client, "
                    "as far as the store lacks them",
                    role->settings->agents,
                    role->settings->agents == 1 ? "" : "s"))
                return 0;
        r = load_ca(role, &ca, ret_error);
        for (int64_t n = 1; n <= role->settings->agents && r == 0; n++)
                r = provide_bundle(role, &ca, n, ret_error);
        if (r == 0)
                r = provide_bundle(role, &ca, 0, ret_error);
        if (r == 0 && !has_control_set(role))
                r = make_control_set(role, &ca, ret_error);
        return r;
}

int step_flocker_is_published(Role *role, bool *ret, Error *ret_error)
{
        (void)ret_error;
        *ret = true;
        for (int64_t n = 0; n <= role->settings->agents && *ret; n++) {
                Bundle bundle = describe_bundle(n);

                *ret = !is_on_disk(role, &bundle);
        }
        return 0;
}

/* Each set has left as it was made; here is what a kill has kept back. */
int step_publish_flocker(Role *role, Error *ret_error)
{
        int r = 0;

        if (role_would(role, "publish the Flocker sets that are on disk"))
                return 0;
        for (int64_t n = 0; n <= role->settings->agents && r == 0; n++) {
                Bundle bundle = describe_bundle(n);

                if (is_on_disk(role, &bundle))
                        r = publish_bundle(role, &bundle, ret_error);
        }
        return r;
}
