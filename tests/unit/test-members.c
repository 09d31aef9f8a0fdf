/* Who has signalled, as the client waits for it: an agent that is ten minutes late, in no time. */

#include "roles/members.h"
#include "roles/role.h"
#include "tests/unit/scripted-session.h"

#define LATE (10 * USEC_PER_MINUTE)

typedef struct Fixture {
        ScriptedSession base;
        Usec began;
        Usec late; /* the agent signals then; USEC_INFINITY: never */
        Role role;
        Settings settings;
        char *control;
        char said[256]; /* what was waited for, last */
        unsigned notes;
} Fixture;

static Usec passed(const Fixture *fixture)
{
        return fixture->base.clock.now - fixture->began;
}

/* status/i-control and, in time, status/i-agent. */
static void script(ScriptedServer *server, const char *head, Buffer *answer)
{
        Fixture *fixture = server->userdata;
        bool agent = passed(fixture) >= fixture->late;

        if (text_starts(head, "GET /bucket/?"))
                scripted_answer(answer,
                        200,
                        "",
                        agent ? "<R><IsTruncated>false</IsTruncated>"
                                "<Contents><Key>x/status/i-agent/signalled.json</Key><Size>9</Size>"
                                "</Contents>"
                                "<Contents><Key>x/status/i-control/signalled.json</Key><Size>9"
                                "</Size></Contents></R>"
                              : "<R><IsTruncated>false</IsTruncated>"
                                "<Contents><Key>x/status/i-agent/evidence.json</Key><Size>9</Size>"
                                "</Contents>"
                                "<Contents><Key>x/status/i-control/signalled.json</Key><Size>9"
                                "</Size></Contents></R>");
        else if (text_starts(head, "GET /bucket/x/status/i-control/signalled.json"))
                scripted_answer(answer,
                        200,
                        "",
                        "{\"role\": \"control\", \"node\": 0, \"address\": \"10.0.0.1\"}");
        else if (agent && text_starts(head, "GET /bucket/x/status/i-agent/signalled.json"))
                scripted_answer(answer,
                        200,
                        "",
                        "{\"role\": \"agent\", \"node\": 1, \"address\": \"10.0.0.2\"}");
        else
                scripted_refuse(answer, 404, "", "NoSuchKey");
}

static void say(RoleNote note, const char *text, void *userdata)
{
        Fixture *fixture = userdata;

        assert_int_equal(note, ROLE_WAITING);
        (void)text_put(fixture->said, sizeof(fixture->said), text);
        fixture->notes++;
}

static int set_up(void **state)
{
        return (*state = calloc(1, sizeof(Fixture))) ? 0 : -1;
}

static int tear_down(void **state)
{
        Fixture *fixture = *state;

        fixture->role.store = s3_store_free(fixture->role.store);
        scripted_session_stop(&fixture->base);
        free(fixture->control);
        free(fixture);
        return 0;
}

static void begin(Fixture *fixture, Usec late, Usec deadline)
{
        scripted_session_start(&fixture->base, script, fixture);
        fixture->late = late;
        fixture->began = fixture->base.clock.now;
        fixture->settings = (Settings){.role = ROLE_CLIENT, .agents = 1};
        fixture->role = (Role){
                .settings = &fixture->settings,
                .clock = &fixture->base.clock.clock,
                .random = &fixture->base.random,
                .deadline = clock_deadline(&fixture->base.clock.clock, deadline),
                .say = say,
                .say_userdata = fixture,
        };
        assert_int_equal(s3_store_new(
                                 &(S3StoreOptions){
                                         .session = fixture->base.session,
                                         .url = "s3://bucket/x",
                                         .endpoint = {.override = fixture->base.server.url},
                                         .nodes = 3,
                                 },
                                 &fixture->role.store,
                                 &fixture->base.error),
                0);
}

static void an_agent_that_is_ten_minutes_late_is_waited_for(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, LATE, USEC_PER_HOUR);
        assert_int_equal(
                members_wait(&fixture->role, true, &fixture->control, &fixture->base.error), 0);
        assert_string_equal(fixture->control, "10.0.0.1");
        assert_in_range(passed(fixture), LATE, LATE + 2 * USEC_PER_SEC);
        assert_string_equal(fixture->said, "the signal of agent 1");
        assert_int_equal(fixture->notes, 1);
        assert_in_range(fixture->base.server.n_seen, 600, 1300);
}

static void control_alone_is_not_waited_for_longer(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, LATE, USEC_PER_HOUR);
        assert_int_equal(
                members_wait(&fixture->role, false, &fixture->control, &fixture->base.error), 0);
        assert_string_equal(fixture->control, "10.0.0.1");
        assert_int_equal(passed(fixture), 0);
        assert_int_equal(fixture->notes, 0);
}

static void one_that_never_signals_is_named_at_the_deadline(void **state)
{
        Fixture *fixture = *state;

        begin(fixture, USEC_INFINITY, LATE);
        assert_int_equal(
                members_wait(&fixture->role, true, &fixture->control, &fixture->base.error),
                -ETIMEDOUT);
        assert_in_range(passed(fixture), LATE - 2 * USEC_PER_SEC, LATE);
        assert_says(&fixture->base.error, "cannot go on without agent 1: no signal of theirs");
        assert_null(fixture->control);
}

TESTS_MAIN(cmocka_unit_test_setup_teardown(
                   an_agent_that_is_ten_minutes_late_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_alone_is_not_waited_for_longer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
                one_that_never_signals_is_named_at_the_deadline, set_up, tear_down))
