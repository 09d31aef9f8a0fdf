/* read-instance: who this machine is, and whether what it remembers is its own. */

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/text.h"
#include "roles/paths.h"
#include "roles/steps.h"

#include <errno.h>
#include <stdio.h>

#define RECORD_MAX      (16U * 1024U)
#define CLOCK_ERROR_MAX (5 * USEC_PER_MINUTE)

/* What a machine has of its own: an image made of it must not carry it over. */
static const char *const belongings[] = {
        PATH_DOCKER_CA,
        PATH_FLOCKER_CA,
        PATH_BUNDLES,
        PATH_MEMBERS,
        PATH_CLIENT_TLS,
        PATH_DOCKER_TLS,
        PATH_FLOCKER,
};

static int forget(Role *role, Error *ret_error)
{
        int r = 0;

        if (role_would(role,
                    "forget what '%s' left here: its certificates, keys and Swarm",
                    role->state.instance))
                return 0;
        role_say(role,
                ROLE_NOTE,
                "this machine was made of an image of %s: its certificates and keys are removed",
                role->state.instance);
        for (size_t i = 0; i < ELEMENTS(belongings) && r == 0; i++)
                r = folder_remove(role->root_fd, belongings[i], ret_error);
        role->state = (State){
                .pending = STATE_PENDING_DOCKER | STATE_PENDING_FLOCKER | STATE_PENDING_LEAVE,
        };
        return r;
}

/* Whose is the state, and of which settings? */
static int key_state(Role *role, Error *ret_error)
{
        const Settings *settings = role->settings;
        const char *handle = settings->signal ? secret_data(settings->signal) : "";
        char document_hex[DIGEST_SHA256_HEX], handle_hex[DIGEST_SHA256_HEX];
        State *state = &role->state;
        Digest digest;
        int r;

        r = digest_sha256(handle, settings->signal ? secret_size(settings->signal) : 0, &digest);
        if (r < 0)
                return error_set(ret_error, r, "cannot read the settings: %m");
        digest_format(&digest, handle_hex);
        digest_format(&settings->document_digest, document_hex);

        if (!text_equal(state->handle, handle_hex))
                state->signalled = false; /* a new handle: a new stack, or an update, waits */
        if (!text_equal(state->document, document_hex))
                state->complete = state->signalled = false;
        (void)text_put(state->handle, sizeof(state->handle), handle_hex);
        (void)text_put(state->document, sizeof(state->document), document_hex);
        return text_put(state->instance,
                       sizeof(state->instance),
                       role->instance.identity.instance_id) < 0
                       ? error_set(ret_error, -EPROTO, "cannot use this instance: its id is long")
                       : 0;
}

static int write_record(const Role *role, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(RECORD_MAX);
        _cleanup_(json_free) Json *json = json_new_object();
        const RoleInstance *instance = &role->instance;
        const char *const pairs[][2] = {
                {"instance", instance->identity.instance_id},
                {"role", role_kind_name((RoleKind)role->settings->role)},
                {"cluster", role->settings->cluster},
                {"store", role->settings->store},
                {"region", instance->identity.region},
                {"availability-zone", instance->identity.availability_zone},
                {"private-ip", instance->private_ip},
                {"public-ip", instance->public_ip},
                {"private-name", instance->local_name},
                {"public-name", instance->public_name},
        };
        bool changed;
        int r = json_set_int64(json, "version", 1);

        for (size_t i = 0; i < ELEMENTS(pairs) && r == 0; i++)
                if (pairs[i][1])
                        r = json_set_text(json, pairs[i][0], pairs[i][1]);
        if (r == 0)
                r = json_format(json, JSON_INDENTED, &text);
        if (r < 0)
                return error_set(ret_error, r, "cannot write '/" PATH_INSTANCE "': %m");
        return file_write_if_changed(role->root_fd,
                PATH_INSTANCE,
                buffer_text(&text),
                text.size,
                0644,
                &changed,
                ret_error);
}

/* Requests to AWS are signed by the service's time; what is certified here bears ours. */
static void check_clock(const Role *role)
{
        int64_t skew = metadata_skew(role->metadata);
        Usec apart = (Usec)(skew < 0 ? -skew : skew);
        char span[CLOCK_SPAN_MAX];

        if (apart >= CLOCK_ERROR_MAX)
                role_say(role,
                        ROLE_NOTE,
                        "this machine's clock is %s %s the metadata service's: others may take its "
                        "certificates for not valid yet, or expired; set it (169.254.169.123 has "
                        "the time)",
                        clock_format_span(apart, span),
                        skew < 0 ? "ahead of" : "behind");
}

/* Is the machine made of the image that its template was written for? */
static int check_image(const Role *role, Error *ret_error)
{
        static const char hint[] = "give the template the images that were built for it, or create "
                                   "it with the --image-version that they have";
        const char *wanted = role->settings->image_version, *found = NULL;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(RECORD_MAX);
        _cleanup_(json_free) Json *stamp = NULL;
        int r;

        if (!wanted)
                return 0;
        r = file_read(role->root_fd, PATH_IMAGE_STAMP, RECORD_MAX, &text, ret_error);
        if (r == -ENOENT)
                return error_set(ret_error,
                        -EDOM,
                        "cannot use this machine image: version %s is asked for, and it has no "
                        "stamp (/" PATH_IMAGE_STAMP "); %s",
                        wanted,
                        hint);
        if (r == 0)
                r = json_parse(
                        "/" PATH_IMAGE_STAMP, buffer_text(&text), text.size, &stamp, ret_error);
        if (r == 0)
                r = json_get_text(stamp, "/" PATH_IMAGE_STAMP, "version", &found, ret_error);
        if (r < 0 || text_equal(found, wanted))
                return r;
        return error_set(ret_error,
                -EDOM,
                "cannot use this machine image: version %s is asked for, its stamp says %.64s; %s",
                wanted,
                found,
                hint);
}

int step_read_instance(Role *role, Error *ret_error)
{
        const char *id;
        int r;

        r = role_read_instance(role, ret_error);
        if (r == 0)
                r = check_image(role, ret_error);
        if (r == 0)
                r = state_load(role->root_fd, &role->state, ret_error);
        if (r < 0)
                return r;
        check_clock(role);

        id = role->instance.identity.instance_id;
        if (role->state.instance[0] && !text_equal(role->state.instance, id))
                r = forget(role, ret_error);
        if (r == 0)
                r = key_state(role, ret_error);
        if (r < 0 || role->dry_run)
                return r;
        r = state_save(role->root_fd, &role->state, ret_error);
        return r < 0 ? r : write_record(role, ret_error);
}
