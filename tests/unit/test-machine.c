/* What is pure of host/: the engine's configuration, the users of a
 * passwd file, jobs that wait for each other, what a unit said. */

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "host/engine-config.h"
#include "host/job-queue.h"
#include "host/unit-words.h"
#include "host/users.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const EngineConfig config = {
        .port = 2376,
        .tls = "/etc/docker/tls",
        .label = "flocker-node",
        .label_value = "3",
        .swarm_mode = true,
};

static int merge(const EngineConfig *wanted, const char *text, Buffer *ret, Error *ret_error)
{
        return engine_config_merge("daemon.json", text, strlen(text), wanted, ret, ret_error);
}

static void our_keys_are_set_and_all_else_stays(void **state)
{
        _cleanup_(buffer_done) Buffer found = BUFFER_INIT(ENGINE_CONFIG_MAX),
                                      again = BUFFER_INIT(ENGINE_CONFIG_MAX);
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(
                merge(&config,
                        "{\"log-driver\": \"journald\", \"labels\": [\"flocker-node=9\", \"a=b\"], "
                        "\"hosts\": [\"fd://\", \"tcp://0.0.0.0:2375\"]}",
                        &found,
                        &error),
                0);
        assert_non_null(strstr(buffer_text(&found), "\"log-driver\": \"journald\""));
        assert_non_null(strstr(buffer_text(&found), "\"a=b\",\n    \"flocker-node=3\""));
        assert_null(strstr(buffer_text(&found), "flocker-node=9"));
        assert_non_null(strstr(buffer_text(&found),
                "\"unix:///var/run/docker.sock\",\n    \"tcp://0.0.0.0:2376\""));
        assert_non_null(strstr(buffer_text(&found), "\"tlskey\": \"/etc/docker/tls/key.pem\""));
        assert_int_equal(merge(&config, buffer_text(&found), &again, &error), 0);
        assert_string_equal(buffer_text(&found), buffer_text(&again));
}

static void a_socket_that_is_activated_is_served(void **state)
{
        _cleanup_(buffer_done) Buffer found = BUFFER_INIT(ENGINE_CONFIG_MAX);
        EngineConfig activated = config;
        Error error = ERROR_INIT;

        (void)state;
        activated.socket_activated = true;
        assert_int_equal(merge(&activated, "", &found, &error), 0);
        assert_non_null(strstr(buffer_text(&found), "\"fd://\""));
        assert_null(strstr(buffer_text(&found), "unix://"));
}

static void what_stands_against_it_is_named(void **state)
{
        static const struct {
                const char *text, *sentence;
                int code;
        } cases[] = {
                {"{\"live-restore\": true}",
                        "its live-restore is true, and the engine's swarm mode forbids that",
                        -EDOM},
                {"{\"tls\": false}", "its tls is false, and true is wanted", -EDOM},
                {"{\"tlscert\": \"/x\"}",
                        "its tlscert is \"/x\", and /etc/docker/tls/cert.pem is wanted",
                        -EDOM},
                {"{\"hosts\": [\"tcp://10.0.0.1:99\"]}",
                        "its hosts is [\"tcp://10.0.0.1:99\"]",
                        -EDOM},
                {"[]", "expected a JSON object", -EBADMSG},
                {"{\"a\": 1,}", "line 1", -EBADMSG},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(buffer_done) Buffer found = BUFFER_INIT(ENGINE_CONFIG_MAX);
                Error error = ERROR_INIT;

                assert_int_equal(merge(&config, cases[i].text, &found, &error), cases[i].code);
                assert_says(&error, cases[i].sentence);
                assert_int_equal(found.size, 0);
        }
}

static void the_drop_in_is_the_command_less_its_hosts(void **state)
{
        static const char *const arguments[] = {"/usr/sbin/dockerd",
                "-H",
                "fd://",
                "-Htcp://x",
                "--host=unix://y",
                "--host",
                "z",
                "--containerd=/run/c",
                "$DOCKER_OPTS",
                "with blank",
                "50%",
                "quo\"te",
                NULL};
        _cleanup_(buffer_done) Buffer found = BUFFER_INIT(ENGINE_CONFIG_MAX);
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(engine_config_drop_in(arguments, &found, &error), 0);
        assert_non_null(strstr(buffer_text(&found),
                "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd --containerd=/run/c "
                "$DOCKER_OPTS "
                "\"with blank\" 50%% \"quo\\\"te\"\n"));
}

/* A folder with this passwd, as a root. */
static int root_with(const char *passwd)
{
        char path[] = "/tmp/test-machine.XXXXXX";
        int fd;

        assert_non_null(mkdtemp(path));
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(mkdirat(fd, "etc", 0755), 0);
        assert_int_equal(
                file_write_atomic(fd, "etc/passwd", passwd, strlen(passwd), 0644, NULL), 0);
        return fd;
}

static void root_gone(int fd)
{
        char path[64], link[64];
        ssize_t length;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        length = readlink(link, path, sizeof(path) - 1);
        assert_true(length > 0);
        path[length] = '\0';
        assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
        assert_int_equal(unlinkat(fd, "etc", AT_REMOVEDIR), 0);
        assert_int_equal(rmdir(path), 0);
        (void)close(fd);
}

static void people_are_found_in_passwd(void **state)
{
        int fd = root_with("root:x:0:0:root:/root:/bin/bash\n"
                           "broken line\n"
                           "nobody:x:65534:65534::/nonexistent:/bin/false\n"
                           "second:x:1001:1001:,,,:/home/second:/bin/sh\n"
                           "first:x:1000:100::/home/first:/bin/sh\n");
        _cleanup_(user_done) User login = {}, second = {}, none = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(users_find(fd, NULL, &login, &error), 0);
        assert_string_equal(login.name, "first");
        assert_string_equal(login.home, "/home/first");
        assert_int_equal(login.gid, 100);
        assert_int_equal(users_find(fd, "second", &second, &error), 0);
        assert_int_equal(second.uid, 1001);
        assert_int_equal(users_find(fd, "third", &none, &error), -ENOENT);
        assert_says(&error, "cannot find the user 'third': /etc/passwd has none of that name");
        root_gone(fd);
}

static void a_machine_may_have_root_alone(void **state)
{
        int fd = root_with("root:x:0:0:root:/root:/bin/bash\n");
        _cleanup_(user_done) User user = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(users_find(fd, NULL, &user, &error), -ENOENT);
        assert_says(&error, "cannot find a login user");
        root_gone(fd);
}

/* "a>b c;b>d": a is ordered after b and c, b after d. */
static void visit_order(const char *unit, JobQueueVisit visit, void *visit_userdata, void *userdata)
{
        const char *order = userdata, *at = strstr(order, unit);
        char name[2] = "";

        assert_int_equal(strlen(unit), 1);
        while (at && at[1] != '>')
                at = strstr(at + 1, unit);
        for (at = at ? at + 2 : ""; *at && *at != ';'; at++) {
                name[0] = *at;
                if (*at != ' ' && !visit(name, visit_userdata))
                        return;
        }
}

static void a_job_that_waits_for_its_asker_is_seen(void **state)
{
        static const struct {
                const char *order, *jobs, *chain; /* "": it does not wait */
        } cases[] = {
                {"u>w", "uw", "u -> w"},
                {"u>a b;b>w", "uabw", "u -> b -> w"},
                {"u>a b;b>w", "uaw", ""}, /* b has no job */
                {"u>a;a>w", "ua", ""},    /* w has none: it is not in cloud-init's last stage */
                {"u>a;w>u", "uaw", ""},
                {"u>a;a>b;b>a w", "uabw", "u -> a -> b -> w"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(job_queue_free) JobQueue *queue = NULL;
                char chain[JOB_QUEUE_CHAIN_MAX];

                assert_int_equal(job_queue_new(&queue), 0);
                for (const char *job = cases[i].jobs; *job; job++)
                        assert_int_equal(job_queue_add(queue, (char[]){*job, '\0'}), 0);
                assert_int_equal(job_queue_waits(queue,
                                         "u",
                                         "w",
                                         visit_order,
                                         (void *)(uintptr_t)cases[i].order,
                                         chain),
                        cases[i].chain[0] != '\0');
                assert_string_equal(chain, cases[i].chain);
        }
}

#define ENDED   "u.service: Failed with result 'exit-code'.\nFailed to start u.service - U.\n"
#define STARTED "Starting u.service - U...\n"

static void what_a_unit_said_is_of_its_last_start(void **state)
{
        static const struct {
                const char *lines, *own, *systemds;
        } cases[] = {
                {STARTED "on fire\n" ENDED,
                        "on fire",
                        "Starting u.service - U...|u.service: Failed with result 'exit-code'.|"
                        "Failed to start u.service - U."},
                {STARTED "a\nb\nc\nd\n", "b|c|d", "Starting u.service - U..."},
                {STARTED "old\n" ENDED STARTED "new\n", "new", "Starting u.service - U..."},
                {STARTED "old\n" ENDED STARTED, "", "Starting u.service - U..."},
                {STARTED "old\nStopped u.service - U.\nearly\n" STARTED "late\n",
                        "early|late",
                        "Starting u.service - U..."}, /* its socket was read first */
                {"early\n" STARTED, "early", "Starting u.service - U..."},
                {"", "", ""},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(buffer_done) Buffer own = BUFFER_INIT(400), systemds = BUFFER_INIT(400);

                assert_int_equal(unit_words_choose(cases[i].lines, "u.service", false, &own), 0);
                assert_int_equal(
                        unit_words_choose(cases[i].lines, "u.service", true, &systemds), 0);
                assert_string_equal(buffer_text(&own), cases[i].own);
                assert_string_equal(buffer_text(&systemds), cases[i].systemds);
        }
}

TESTS_MAIN(cmocka_unit_test(what_a_unit_said_is_of_its_last_start),
        cmocka_unit_test(a_job_that_waits_for_its_asker_is_seen),
        cmocka_unit_test(our_keys_are_set_and_all_else_stays),
        cmocka_unit_test(a_socket_that_is_activated_is_served),
        cmocka_unit_test(what_stands_against_it_is_named),
        cmocka_unit_test(the_drop_in_is_the_command_less_its_hosts),
        cmocka_unit_test(people_are_found_in_passwd),
        cmocka_unit_test(a_machine_may_have_root_alone))
