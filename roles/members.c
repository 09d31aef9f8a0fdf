#include "roles/members.h"

#include "base/json.h"
#include "base/retry.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATUS_MAX  4096U
#define ENDING      "/signalled.json"
#define PREFIX      "status/"
#define MISSING_MAX 200U

/* Who is known, by node number: control is 0. */
typedef struct Roster {
        Role *role;
        S3Store *store;
        char *addresses[SETTINGS_AGENTS_MAX + 1]; /* NULL: has not signalled */
        char **seen;                              /* the objects that were read, NULL-ended */
        size_t n_seen;
} Roster;

static void roster_done(Roster *roster)
{
        for (size_t i = 0; i < ELEMENTS(roster->addresses); i++)
                free(roster->addresses[i]);
        for (size_t i = 0; i < roster->n_seen; i++)
                free(roster->seen[i]);
        free(roster->seen);
}
DEFINE_CLEANUP_IN_PLACE(Roster, roster_done);

int members_announce(Role *role, Error *ret_error)
{
        const RoleInstance *instance = &role->instance;
        const Settings *settings = role->settings;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STATUS_MAX);
        _cleanup_(json_free) Json *json = json_new_object();
        _cleanup_(free) char *name =
                text_format(PREFIX "%s" ENDING, instance->identity.instance_id);
        char time[CLOCK_UTC_MAX];
        int r;

        clock_format_utc(clock_wall(role->clock), time);
        r = json_set_text(json, "role", role_kind_name((RoleKind)settings->role));
        if (r == 0 && settings->role != ROLE_CLIENT)
                r = json_set_int64(
                        json, "node", settings->role == ROLE_CONTROL ? 0 : settings->node);
        if (r == 0)
                r = json_set_text(json, "instance", instance->identity.instance_id);
        if (r == 0)
                r = json_set_text(json, "address", instance->private_ip);
        if (r == 0)
                r = json_set_text(json, "time", time);
        if (r == 0)
                r = json_format(json, JSON_INDENTED, &text);
        if (r < 0 || !name)
                return error_set(ret_error, -ENOMEM, "cannot write this machine's status: %m");

        return role_put_json(role, name, &text, role->deadline, ret_error);
}

static bool was_seen(const Roster *roster, const char *name)
{
        for (size_t i = 0; i < roster->n_seen; i++)
                if (text_equal(roster->seen[i], name))
                        return true;
        return false;
}

static int remember(Roster *roster, const char *name)
{
        char **seen = reallocarray(roster->seen, roster->n_seen + 1, sizeof(*seen));

        if (!seen)
                return -ENOMEM;
        roster->seen = seen;
        seen[roster->n_seen] = text_copy(name);
        return seen[roster->n_seen++] ? 0 : -ENOMEM;
}

static int take_status(Roster *roster, const Json *json, const char *name, Error *ret_error)
{
        const char *kind = NULL, *address = NULL;
        int64_t node = 0;
        int r;

        r = json_get_text(json, name, "role", &kind, ret_error);
        if (r < 0 || text_equal(kind, "client"))
                return r;
        r = json_get_int64(json, name, "node", 0, SETTINGS_AGENTS_MAX, &node, ret_error);
        if (r == 0)
                r = json_get_text(json, name, "address", &address, ret_error);
        if (r < 0)
                return r;
        free(roster->addresses[node]); /* a machine that was replaced: the later one counts */
        roster->addresses[node] = text_copy(address);
        return roster->addresses[node] ? 0 : -ENOMEM;
}

static int visit_status(const S3Listed *listed, void *userdata, Error *ret_error)
{
        Roster *roster = userdata;
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(STATUS_MAX);
        _cleanup_(json_free) Json *json = NULL;
        int r;

        if (!text_ends(listed->key, ENDING) || was_seen(roster, listed->key))
                return 0;
        r = s3_store_get(roster->store,
                listed->key,
                STATUS_MAX,
                roster->role->deadline,
                &text,
                NULL,
                ret_error);
        if (r == 0)
                r = json_parse(listed->key, buffer_text(&text), text.size, &json, ret_error);
        if (r == 0)
                r = take_status(roster, json, listed->key, ret_error);
        if (r == 0)
                r = remember(roster, listed->key);
        return role_fail(r);
}

/* "control, agent 2": who of the first `count` numbers is missing; "" for none. */
static const char *name_missing(const Roster *roster, size_t count, char place[MISSING_MAX])
{
        size_t used = 0;

        place[0] = '\0';
        for (size_t n = 0; n < count && used < MISSING_MAX - 1; n++) {
                int length;

                if (roster->addresses[n])
                        continue;
                length = n == 0 ? snprintf(place, MISSING_MAX, "control")
                                : snprintf(place + used,
                                          MISSING_MAX - used,
                                          "%sagent %zu",
                                          used > 0 ? ", " : "",
                                          n);
                used += length > 0 ? (size_t)length : 0;
        }
        return place;
}

/* Polls until the first `count` nodes have signalled. */
static int wait_for(Role *role, size_t count, Roster *roster, Error *ret_error)
{
        RetryPolicy policy = s3_store_poll_policy((unsigned)role->settings->agents + 2);
        Retry retry = RETRY_INIT(&policy, role->clock, role->random, role->deadline);
        char missing[MISSING_MAX], said[MISSING_MAX] = "";
        int r;

        roster->role = role;
        r = role_get_store(role, &roster->store, ret_error);
        if (r < 0)
                return r;
        for (;;) {
                r = s3_store_list(
                        roster->store, PREFIX, role->deadline, visit_status, roster, ret_error);
                if (r != 0)
                        return role_fail(r);
                if (text_is_empty(name_missing(roster, count, missing)))
                        return 0;
                if (!text_equal(missing, said))
                        role_say(role, ROLE_WAITING, "the signal of %s", missing);
                (void)text_put(said, sizeof(said), missing);
                if (retry_wait(&retry, RETRY_NOT_YET, 0) != RETRY_AGAIN)
                        return error_set(ret_error,
                                -ETIMEDOUT,
                                "cannot go on without %s: no signal of theirs by the deadline; "
                                "their own console output or the stack's events say why",
                                missing);
        }
}

int members_wait(Role *role, bool all, char **ret_control, Error *ret_error)
{
        _cleanup_(roster_done) Roster roster = {};
        size_t count = all ? (size_t)role->settings->agents + 1 : 1;
        int r = wait_for(role, count, &roster, ret_error);

        if (r == 0)
                *ret_control = TAKE_PTR(roster.addresses[0]);
        return r;
}
