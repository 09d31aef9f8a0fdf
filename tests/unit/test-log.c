#include "base/log.h"
#include "base/text.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

typedef struct Listener {
        int pipe[2]; /* what goes to a log's descriptor is read from the first */
        char line[2 * LOG_LINE_MAX];
} Listener;

static int begin_listening(void **state)
{
        static Listener listener;

        *state = &listener;
        return pipe2(listener.pipe, O_CLOEXEC | O_NONBLOCK);
}

static int end_listening(void **state)
{
        const Listener *listener = *state;

        close(listener->pipe[0]);
        close(listener->pipe[1]);
        return 0;
}

/* What has been written since the last time; "" for nothing. */
static const char *heard(Listener *listener)
{
        ssize_t n = read(listener->pipe[0], listener->line, sizeof(listener->line) - 1);

        listener->line[n > 0 ? n : 0] = '\0';
        return listener->line;
}

static Log *open_log(const Listener *listener, LogOptions options)
{
        Error error = ERROR_INIT;
        Log *log = NULL;

        options.identifier = "test";
        options.fd = listener->pipe[1];
        if (log_new(&options, &log, &error) < 0)
                fail_msg("%s", error.text);
        return log;
}

static void a_message_is_a_line(void **state)
{
        Listener *listener = *state;
        _cleanup_(log_free) Log *log = open_log(listener, (LogOptions){.max_level = 6});

        log_info(log, "made '%s'", "x");
        assert_string_equal(heard(listener), "made 'x'\n");
        log_error(log, "cannot");
        assert_string_equal(heard(listener), "error: cannot\n");
        log_warning(log, "late");
        assert_string_equal(heard(listener), "warning: late\n");
        log_debug(log, "unheard");
        assert_string_equal(heard(listener), "");
        log_error(NULL, "unheard");
        log_info(log, "a\nerror: forged\x1B[31m");
        assert_string_equal(heard(listener), "a error: forged [31m\n");
}

static void a_terminal_gets_colors_and_a_file_the_time(void **state)
{
        Listener *listener = *state;
        _cleanup_(log_free) Log *colored =
                open_log(listener, (LogOptions){.max_level = 7, .color = true});
        _cleanup_(log_free) Log *timed =
                open_log(listener, (LogOptions){.max_level = 7, .timestamps = true});
        int year, end = 0;

        log_error(colored, "no");
        assert_string_equal(heard(listener), "\x1B[31merror: no\x1B[0m\n");
        log_info(colored, "yes");
        assert_string_equal(heard(listener), "yes\n");
        log_info(timed, "yes");
        (void)sscanf(heard(listener), "%4d-%*2d-%*2dT%*2d:%*2d:%*2dZ yes%n", &year, &end);
        assert_int_equal(end, strlen("2026-11-24T09:05:00Z yes"));
        assert_in_range(year, 2020, 9999);
}

static void a_long_message_is_cut_between_characters(void **state)
{
        Listener *listener = *state;
        _cleanup_(log_free) Log *log = open_log(listener, (LogOptions){.max_level = 6});
        char text[3 * LOG_LINE_MAX] = "";

        for (size_t i = 0; i + 3 < sizeof(text); i += 2)
                memcpy(text + i, "ü", 3);
        log_info(log, "a%s", text);
        (void)heard(listener);
        assert_in_range(strlen(listener->line), LOG_LINE_MAX - 8, LOG_LINE_MAX);
        assert_true(text_is_utf8(listener->line, strlen(listener->line)));
        assert_true(text_ends(listener->line, "ü…\n"));
}

/* The socket of a journal of ours, in a mount namespace of this process; -1 without the right. */
static int pretend_journal(void)
{
        const struct sockaddr_un address = {
                .sun_family = AF_UNIX,
                .sun_path = "/run/systemd/journal/socket",
        };
        int fd;

        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                mount("tmpfs", "/run", "tmpfs", 0, NULL) < 0)
                return -1;
        if (mkdir("/run/systemd", 0755) < 0 || mkdir("/run/systemd/journal", 0755) < 0)
                return -1;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
                close(fd);
                return -1;
        }
        return fd;
}

static void has_field(const char *message, const char *field)
{
        const char *found = strstr(message, field);

        if (!found || (found != message && found[-1] != '\n') || found[strlen(field)] != '\n')
                assert_string_equal(message, field);
}

/* systemd's Native Journal Protocol: NAME=value lines in a datagram. */
static void the_journal_gets_the_fields(void **state)
{
        static const LogField fields[] = {
                {"FLOCKER_STEP", "mint-docker-cert"},
                {"FLOCKER_NONE", NULL},
        };
        Listener *listener = *state;
        _cleanup_(log_free) Log *log = NULL;
        char message[4096];
        int journal = pretend_journal();
        ssize_t n;

        if (journal < 0)
                skip();
        log = open_log(listener, (LogOptions){.max_level = 6, .journal = true});
        log_write(log, LOG_LEVEL_WARNING, fields, ELEMENTS(fields), "slow: %d s", 4);
        assert_string_equal(heard(listener), "warning: slow: 4 s\n");
        n = recv(journal, message, sizeof(message) - 1, 0);
        assert_true(n > 0);
        message[n] = '\0';
        has_field(message, "MESSAGE=slow: 4 s");
        has_field(message, "PRIORITY=4");
        has_field(message, "SYSLOG_IDENTIFIER=test");
        has_field(message, "FLOCKER_STEP=mint-docker-cert");
        assert_null(strstr(message, "FLOCKER_NONE"));

        close(journal);
        log_info(log, "still here");
        assert_true(text_starts(heard(listener),
                "warning: cannot write to the systemd journal, and write here alone from now on"));
        assert_true(text_ends(listener->line, "still here\n"));
        log_info(log, "once");
        assert_string_equal(heard(listener), "once\n");
}

#define LISTENING(test) cmocka_unit_test_setup_teardown(test, begin_listening, end_listening)

TESTS_MAIN(LISTENING(a_message_is_a_line),
        LISTENING(a_terminal_gets_colors_and_a_file_the_time),
        LISTENING(a_long_message_is_cut_between_characters),
        LISTENING(the_journal_gets_the_fields))
