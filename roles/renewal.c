#include "roles/renewal.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/text.h"
#include "roles/files.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define EARLIEST  50U /* % of a certificate's life */
#define LATEST    80U
#define LEAF_DAYS 365
#define BACK_TIME (60 * USEC_PER_SEC) /* to bring the engine back with the old certificate */

/* The three files of a certificate, as they were. */
typedef struct Kept {
        Buffer authority, certificate, key;
} Kept;

#define KEPT_INIT                                                \
        ((Kept){.authority = BUFFER_INIT(CERTIFICATE_PEM_MAX),   \
                .certificate = BUFFER_INIT(CERTIFICATE_PEM_MAX), \
                .key = BUFFER_INIT(KEY_PEM_MAX)})

static void kept_done(Kept *kept)
{
        buffer_done(&kept->authority);
        buffer_done(&kept->certificate);
        buffer_done(&kept->key);
}
DEFINE_CLEANUP_IN_PLACE(Kept, kept_done);

static bool is_client(const Role *role)
{
        return role->settings->role == ROLE_CLIENT;
}

#define FOLDER(role)        (is_client(role) ? PATH_CLIENT_TLS : PATH_DOCKER_TLS)
#define FILE_IN(role, name) (is_client(role) ? PATH_CLIENT_TLS "/" name : PATH_DOCKER_TLS "/" name)

int renewal_due(const CertificateInfo *info, Usec *ret)
{
        Usec life = info->not_after - info->not_before;
        Digest digest;
        unsigned chance;
        int r = digest_sha256(info->fingerprint, strlen(info->fingerprint), &digest);

        if (r < 0)
                return r;
        chance = (unsigned)digest.bytes[0] << 8 | digest.bytes[1];
        *ret = info->not_before + life / 100 * EARLIEST +
               life / 100 * (LATEST - EARLIEST) / 0x10000 * chance;
        return 0;
}

/* --- what is there --- */

static int read_pair(const Role *role, Pair *ret, Error *ret_error)
{
        const char *certificate = FILE_IN(role, "cert.pem");
        int r = files_read_pair(
                role->root_fd, certificate, FILE_IN(role, "key.pem"), ret, ret_error);

        if (r == FILES_ABSENT)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot renew '/%s': it is not there; flocker-bootstrap run makes it",
                        certificate);
        return r;
}

/* An image's certificate is not this machine's to renew: a run replaces it. */
static int check_own(Role *role, Error *ret_error)
{
        int r = role_read_instance(role, ret_error);

        if (r == 0)
                r = state_load(role->root_fd, &role->state, ret_error);
        if (r < 0 || text_equal(role->state.instance, role->instance.identity.instance_id))
                return r;
        return error_set(ret_error,
                -ENOENT,
                "cannot renew '/%s': this machine (%s) has not been bootstrapped; "
                "flocker-bootstrap run does that",
                FILE_IN(role, "cert.pem"),
                role->instance.identity.instance_id);
}

static int look(Role *role, Pair *ret_pair, Renewal *ret, Error *ret_error)
{
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        Renewal renewal = {.path = FILE_IN(role, "cert.pem")};
        int r = check_own(role, ret_error);

        if (r == 0)
                r = read_pair(role, ret_pair, ret_error);
        if (r == 0)
                r = certificate_examine(ret_pair->certificate, &info, ret_error);
        if (r == 0 && !is_client(role))
                r = step_find_uncovered(role, &info, renewal.uncovered, ret_error);
        if (r < 0)
                return r;
        renewal.days = certificate_days_left(info.not_after, clock_wall(role->clock));
        r = renewal_due(&info, &renewal.due);
        if (r < 0)
                return error_set(ret_error, r, "cannot look at '/%s': %m", renewal.path);
        *ret = renewal;
        return 0;
}

/* --- the authority --- */

static int check_authority(Role *role, const Pair *pair, Error *ret_error)
{
        _cleanup_(certificate_info_done) CertificateInfo info = {};
        Error cause = ERROR_INIT;
        int64_t days;
        int r = certificate_check_issued(pair->certificate, role->docker_ca.certificate, &cause);

        if (r < 0)
                return error_set(ret_error,
                        r,
                        "cannot renew '/%s' by the Docker CA at hand: %s; is it another cluster's?",
                        FILE_IN(role, "cert.pem"),
                        cause.text);
        r = certificate_examine(role->docker_ca.certificate, &info, ret_error);
        if (r < 0)
                return r;
        days = certificate_days_left(info.not_after, clock_wall(role->clock));
        if (days < LEAF_DAYS)
                role_say(role,
                        ROLE_WARNING,
                        "the Docker CA itself ends in %" PRId64
                        " days: what it certifies ends with it; make the cluster anew before",
                        days);
        return 0;
}

/* --- there and back --- */

static int keep(const Role *role, Kept *ret, Error *ret_error)
{
        int r = file_read(role->root_fd,
                FILE_IN(role, "ca.pem"),
                CERTIFICATE_PEM_MAX,
                &ret->authority,
                ret_error);

        if (r == 0)
                r = file_read(role->root_fd,
                        FILE_IN(role, "cert.pem"),
                        CERTIFICATE_PEM_MAX,
                        &ret->certificate,
                        ret_error);
        if (r == 0)
                r = file_read(
                        role->root_fd, FILE_IN(role, "key.pem"), KEY_PEM_MAX, &ret->key, ret_error);
        return r;
}

/* What was written is what is there, fits together, and holds before the authority. */
static int prove(const Role *role, Error *ret_error)
{
        _cleanup_(pair_done) Pair pair = {};
        int r = read_pair(role, &pair, ret_error);

        return r < 0 ? r
                     : certificate_verify(pair.certificate,
                               role->docker_ca.certificate,
                               true,
                               clock_wall(role->clock),
                               ret_error);
}

/* The classic manager's container has the folder that was replaced. */
static int restart_manager(Role *role, Error *ret_error)
{
        SwarmMode mode;
        int r;

        if (role->settings->role != ROLE_CONTROL)
                return 0;
        r = role_get_swarm_mode(role, &mode, ret_error);
        return r < 0 || mode != SWARM_CLASSIC ? r : step_start_swarm(role, ret_error);
}

static int renew_engine(Role *role, Error *ret_error)
{
        int r = step_mint_docker_cert(role, ret_error);

        if (r == 0)
                r = prove(role, ret_error);
        if (r == 0)
                r = step_configure_docker(role, ret_error);
        if (r == 0)
                r = restart_manager(role, ret_error);
        return r < 0 ? r : step_verify_node(role, ret_error);
}

static int renew_client(Role *role, Error *ret_error)
{
        int r = step_mint_client_cert(role, ret_error);

        if (r == 0)
                r = prove(role, ret_error);
        return r < 0 ? r : step_install_client_tls(role, ret_error);
}

static int put_back(Role *role, const Kept *kept, Error *ret_error)
{
        const FileContent files[] = {
                {"ca.pem", buffer_text(&kept->authority), kept->authority.size, 0644},
                {"cert.pem", buffer_text(&kept->certificate), kept->certificate.size, 0644},
                {"key.pem", buffer_text(&kept->key), kept->key.size, 0600},
        };
        int r = files_replace_folder(role, FOLDER(role), files, ELEMENTS(files), NULL, ret_error);

        role->deadline = role->step_deadline = clock_deadline(role->clock, BACK_TIME);
        if (r < 0)
                return r;
        if (is_client(role))
                return step_install_client_tls(role, ret_error);
        r = role_set_pending(role, STATE_PENDING_DOCKER, true, ret_error);
        if (r == 0)
                r = step_configure_docker(role, ret_error);
        return r < 0 ? r : restart_manager(role, ret_error);
}

static int renew(Role *role, const Renewal *renewal, Error *ret_error)
{
        _cleanup_(kept_done) Kept kept = KEPT_INIT;
        Error back = ERROR_INIT;
        int r = keep(role, &kept, ret_error);

        if (r < 0)
                return r;
        r = is_client(role) ? renew_client(role, ret_error) : renew_engine(role, ret_error);
        if (r == 0)
                return 0;
        if (put_back(role, &kept, &back) < 0)
                return error_append(
                        ret_error, r, "; the old certificate could not be put back: %s", back.text);
        return error_append(ret_error,
                r,
                "; the old certificate is in use again (%" PRId64 " days left)",
                renewal->days);
}

int renewal_run(Role *role, bool now, Renewal *ret, Error *ret_error)
{
        _cleanup_(pair_done) Pair pair = {};
        bool found;
        int r = look(role, &pair, ret, ret_error);

        if (r < 0)
                return r;
        if (!now && !ret->uncovered[0] && clock_wall(role->clock) < ret->due)
                return RENEWAL_NOT_DUE;
        r = step_find_docker_ca(role, &found, &ret->why);
        if (r < 0 && ret_error)
                *ret_error = ret->why;
        if (r < 0)
                return r;
        if (!found)
                return RENEWAL_IMPOSSIBLE;
        r = check_authority(role, &pair, ret_error);
        if (r < 0 || role_would(role,
                             "renew '/%s'%s",
                             ret->path,
                             is_client(role) ? "" : ", and restart docker.service"))
                return r;
        return renew(role, ret, ret_error);
}
