#include "agent/document.h"
#include "agent/redact.h"
#include "agent/settings.h"
#include "agent/supervisor.h"
#include "base/text.h"
#include "tests/unit/test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* --- evidence without secrets --- */

static void what_looks_like_a_secret_is_taken_out(void **state)
{
        static const struct {
                const char *given, *wanted;
        } cases[] = {
                {"nothing of the kind: token ring, passwordless", NULL},
                {"a SWMTKN-1-abc-def9 b", "a [redacted] b"},
                {"https://h/x?X-Amz-Date=1&X-Amz-Signature=ab12&y=2",
                        "https://h/x?X-Amz-Date=1&X-Amz-Signature=[redacted]&y=2"},
                {"x-amz-security-token=a%2Fb-c", "x-amz-security-token=[redacted]"},
                {"secret_access_key: \"hidden\", zone: a",
                        "secret_access_key: \"[redacted]\", zone: a"},
                {"{\"SecretAccessKey\":\"hid/den+\"}", "{\"SecretAccessKey\":\"[redacted]\"}"},
                {"password=one two", "password=[redacted] two"},
                {"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nrest",
                        "[redacted]\nrest"},
                {"-----BEGIN RSA PRIVATE KEY-----\\nMII\\n-----END RSA PRIVATE KEY-----\\n\"",
                        "[redacted]\\n\""},
                {"-----BEGIN PRIVATE KEY-----\ncut short", "[redacted]"},
                {"-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----", NULL},
                {"the handle https://h/one?two=three is here", "the handle [redacted] is here"},
        };
        _cleanup_(secret_free) Secret *handle = NULL;

        (void)state;
        assert_int_equal(secret_new_text("https://h/one?two=three", &handle), 0);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(buffer_done) Buffer found = BUFFER_INIT(4096);
                const Secret *secrets[] = {handle, NULL};

                assert_int_equal(redact_text(cases[i].given, secrets, &found), 0);
                assert_string_equal(
                        buffer_text(&found), cases[i].wanted ? cases[i].wanted : cases[i].given);
        }
}

/* --- the document in user-data --- */

#define OURS "#!/usr/bin/flocker-bootstrap --role=agent\nnode: 1\n"

static void a_document_is_known_by_its_first_line(void **state)
{
        (void)state;
        assert_true(document_is_ours(OURS, strlen(OURS)));
        assert_true(document_is_ours("#!/opt/flocker-bootstrap", 24));
        assert_false(document_is_ours("#!/usr/bin/flocker-bootstrapper\n", 32));
        assert_false(document_is_ours("#!/bin/sh\n# /flocker-bootstrap\n", 31));
        assert_false(document_is_ours("node: 1\n", 8));
        assert_false(document_is_ours("", 0));
}

static int find(const char *text, Buffer *ret, Error *ret_error)
{
        return document_find("user-data", text, strlen(text), ret, ret_error);
}

static void it_is_found_among_others(void **state)
{
        static const char parts[] =
                "MIME-Version: 1.0\nContent-Type: multipart/mixed;\n boundary=\"==b==\"\n"
                "\npreamble\n--==b==\nContent-Type: text/cloud-config\n\n#cloud-config\n"
                "--==b==\nContent-Type: text/x-shellscript\n"
                "Content-Transfer-Encoding: quoted-printable\n\n"
                "#!/usr/bin/flocker-bootstrap --role=3Dagent\nnode:=20=\n1\n--==b==--\n";
        _cleanup_(buffer_done) Buffer found = BUFFER_INIT(DOCUMENT_SIZE_MAX);
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(find(parts, &found, &error), DOCUMENT_FOUND);
        assert_string_equal(
                buffer_text(&found), "#!/usr/bin/flocker-bootstrap --role=agent\nnode: 1\n");
        buffer_clear(&found);
        assert_int_equal(find("#!/bin/sh\necho\n", &found, &error), DOCUMENT_ABSENT);
        assert_int_equal(find("", &found, &error), DOCUMENT_ABSENT);
}

static void damaged_user_data_is_refused(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                {"\x1f\x8b\x08\x01\x02", "cannot unpack 'user-data'"},
                {"Content-Type: multipart/mixed; boundary=x\n\n--x\n\n" OURS,
                        "its last MIME part has no end"},
                {"Content-Type: multipart/mixed; boundary=x\n\n--x\n\n" OURS "--x\n\n" OURS
                 "--x--\n",
                        "two documents for flocker-bootstrap"},
                {"Content-Type: text/plain\nContent-Transfer-Encoding: base64\n\n%%%%\n",
                        "no base64"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(buffer_done) Buffer found = BUFFER_INIT(DOCUMENT_SIZE_MAX);
                Error error = ERROR_INIT;

                assert_int_equal(find(cases[i].text, &found, &error), -EBADMSG);
                assert_says(&error, cases[i].sentence);
        }
}

/* --- settings --- */

static void a_handle_survives_a_document_that_is_refused(void **state)
{
        static const char text[] = "signal: \"https://h/x\"\nnode: nine\n";
        _cleanup_(settings_book_done) SettingsBook book = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(settings_begin(&book, &error), 0);
        assert_int_equal(settings_read_document(&book, "d", text, strlen(text), &error), -EBADMSG);
        assert_says(&error, "cannot read 'd': line 2, column 7: node: expected a whole number");
        assert_non_null(book.settings.signal);
        assert_string_equal(secret_data(book.settings.signal), "https://h/x");
}

/* --- the supervisor --- */

typedef struct Play {
        int (*work)(const SupervisorLine *line, void *userdata);
        SupervisorFailure failure;
        unsigned failures;
} Play;

static int do_well(const SupervisorLine *line, void *userdata)
{
        (void)userdata;
        supervisor_tell_step(line, "one", clock_deadline(&clock_system, USEC_PER_SEC));
        return 0;
}

static int say_why(const SupervisorLine *line, void *userdata)
{
        Error error = ERROR_INIT;

        (void)userdata;
        supervisor_tell_step(line, "two", clock_deadline(&clock_system, USEC_PER_SEC));
        (void)error_set(&error, -EPERM, "cannot do 'two': for a reason");
        supervisor_tell_failure(line, "two", -EPERM, &error);
        supervisor_tell_failure(line, "two", -EPERM, &error); /* once counts */
        return -EPERM;
}

static int be_killed(const SupervisorLine *line, void *userdata)
{
        (void)userdata;
        supervisor_tell_step(line, "three", clock_deadline(&clock_system, USEC_PER_SEC));
        (void)raise(SIGKILL);
        return 0;
}

static int hang(const SupervisorLine *line, void *userdata)
{
        (void)userdata;
        supervisor_tell_step(line, "four", clock_deadline(&clock_system, 50 * USEC_PER_MSEC));
        (void)raise(SIGSTOP);
        return 0;
}

static int end_without_a_word(const SupervisorLine *line, void *userdata)
{
        (void)line;
        (void)userdata;
        _exit(3);
}

static void take_failure(const SupervisorFailure *failure, void *userdata)
{
        Play *play = userdata;

        play->failure = *failure;
        play->failures++;
}

static void each_end_of_a_worker_is_told_once(void **state)
{
        static const struct {
                int (*work)(const SupervisorLine *line, void *userdata);
                int code;
                const char *step, *sentence;
        } cases[] = {
                {do_well, 0, NULL, NULL},
                {say_why, -EPERM, "two", "cannot do 'two': for a reason"},
                {be_killed,
                        -ECHILD,
                        "three",
                        "cannot finish 'three': the worker was ended by signal 9 (Killed"},
                {hang,
                        -ETIMEDOUT,
                        "four",
                        "cannot finish 'four': it did not end in its time, and was killed"},
                {end_without_a_word,
                        -ECHILD,
                        "",
                        "cannot finish 'the start': the worker ended with status 3"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Play play = {};
                SupervisorOptions options = {
                        .work = cases[i].work, .fail = take_failure, .userdata = &play};
                Error error = ERROR_INIT;

                assert_int_equal(supervisor_run(&options, &error), cases[i].code);
                assert_int_equal(play.failures, cases[i].step ? 1 : 0);
                if (cases[i].step) {
                        assert_string_equal(play.failure.step, cases[i].step);
                        assert_says(&play.failure.error, cases[i].sentence);
                }
        }
}

TESTS_MAIN(cmocka_unit_test(what_looks_like_a_secret_is_taken_out),
        cmocka_unit_test(a_document_is_known_by_its_first_line),
        cmocka_unit_test(it_is_found_among_others),
        cmocka_unit_test(damaged_user_data_is_refused),
        cmocka_unit_test(a_handle_survives_a_document_that_is_refused),
        cmocka_unit_test(each_end_of_a_worker_is_told_once))
