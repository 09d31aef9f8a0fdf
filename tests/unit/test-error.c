#include "tests/unit/test.h"

#include <sysexits.h>

static void a_failure_is_one_statement(void **state)
{
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(error_set(&error, -ENOENT, "cannot open '%s': %m", "/x"), -ENOENT);
        assert_string_equal(error.text, "cannot open '/x': No such file or directory");
}

static void what_is_known_above_goes_in_front(void **state)
{
        Error error = ERROR_INIT;

        (void)state;
        (void)error_set(&error, -EIO, "the disk is gone");
        assert_int_equal(error_prefix(&error, -EPERM, "cannot write '%s'", "a"), -EPERM);
        (void)error_append(&error, -EIO, "; buy a new one");
        assert_string_equal(error.text, "cannot write 'a': the disk is gone; buy a new one");
}

static void a_peer_cannot_forge_a_line(void **state)
{
        Error error = ERROR_INIT;

        (void)state;
        (void)error_set(&error, -EPROTO, "it said '%s'", "a\nerror: b\x1B[31m\r");
        assert_null(strpbrk(error.text, "\n\r\x1B"));
        assert_string_equal(error.text, "it said 'a error: b [31m '");
}

static void half_a_character_is_mended(void **state)
{
        Error error = ERROR_INIT;

        (void)state;
        (void)error_set(&error, -EPROTO, "it said '%.1s' and '%s'", "ü", "a\xFF");
        assert_string_equal(error.text, "it said '?' and 'a?'");
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
        char text[3000] = "";
        Error error = ERROR_INIT;

        (void)state;
        for (size_t i = 0; i + 3 < sizeof(text); i += 2)
                memcpy(text + i, "ü", 3);
        (void)error_set(&error, -EIO, "a%s", text);
        assert_in_range(strlen(error.text), ERROR_TEXT_MAX - 8, ERROR_TEXT_MAX - 1);
        assert_string_equal(error.text + strlen(error.text) - strlen("ü…"), "ü…");
        (void)error_prefix(&error, -EIO, "%s", text);
        assert_in_range(strlen(error.text), ERROR_TEXT_MAX - 8, ERROR_TEXT_MAX - 1);
}

static void no_sentence_is_wanted(void **state)
{
        (void)state;
        assert_int_equal(error_set(NULL, -EIO, "unheard"), -EIO);
        assert_int_equal(error_prefix(NULL, -EIO, "unheard"), -EIO);
        assert_int_equal(error_append(NULL, -EIO, "unheard"), -EIO);
}

static void every_errno_has_an_exit_status(void **state)
{
        (void)state;
        assert_int_equal(error_exit_status(0), EX_OK);
        assert_int_equal(error_exit_status(-EINVAL), EX_USAGE);
        assert_int_equal(error_exit_status(-EBADMSG), EX_DATAERR);
        assert_int_equal(error_exit_status(-ENOENT), EX_NOINPUT);
        assert_int_equal(error_exit_status(-EACCES), EX_NOPERM);
        assert_int_equal(error_exit_status(-ENOSPC), EX_IOERR);
        assert_int_equal(error_exit_status(-ETIMEDOUT), EX_TEMPFAIL);
        assert_int_equal(error_exit_status(-ENOTTY), EX_SOFTWARE);
}

TESTS_MAIN(cmocka_unit_test(a_failure_is_one_statement),
        cmocka_unit_test(what_is_known_above_goes_in_front),
        cmocka_unit_test(a_peer_cannot_forge_a_line),
        cmocka_unit_test(half_a_character_is_mended),
        cmocka_unit_test(a_long_sentence_is_cut_between_characters),
        cmocka_unit_test(no_sentence_is_wanted),
        cmocka_unit_test(every_errno_has_an_exit_status))
