/* The Docker PKI on a machine: control makes the CA, and everyone mints from it. */

#include "base/text.h"
#include "certs/docker.h"
#include "roles/files.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#define CA_CERTIFICATE PATH_DOCKER_CA "/ca.pem"
#define CA_KEY         PATH_DOCKER_CA "/ca-key.pem"
#define MANIFEST       "docker/manifest.json"
#define RENEW_DAYS     73 /* a fifth of a leaf's 365 days */
#define NAMES_MAX      8U

static int load_own_ca(Role *role, Error *ret_error)
{
        if (role->docker_ca.key)
                return FILES_OK;
        pair_done(&role->docker_ca);
        return files_read_pair(role->root_fd, CA_CERTIFICATE, CA_KEY, &role->docker_ca, ret_error);
}

int step_docker_ca_is_made(Role *role, bool *ret, Error *ret_error)
{
        int r = load_own_ca(role, ret_error);

        if (r < 0)
                return r;
        *ret = r == FILES_OK;
        return 0;
}

static int write_ca(Role *role, const Pair *ca, Error *ret_error)
{
        _cleanup_(pair_text_done) PairText text = {};
        int r = files_format_pair(ca, &text, ret_error);

        if (r < 0)
                return r;
        const FileContent files[] = {
                FILE_OF_CERTIFICATE("ca.pem", &text),
                FILE_OF_SECRET("ca-key.pem", text.key),
        };
        return files_replace_folder(role, PATH_DOCKER_CA, files, ELEMENTS(files), NULL, ret_error);
}

int step_make_docker_ca(Role *role, Error *ret_error)
{
        const Settings *settings = role->settings;
        _cleanup_(pair_done) Pair ca = {};
        Key *key = NULL;
        int r;

        if (role_would(role, "make the Docker CA of '%s' (/" PATH_DOCKER_CA ")", settings->cluster))
                return 0;
        r = role_take_key(role, (KeyKind)settings->docker_key, &key, ret_error);
        if (r == 0)
                r = docker_make_authority(
                        settings->cluster, key, clock_wall(role->clock), &ca, ret_error);
        if (r == 0) /* on disk before anyone sees it: a kill in between must not make two */
                r = write_ca(role, &ca, ret_error);
        if (r < 0)
                return r;
        pair_done(&role->docker_ca);
        role->docker_ca = TAKE_STRUCT(ca);
        return 0;
}

/* The key may have been purged since: what is public of the set tells whose it is. */
int step_docker_ca_is_published(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(MANIFEST_SIZE_MAX);
        Manifest manifest;
        S3Store *store = NULL;
        int r;

        *ret = false;
        if (!role->state.complete) /* else it was published then, whatever has become of it since */
                return 0;
        r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = s3_store_get(store,
                        MANIFEST,
                        MANIFEST_SIZE_MAX,
                        role->step_deadline,
                        &text,
                        NULL,
                        ret_error);
        if (r == 0)
                r = manifest_parse(MANIFEST, buffer_text(&text), text.size, &manifest, ret_error);
        if (r < 0)
                return r;
        *ret = r == S3_OK && text_equal(manifest.writer, role->instance.identity.instance_id);
        return 0;
}

int step_publish_docker_ca(Role *role, Error *ret_error)
{
        _cleanup_(pair_text_done) PairText text = {};
        S3StorePublication publication = {
                .manifest = MANIFEST,
                .cluster = role->settings->cluster,
                .writer = role->instance.identity.instance_id,
        };
        const Pair *ca = NULL;
        S3Store *store = NULL;
        int r;

        if (role_would(role, "publish docker/ca.pem, docker/ca-key.pem and " MANIFEST))
                return 0;
        r = step_get_docker_ca(role, &ca, ret_error);
        if (r == 0)
                r = files_format_pair(ca, &text, ret_error);
        if (r == 0)
                r = role_get_store(role, &store, ret_error);
        if (r < 0)
                return r;

        const S3StoreObject objects[] = {
                {"docker/ca.pem", buffer_text(&text.certificate), text.certificate.size},
                {"docker/ca-key.pem", secret_data(text.key), secret_size(text.key)},
        };
        publication.objects = objects;
        publication.n_objects = ELEMENTS(objects);
        return role_fail(s3_store_publish(store, &publication, role->step_deadline, ret_error));
}

static int take_ca(Role *role, const S3StoreSet *set, Error *ret_error)
{
        const Secret *certificate = s3_store_set_get(set, "docker/ca.pem");
        const Secret *key = s3_store_set_get(set, "docker/ca-key.pem");
        _cleanup_(pair_done) Pair ca = {};
        int r;

        if (!certificate || !key)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot use the set of '" MANIFEST "': it lacks docker/ca.pem or "
                        "docker/ca-key.pem");
        r = certificate_parse("docker/ca.pem",
                secret_data(certificate),
                secret_size(certificate),
                &ca.certificate,
                ret_error);
        if (r == 0)
                r = key_parse("docker/ca-key.pem",
                        secret_data(key),
                        secret_size(key),
                        NULL,
                        &ca.key,
                        ret_error);
        if (r < 0)
                return r;
        role->docker_ca = TAKE_STRUCT(ca);
        return 0;
}

static int fetch_ca(Role *role, Error *ret_error)
{
        _cleanup_(s3_store_set_done) S3StoreSet set = {};
        S3Store *store = NULL;
        int r;

        r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = role_fail(s3_store_wait(
                        store, MANIFEST, role->deadline, role_is_waiting, role, &set, ret_error));
        return r < 0 ? r : take_ca(role, &set, ret_error);
}

/* One look, for who must not wait. What was purged is an object that the manifest names. */
static int find_published_ca(Role *role, bool *ret, Error *ret_error)
{
        _cleanup_(s3_store_set_done) S3StoreSet set = {};
        S3Store *store = NULL;
        int r;

        r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = s3_store_fetch(store, MANIFEST, role->step_deadline, &set, NULL, ret_error);
        *ret = r == 0;
        if (r > 0 || r == -EBADMSG)
                return 0;
        return r < 0 ? r : take_ca(role, &set, ret_error);
}

int step_find_docker_ca(Role *role, bool *ret, Error *ret_error)
{
        int r;

        *ret = role->docker_ca.key;
        if (*ret)
                return 0;
        if (role->settings->role != ROLE_CONTROL)
                return find_published_ca(role, ret, ret_error);
        r = load_own_ca(role, ret_error);
        *ret = r == FILES_OK;
        if (r == FILES_ABSENT)
                (void)error_set(ret_error, -ENOENT, "'/" CA_KEY "' is not there");
        return r < 0 ? r : 0;
}

int step_get_docker_ca(Role *role, const Pair **ret, Error *ret_error)
{
        int r = 0;

        if (!role->docker_ca.certificate)
                r = role->settings->role == ROLE_CONTROL ? load_own_ca(role, ret_error)
                                                         : fetch_ca(role, ret_error);
        if (r == FILES_ABSENT)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot use the Docker CA: '/" CA_CERTIFICATE
                        "' is not there (make-docker-ca makes it)");
        if (r < 0)
                return r;
        *ret = &role->docker_ca;
        return 0;
}

int step_fetch_docker_ca(Role *role, Error *ret_error)
{
        const Pair *ca = NULL;

        if (role_would(role, "wait for " MANIFEST " and fetch the Docker CA"))
                return 0;
        return step_get_docker_ca(role, &ca, ret_error);
}

/* All names under which this machine is reached; NULL-ended, borrowed. */
static void list_names(const Role *role, const struct utsname *host, const char *names[NAMES_MAX])
{
        const RoleInstance *instance = &role->instance;
        const char *const all[] = {
                instance->private_ip,
                instance->public_ip,
                instance->local_name,
                instance->public_name,
                certificate_check_name(host->nodename, NULL) == 0 ? host->nodename : NULL,
        };
        size_t count = 0;

        for (size_t i = 0; i < ELEMENTS(all); i++)
                if (all[i])
                        names[count++] = all[i];
        names[count] = NULL;
}

/* Is `name` in the certificate's SAN ("IP:10.0.0.1", "DNS:host")? */
static bool covers(const CertificateInfo *info, const char *name)
{
        for (size_t i = 0; i < CERTIFICATE_NAMES_MAX && info->names[i]; i++) {
                const char *colon = info->names[i] + (text_starts(info->names[i], "IP:") ? 3 : 4);

                if (text_equal_case(colon, name))
                        return true;
        }
        return false;
}

int step_find_uncovered(
        Role *role, const CertificateInfo *info, char ret[STEP_NAME_MAX], Error *ret_error)
{
        struct utsname host = {};
        const char *names[NAMES_MAX];
        int r = role_read_instance(role, ret_error);

        if (r < 0)
                return r;
        (void)uname(&host);
        list_names(role, &host, names);
        ret[0] = '\0';
        for (size_t i = 0; names[i] && !ret[0]; i++)
                if (!covers(info, names[i]))
                        (void)text_put(ret, STEP_NAME_MAX, names[i]);
        return 0;
}

/* A certificate that lacks something, or ends soon: is it to be minted anew? Where the authority's
 * key is gone, what still serves the members goes on. */
static int is_good_enough(Role *role,
        const char *certificate,
        const CertificateInfo *info,
        const char *lacking, /* "does not cover 10.0.0.1"; "": nothing */
        bool *ret,
        Error *ret_error)
{
        int64_t days = certificate_days_left(info->not_after, clock_wall(role->clock));
        int r;

        *ret = !lacking[0] && days >= RENEW_DAYS;
        if (*ret || role->settings->role == ROLE_CONTROL || days < 0 ||
                (lacking[0] && !covers(info, role->instance.private_ip)))
                return 0;
        r = step_find_docker_ca(role, ret, NULL);
        if (r < 0)
                return error_set(ret_error, r, "cannot look for the Docker CA's key: %m");
        *ret = !*ret;
        if (!*ret)
                return 0;
        role_say(role,
                ROLE_WARNING,
                "the certificate '/%s' %s (%d days left), and the Docker CA's key is not in the "
                "store: 'flocker-bootstrap renew' says what to do",
                certificate,
                lacking[0] ? lacking : "ends soon",
                (int)days);
        return 0;
}

/* Is the pair under `folder` what it should be, and not about to expire? */
static int is_minted(Role *role, const char *folder, bool named, bool *ret, Error *ret_error)
{
        _cleanup_(free) char *certificate = text_format("%s/cert.pem", folder);
        _cleanup_(free) char *key = text_format("%s/key.pem", folder);
        _cleanup_(free) char *authority = text_format("%s/ca.pem", folder);
        _cleanup_(pair_done) Pair pair = {}, ca = {};
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        char uncovered[STEP_NAME_MAX] = "", lacking[STEP_NAME_MAX + sizeof("does not cover ")] = "";
        int r;

        *ret = false;
        if (!certificate || !key || !authority)
                return error_set(ret_error, -ENOMEM, "cannot look at '/%s': %m", folder);
        r = files_read_pair(role->root_fd, certificate, key, &pair, NULL);
        if (r == 0)
                r = files_read_pair(role->root_fd, authority, NULL, &ca, NULL);
        if (r != 0) /* missing or damaged: to be made */
                return 0;
        if (role->settings->role == ROLE_CONTROL && load_own_ca(role, NULL) == FILES_OK) {
                pair_done(&ca);
                ca.certificate = certificate_ref(role->docker_ca.certificate);
        }
        if (certificate_check_issued(pair.certificate, ca.certificate, NULL) < 0)
                return 0;
        r = certificate_examine(pair.certificate, &info, ret_error);
        if (r == 0 && named)
                r = step_find_uncovered(role, &info, uncovered, ret_error);
        if (r < 0)
                return r;
        if (!key_is(pair.key, (KeyKind)role->settings->docker_key))
                (void)text_put(lacking, sizeof(lacking), "has not the key that docker-key says");
        if (uncovered[0])
                (void)snprintf(lacking, sizeof(lacking), "does not cover %s", uncovered);
        return is_good_enough(role, certificate, &info, lacking, ret, ret_error);
}

int step_docker_cert_is_minted(Role *role, bool *ret, Error *ret_error)
{
        return is_minted(role, PATH_DOCKER_TLS, true, ret, ret_error);
}

int step_client_cert_is_minted(Role *role, bool *ret, Error *ret_error)
{
        return is_minted(role, PATH_CLIENT_TLS, false, ret, ret_error);
}

/* ca.pem, cert.pem and key.pem, as Docker wants to find them. */
static int write_tls(
        Role *role, const char *folder, const Pair *ca, const Pair *pair, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer authority = BUFFER_INIT(CERTIFICATE_PEM_MAX);
        _cleanup_(pair_text_done) PairText text = {};
        int r;

        r = certificate_format(ca->certificate, &authority, ret_error);
        if (r == 0)
                r = files_format_pair(pair, &text, ret_error);
        if (r < 0)
                return r;
        const FileContent files[] = {
                {"ca.pem", buffer_text(&authority), authority.size, 0644},
                FILE_OF_CERTIFICATE("cert.pem", &text),
                FILE_OF_SECRET("key.pem", text.key),
        };
        return files_replace_folder(role, folder, files, ELEMENTS(files), NULL, ret_error);
}

/* The CA with its key, and a fresh key to certify. */
static int begin_minting(Role *role, const Pair **ret_ca, Key **ret_key, Error *ret_error)
{
        int r = step_get_docker_ca(role, ret_ca, ret_error);

        return r < 0 ? r
                     : role_take_key(role, (KeyKind)role->settings->docker_key, ret_key, ret_error);
}

int step_mint_docker_cert(Role *role, Error *ret_error)
{
        _cleanup_(pair_done) Pair pair = {};
        struct utsname host = {};
        const char *names[NAMES_MAX];
        const Pair *ca = NULL;
        Key *key = NULL;
        int r;

        r = role_read_instance(role, ret_error);
        if (r < 0)
                return r;
        (void)uname(&host);
        list_names(role, &host, names);
        if (role_would(role,
                    "mint a certificate for %s and %s%s, in /" PATH_DOCKER_TLS,
                    names[0],
                    host.nodename,
                    role->instance.public_ip ? ", its public address too" : ""))
                return 0;

        r = begin_minting(role, &ca, &key, ret_error);
        if (r == 0)
                r = docker_make_node(ca, names, key, clock_wall(role->clock), &pair, ret_error);
        if (r == 0)
                r = role_set_pending(role, STATE_PENDING_DOCKER, true, ret_error);
        return r < 0 ? r : write_tls(role, PATH_DOCKER_TLS, ca, &pair, ret_error);
}

int step_mint_client_cert(Role *role, Error *ret_error)
{
        _cleanup_(pair_done) Pair pair = {};
        const Pair *ca = NULL;
        Key *key = NULL;
        int r;

        if (role_would(role, "mint a client certificate, in /" PATH_CLIENT_TLS))
                return 0;
        r = begin_minting(role, &ca, &key, ret_error);
        if (r == 0)
                r = docker_make_client(ca, key, clock_wall(role->clock), &pair, ret_error);
        return r < 0 ? r : write_tls(role, PATH_CLIENT_TLS, ca, &pair, ret_error);
}
