/* purge-secrets and signal: the end of a role. */

#include "base/text.h"
#include "roles/members.h"
#include "roles/steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int step_purge_secrets(Role *role, Error *ret_error)
{
        size_t deleted;
        S3Store *store;
        int r;

        if (role->settings->keep_secrets) {
                role_say(role,
                        ROLE_NOTE,
                        "private material stays in the store, as keep-secrets says");
                return 0;
        }
        if (role_would(role, "delete the private material in %s", role->settings->store))
                return 0;
        r = role_get_store(role, &store, ret_error);
        if (r == 0)
                r = role_fail(s3_store_purge(store, role->step_deadline, &deleted, ret_error));
        if (r == 0)
                role_say(role, ROLE_NOTE, "%zu private objects deleted from the store", deleted);
        return r;
}

int step_is_signalled(Role *role, bool *ret, Error *ret_error)
{
        (void)ret_error;
        *ret = role->state.signalled;
        return 0;
}

/* What the stack's console shows of this machine. */
static char *describe(const Role *role)
{
        const char *kind = role_kind_name((RoleKind)role->settings->role);

        return role->settings->role == ROLE_AGENT
                       ? text_format("%s %" PRId64 " at %s",
                                 kind,
                                 role->settings->node,
                                 role->instance.private_ip)
                       : text_format("%s at %s", kind, role->instance.private_ip);
}

static int send_success(Role *role, Error *ret_error)
{
        _cleanup_(free) char *data = describe(role);
        Signal signal = {
                .status = SIGNAL_SUCCESS,
                .unique_id = role->instance.identity.instance_id,
                .reason = "bootstrapped and verified",
                .data = data,
        };
        Error note = ERROR_INIT;
        int r;

        if (!data)
                return error_set(ret_error, -ENOMEM, "cannot signal: %m");
        r = signal_send(role->http,
                role->clock,
                role->random,
                role->settings->signal,
                &signal,
                role->deadline,
                &note);
        if (r == SIGNAL_REFUSED) {
                role_say(role, ROLE_NOTE, "the signal of success was refused: %s", note.text);
                return 0;
        }
        if (r < 0 && ret_error)
                *ret_error = note;
        return r;
}

/* The marker is last: a kill in between sends the same signal again, which counts once. */
int step_signal(Role *role, Error *ret_error)
{
        int r = 0;

        if (role_would(role,
                    role->settings->signal ? "signal SUCCESS to CloudFormation"
                                           : "signal nobody: there is no wait condition handle"))
                return 0;
        if (role->settings->signal)
                r = send_success(role, ret_error);
        else
                role_say(role, ROLE_NOTE, "nobody is signalled: the settings have no 'signal'");
        if (r == 0)
                r = members_announce(role, ret_error);
        if (r < 0)
                return r;
        role->state.signalled = true;
        return state_save(role->root_fd, &role->state, ret_error);
}
