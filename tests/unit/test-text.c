#include "base/buffer.h"
#include "base/text.h"
#include "tests/unit/test.h"

#include <stdlib.h>

static void numbers_are_whole_and_in_range(void **state)
{
        uint64_t number = 7;
        int64_t with_sign = 7;

        (void)state;
        assert_int_equal(text_to_uint64("18446744073709551615", 0, UINT64_MAX, &number), 0);
        assert_true(number == UINT64_MAX);
        assert_int_equal(text_to_uint64("18446744073709551616", 0, UINT64_MAX, &number), -ERANGE);
        assert_int_equal(text_to_uint64("11", 1, 10, &number), -ERANGE);
        for (const char *const *bad =
                        (const char *const[]){"", " 1", "1 ", "+1", "-1", "0x1", "1e3", NULL};
                *bad;
                bad++)
                assert_int_equal(text_to_uint64(*bad, 0, 100, &number), -EINVAL);
        assert_int_equal(text_to_int64("-5", -10, 10, &with_sign), 0);
        assert_int_equal(with_sign, -5);
        assert_int_equal(text_to_int64("-5", 0, 10, &with_sign), -EINVAL);
        assert_int_equal(text_to_int64("--5", -10, 10, &with_sign), -EINVAL);
}

static void spans_have_units(void **state)
{
        uint64_t usec;

        (void)state;
        assert_int_equal(text_to_usec("90s", &usec), 0);
        assert_int_equal(usec, 90000000);
        assert_int_equal(text_to_usec("30d", &usec), 0);
        assert_int_equal(usec, 30 * 86400000000);
        assert_int_equal(text_to_usec("90", &usec), -EINVAL);
        assert_int_equal(text_to_usec("s", &usec), -EINVAL);
        assert_int_equal(text_to_usec("9999999999999w", &usec), -ERANGE);
}

static void utf8_is_what_the_rfc_says(void **state)
{
        static const char *const good[] = {
                "", "a", "ü", "漢字", "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF"};
        static const char *const bad[] = {"\x80",
                "\xC0\x80",
                "\xC1\xBF",
                "\xE0\x80\x80",
                "\xED\xA0\x80",
                "\xF4\x90\x80\x80",
                "\xF8\x88\x80\x80",
                "\xC3",
                "a\xE6\xBC"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(good); i++)
                assert_true(text_is_utf8(good[i], strlen(good[i])));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(text_is_utf8(bad[i], strlen(bad[i])));
        assert_int_equal(text_cut("aü", 3, 2), 1);
        assert_int_equal(text_cut("aü", 3, 3), 3);
}

static void base64_goes_there_and_back(void **state)
{
        static const struct {
                const char *plain, *encoded; /* RFC 4648, section 10 */
        } vectors[] = {
                {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foobar", "Zm9vYmFy"}};
        static const char *const bad[] = {
                "Zg", "Zg=", "Zh==", "Z===", "====", "Zm9=", "Z g=", "Zg==Zg=="};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(vectors); i++) {
                char *encoded = text_base64(vectors[i].plain, strlen(vectors[i].plain));
                void *plain;
                size_t size;

                assert_string_equal(encoded, vectors[i].encoded);
                assert_int_equal(text_base64_decode(encoded, strlen(encoded), &plain, &size), 0);
                assert_int_equal(size, strlen(vectors[i].plain));
                assert_memory_equal(plain, vectors[i].plain, size);
                free(encoded);
                free(plain);
        }
        for (size_t i = 0; i < ELEMENTS(bad); i++) {
                void *plain;
                size_t size;

                assert_int_equal(
                        text_base64_decode(bad[i], strlen(bad[i]), &plain, &size), -EINVAL);
        }
}

static void a_misspelling_finds_its_word(void **state)
{
        static const char *const known[] = {"agents", "cluster", "components", NULL};

        (void)state;
        assert_string_equal(text_nearest("agnets", known), "agents");
        assert_string_equal(text_nearest("component", known), "components");
        assert_null(text_nearest("zzz", known));
        assert_null(text_nearest("", known));
}

static void ends_and_cases_are_compared(void **state)
{
        (void)state;
        assert_true(text_ends("a.journal", ".journal"));
        assert_false(text_ends("l", "al"));
        assert_true(text_equal_case("Content-TYPE", "content-type"));
        assert_false(text_equal_case("a", "ab"));
        assert_false(text_equal_case("[", "{"));
        assert_true(text_equal(NULL, NULL));
        assert_false(text_equal(NULL, ""));
}

static void texts_are_stripped_made_and_put(void **state)
{
        char text[] = " \t a b\r\n", blanks[] = "  ", place[4] = "old", *made;

        (void)state;
        assert_string_equal(text_strip(text), "a b");
        assert_string_equal(text_strip(blanks), "");
        assert_int_equal(text_put(place, sizeof(place), "abc"), 0);
        assert_string_equal(place, "abc");
        assert_int_equal(text_put(place, sizeof(place), "abcd"), -ENOBUFS);
        assert_string_equal(place, "");
        made = text_format("%d-%s", 1, "x");
        assert_string_equal(made, "1-x");
        free(made);
}

static void a_uuid_is_of_version_4(void **state)
{
        uint8_t bytes[16];
        char uuid[37];

        (void)state;
        memset(bytes, 0xFF, sizeof(bytes));
        text_uuid4(bytes, uuid);
        assert_string_equal(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_true(text_is_uuid(uuid));
        assert_false(text_is_uuid("ffffffff-ffff-4fff-bfff-fffffffffff"));
        assert_false(text_is_uuid("FFFFFFFF-ffff-4fff-bfff-ffffffffffff"));
}

static void a_buffer_keeps_its_bound(void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_INIT(10);
        size_t size;
        char *text;

        (void)state;
        assert_string_equal(buffer_text(&buffer), "");
        assert_int_equal(buffer_append_text(&buffer, "12345"), 0);
        assert_int_equal(buffer_append_format(&buffer, "%d", 678901), -ENOBUFS);
        assert_string_equal(buffer_text(&buffer), "12345");
        assert_int_equal(buffer_append_format(&buffer, "%d", 67890), 0);
        assert_int_equal(buffer_append(&buffer, "x", 1), -ENOBUFS);
        text = buffer_take(&buffer, &size);
        assert_string_equal(text, "1234567890");
        assert_int_equal(size, 10);
        assert_string_equal(buffer_text(&buffer), "");
        free(text);
}

static void a_buffer_grows_with_its_content(void **state)
{
        _cleanup_(buffer_done) Buffer buffer = BUFFER_INIT(100000);

        (void)state;
        for (int i = 0; i < 10000; i++)
                assert_int_equal(buffer_append(&buffer, &"0123456789"[i % 10], 1), 0);
        assert_int_equal(buffer.size, 10000);
        for (size_t i = 0; i < buffer.size; i++)
                assert_int_equal(buffer.data[i], '0' + i % 10);
        assert_int_equal(buffer.data[buffer.size], '\0');
}

TESTS_MAIN(cmocka_unit_test(numbers_are_whole_and_in_range),
        cmocka_unit_test(spans_have_units),
        cmocka_unit_test(utf8_is_what_the_rfc_says),
        cmocka_unit_test(base64_goes_there_and_back),
        cmocka_unit_test(a_misspelling_finds_its_word),
        cmocka_unit_test(ends_and_cases_are_compared),
        cmocka_unit_test(texts_are_stripped_made_and_put),
        cmocka_unit_test(a_uuid_is_of_version_4),
        cmocka_unit_test(a_buffer_keeps_its_bound),
        cmocka_unit_test(a_buffer_grows_with_its_content))
