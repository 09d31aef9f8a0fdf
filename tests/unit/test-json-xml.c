#include "base/json.h"
#include "base/xml.h"
#include "tests/unit/test.h"

#include <stdio.h>

static Json *parse(const char *text)
{
        Json *json = NULL;
        Error error = ERROR_INIT;

        if (json_parse("test.json", text, strlen(text), &json, &error) < 0)
                fail_msg("%s", error.text);
        return json;
}

static void members_are_typed(void **state)
{
        _cleanup_(json_free) Json *json =
                parse("{\"a\": \"x\", \"n\": 5, \"o\": {}, \"l\": [1, 2]}");
        Error error = ERROR_INIT;
        const Json *object;
        const char *text;
        int64_t number;
        bool flag;

        (void)state;
        assert_int_equal(json_get_text(json, "test.json", "a", &text, &error), 0);
        assert_string_equal(text, "x");
        assert_int_equal(json_get_int64(json, "test.json", "n", 0, 10, &number, &error), 0);
        assert_int_equal(number, 5);
        assert_int_equal(json_get_object(json, "test.json", "o", &object, &error), 0);
        assert_int_equal(json_count(json_member(json, "l")), 2);

        assert_int_equal(json_get_text(json, "test.json", "b", &text, &error), -ENOENT);
        assert_string_equal(error.text, "cannot read 'test.json': the member 'b' is missing");
        assert_int_equal(json_get_int64(json, "test.json", "n", 0, 4, &number, &error), -EBADMSG);
        assert_string_equal(
                error.text, "cannot read 'test.json': n: expected an integer from 0 to 4, found 5");
        assert_int_equal(json_get_bool(json, "test.json", "a", &flag, &error), -EBADMSG);
        assert_says(&error, "a: expected true or false, found a string");
}

static void what_is_found_is_said(void **state)
{
        static const struct {
                const char *text, *found;
        } cases[] = {
                {"{\"m\": {}}", "an object"},
                {"{\"m\": []}", "an array"},
                {"{\"m\": 7}", "7"},
                {"{\"m\": 1.5}", "1.5"},
                {"{\"m\": true}", "true"},
                {"{\"m\": false}", "false"},
                {"{\"m\": null}", "null"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(json_free) Json *json = parse(cases[i].text);
                Error error = ERROR_INIT;
                const char *text;
                char sentence[100];

                (void)snprintf(sentence,
                        sizeof(sentence),
                        "cannot read 'x': m: expected a string, found %s",
                        cases[i].found);
                assert_int_equal(json_get_text(json, "x", "m", &text, &error), -EBADMSG);
                assert_string_equal(error.text, sentence);
        }
}

static void a_secret_member_is_never_shown(void **state)
{
        _cleanup_(json_free) Json *json =
                parse("{\"token\": \"hush\", \"list\": [\"a\", 5, true]}");
        _cleanup_(secret_free) Secret *secret = NULL;
        Error error = ERROR_INIT;
        const Json *list;
        int64_t number;
        bool flag;

        (void)state;
        assert_int_equal(json_get_secret(json, "x", "token", &secret, &error), 0);
        assert_string_equal(secret_data(secret), "hush");
        assert_int_equal(json_get_int64(json, "x", "token", 0, 9, &number, &error), -EBADMSG);
        assert_null(strstr(error.text, "hush"));
        assert_int_equal(json_get_array(json, "x", "token", &list, &error), -EBADMSG);
        assert_null(strstr(error.text, "hush"));
        assert_int_equal(json_get_array(json, "x", "list", &list, &error), 0);
        assert_int_equal(json_count(list), 3);
        assert_string_equal(json_text(json_element(list, 0)), "a");
        assert_null(json_text(json_element(list, 1)));
        assert_null(json_element(list, 3));
        assert_int_equal(json_get_bool(list, "x", "0", &flag, &error), -EBADMSG);
        assert_says(&error, "expected an object with the member '0'");
}

static void what_is_no_json_is_refused_with_its_place(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                {"", "line 1, column 0: it is empty"},
                {"{", "cannot read 'test.json': line 1"},
                {"{\"a\":1,\n\"a\":2}", "line 2"},
                {"{} x", "end of file expected"},
                {"\"\xFF\"", "unable to decode byte 0xff"},
                {"{\"a\":\"\\u0000\"}", "\\u0000"},
                {"nope", "line 1"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Json *json = NULL;
                Error error = ERROR_INIT;

                assert_int_equal(
                        json_parse(
                                "test.json", cases[i].text, strlen(cases[i].text), &json, &error),
                        -EBADMSG);
                assert_says(&error, cases[i].sentence);
        }
}

static void of_a_secret_nothing_is_quoted(void **state)
{
        static const char *const texts[] = {
                "hush", "{\"a\": \"hush\", \"a\"", "{\"hush\": 1, \"hush\": 2}", "{} hush"};

        (void)state;
        for (size_t i = 0; i < ELEMENTS(texts); i++) {
                Json *json = NULL;
                Error error = ERROR_INIT;

                assert_int_equal(
                        json_parse_secret("test.json", texts[i], strlen(texts[i]), &json, &error),
                        -EBADMSG);
                assert_says(&error, "cannot read 'test.json': line 1, column ");
                assert_null(strstr(error.text, "hush"));
        }
}

static void deep_nesting_is_refused(void **state)
{
        char text[1000];
        Error error = ERROR_INIT;
        Json *json = NULL;

        (void)state;
        memset(text, '[', sizeof(text));
        assert_int_equal(json_parse("x", text, sizeof(text), &json, &error), -EBADMSG);
        assert_says(&error, "nested deeper than 64");
        _cleanup_(json_free) Json *quoted = parse("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                                                  "[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\"]");
        assert_true(json_is_array(quoted));
}

static void unknown_members_get_a_hint(void **state)
{
        static const char *const keys[] = {"name", "size", NULL};
        _cleanup_(json_free) Json *json = parse("{\"name\": 1, \"sise\": 2}");
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(json_check_keys(json, "x", keys, &error), -EBADMSG);
        assert_string_equal(
                error.text, "cannot read 'x': unknown member 'sise' (did you mean 'size'?)");
}

static void what_is_built_is_written_in_order(void **state)
{
        _cleanup_(json_free) Json *object = json_new_object();
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(1000);
        Json *list = json_new_array();

        (void)state;
        assert_int_equal(json_set_text(object, "z", "ü\"\n"), 0);
        assert_int_equal(json_set_int64(object, "a", -7), 0);
        assert_int_equal(json_append(list, json_new_bool(true)), 0);
        assert_int_equal(json_set(object, "l", list), 0);
        assert_int_equal(json_set_text(object, "bad", "\xFF"), -EBADMSG);
        assert_int_equal(json_set(object, "gone", NULL), -ENOMEM);
        assert_int_equal(json_format(object, JSON_ONE_LINE, &text), 0);
        assert_string_equal(buffer_text(&text), "{\"z\":\"ü\\\"\\n\",\"a\":-7,\"l\":[true]}");
}

static void an_answer_of_s3_is_a_tree(void **state)
{
        static const char text[] =
                "<?xml version=\"1.0\"?>\n<Error xmlns=\"http://x\"><Code>NoSuchKey</Code>"
                "<Message>a &amp; b</Message><E/><E>2</E></Error>";
        _cleanup_(xml_free) XmlElement *root = NULL;
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(xml_parse("x", text, strlen(text), &root, &error), 0);
        assert_string_equal(root->name, "Error");
        assert_string_equal(xml_child_text(root, "Code"), "NoSuchKey");
        assert_string_equal(xml_child_text(root, "Message"), "a & b");
        assert_string_equal(xml_child_text(root, "E"), "");
        assert_string_equal(xml_next(xml_child(root, "E"))->text, "2");
        assert_null(xml_child_text(root, "Nope"));
        assert_null(xml_child_text(NULL, "Nope"));
}

static void hostile_xml_is_refused(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                {"", "no element found"},
                {"<a>", "no element found"},
                {"<a></b>", "mismatched tag"},
                {"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>",
                        "a document type declaration is not accepted"},
                {"<!DOCTYPE a [<!ENTITY b0 \"xxxxxxxxxx\"><!ENTITY b1 \"&b0;&b0;&b0;&b0;&b0;\">"
                 "<!ENTITY b2 \"&b1;&b1;&b1;&b1;\">]><a>&b2;</a>",
                        "a document type declaration is not accepted"},
                {"<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>",
                        "a document type declaration is not accepted"},
                {"<a>&nobody;</a>", "undefined entity"},
                {"<a/><b/>", "junk after document element"},
                {"<a>\xFF</a>", "line 1, column 4"},
                {"<html><body>504<br></body></html>", "mismatched tag"},
        };
        char deep[400];

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                XmlElement *root = NULL;
                Error error = ERROR_INIT;

                assert_int_equal(
                        xml_parse("x", cases[i].text, strlen(cases[i].text), &root, &error),
                        -EBADMSG);
                assert_says(&error, cases[i].sentence);
        }
        for (size_t i = 0; i < sizeof(deep); i += 4)
                memcpy(deep + i, "<aa>", 4);
        Error error = ERROR_INIT;
        XmlElement *root = NULL;
        assert_int_equal(xml_parse("x", deep, sizeof(deep), &root, &error), -EBADMSG);
        assert_says(&error, "nested too deep");
}

TESTS_MAIN(cmocka_unit_test(members_are_typed),
        cmocka_unit_test(what_is_found_is_said),
        cmocka_unit_test(a_secret_member_is_never_shown),
        cmocka_unit_test(what_is_no_json_is_refused_with_its_place),
        cmocka_unit_test(of_a_secret_nothing_is_quoted),
        cmocka_unit_test(deep_nesting_is_refused),
        cmocka_unit_test(unknown_members_get_a_hint),
        cmocka_unit_test(what_is_built_is_written_in_order),
        cmocka_unit_test(an_answer_of_s3_is_a_tree),
        cmocka_unit_test(hostile_xml_is_refused))
