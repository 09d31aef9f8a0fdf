#include "base/fields.h"
#include "base/text.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>

static YamlDocument *parse(const char *text)
{
        YamlDocument *document = NULL;
        Error error = ERROR_INIT;

        if (yaml_parse("test.yml", text, strlen(text), &document, &error) < 0)
                fail_msg("%s", error.text);
        return document;
}

static void refuses(const char *text, size_t size, const char *sentence)
{
        YamlDocument *document = NULL;
        Error error = ERROR_INIT;

        assert_int_equal(yaml_parse("test.yml", text, size, &document, &error), -EBADMSG);
        assert_says(&error, sentence);
        assert_null(document);
}

static void a_tree_knows_its_places(void **state)
{
        _cleanup_(yaml_document_free) YamlDocument *document =
                parse("#!/usr/bin/flocker-bootstrap --role=agent\n"
                      "role: agent\n"
                      "list: [a, 'b', 3]\n"
                      "nothing: ~\n"
                      "deep: {x: !Ref y}\n");
        const YamlNode *root = yaml_root(document), *list = yaml_member(root, "list");
        const YamlNode *x = yaml_member(yaml_member(root, "deep"), "x");

        (void)state;
        assert_int_equal(root->kind, YAML_MAPPING);
        assert_string_equal(yaml_member(root, "role")->text, "agent");
        assert_int_equal(yaml_member(root, "role")->line, 2);
        assert_int_equal(yaml_member(root, "role")->column, 7);
        assert_int_equal(list->count, 3);
        assert_false(list->values[1]->plain);
        assert_true(list->values[2]->plain);
        assert_int_equal(yaml_member(root, "nothing")->kind, YAML_NULL);
        assert_string_equal(x->tag, "!Ref");
        assert_null(yaml_member(root, "absent"));
}

/* As editors of other systems leave them: a byte order mark, and CR LF. */
static void line_ends_and_marks_are_no_content(void **state)
{
        _cleanup_(yaml_document_free) YamlDocument *document =
                parse("\xEF\xBB\xBFrole: agent\r\nlist:\r\n  - a\r\n  - b\r\n");
        const YamlNode *root = yaml_root(document);

        (void)state;
        assert_string_equal(yaml_member(root, "role")->text, "agent");
        assert_int_equal(yaml_member(root, "list")->count, 2);
        assert_string_equal(yaml_member(root, "list")->values[1]->text, "b");
        assert_int_equal(yaml_member(root, "list")->values[1]->line, 4);
}

static void an_empty_text_is_null(void **state)
{
        _cleanup_(yaml_document_free) YamlDocument *empty = parse(""),
                                                   *comment = parse("# only this\n");

        (void)state;
        assert_int_equal(yaml_root(empty)->kind, YAML_NULL);
        assert_int_equal(yaml_root(comment)->kind, YAML_NULL);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                {"a: 1\na: 2\n",
                        "cannot read 'test.yml': line 2, column 1: the key 'a' stands here again; "
                        "it is in line 1"},
                {"a:\n\tb: 1\n", "line 2, column 1: a tab cannot be indentation; use spaces"},
                {"a: *nobody\n", "an alias of an anchor that is not there"},
                {"a: &x [*x]\n", "an alias contains itself"},
                {"--- a\n--- b\n", "a second document begins"},
                {"[a]: b\n", "expected a plain string as the key"},
                {"a: [b, \"c", "found unexpected end of stream"},
                {"%YAML 9.1\n---\na: 1\n", "line 1, column 1: "},
                {"<html><body>504</body></html>: {", "did not find expected node content"},
                {"a: [b\n", "line 2, column 1: "},
                {"a: 'b\n", "line 2, column 1: "},
                {"a: \"\\0\"\n", "a NUL character"},
                {"\x01", "cannot read 'test.yml': byte 0: control characters"},
                {"a: \xFF\n", "expected UTF-8"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                refuses(cases[i].text, strlen(cases[i].text), cases[i].sentence);
        refuses("a\0b", 3, "byte 1: control characters");
}

static void bombs_do_not_go_off(void **state)
{
        char bomb[4096] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n", deep[400] = "";
        size_t length = strlen(bomb);

        (void)state;
        for (int i = 1; i < 12; i++)
                length += (size_t)snprintf(bomb + length,
                        sizeof(bomb) - length,
                        "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n",
                        i,
                        i,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1,
                        i - 1);
        refuses(bomb, length, "it has too many nodes");
        memset(deep, '[', 200);
        refuses(deep, 200, "it is nested too deep");
}

typedef struct Settings {
        char *name;
        Secret *token;
        int64_t nodes;
        bool keep;
        uint64_t timeout;
        int role;
        char **components;
        const YamlNode *dataset;
} Settings;

static const char *const roles[] = {"control", "agent", NULL};
static const Field fields[] = {
        {"name", FIELD_TEXT, offsetof(Settings, name), .required = true, .min = 1, .max = 8},
        {"token", FIELD_SECRET, offsetof(Settings, token)},
        {"nodes", FIELD_INT, offsetof(Settings, nodes), .min = 1, .max = 100},
        {"keep", FIELD_BOOL, offsetof(Settings, keep)},
        {"timeout", FIELD_SPAN, offsetof(Settings, timeout), .min = 1000000, .max = 60000000},
        {"role", FIELD_CHOICE, offsetof(Settings, role), .choices = roles},
        {"components", FIELD_TEXTS, offsetof(Settings, components)},
        {"dataset", FIELD_NODE, offsetof(Settings, dataset)},
};

static void settings_done(Settings *settings)
{
        free(settings->name);
        (void)secret_free(settings->token);
        for (size_t i = 0; settings->components && settings->components[i]; i++)
                free(settings->components[i]);
        free((void *)settings->components);
}
DEFINE_CLEANUP_IN_PLACE(Settings, settings_done);

static void a_table_fills_a_struct(void **state)
{
        _cleanup_(yaml_document_free) YamlDocument *document =
                parse("name: prod\ntoken: s3cret\nnodes: 3\nkeep: true\n"
                      "timeout: 30s\nrole: agent\n"
                      "components: [docker, swarm]\ndataset: {a: b}\n");
        _cleanup_(settings_done) Settings settings = {};
        Error error = ERROR_INIT;

        (void)state;
        assert_int_equal(
                fields_read(
                        document, yaml_root(document), fields, ELEMENTS(fields), &settings, &error),
                0);
        assert_string_equal(settings.name, "prod");
        assert_string_equal(secret_data(settings.token), "s3cret");
        assert_int_equal(settings.nodes, 3);
        assert_true(settings.keep);
        assert_int_equal(settings.timeout, 30000000);
        assert_int_equal(settings.role, 1);
        assert_string_equal(settings.components[1], "swarm");
        assert_null(settings.components[2]);
        assert_string_equal(yaml_member(settings.dataset, "a")->text, "b");
}

static void a_table_refuses_what_it_does_not_know(void **state)
{
        static const struct {
                const char *text, *sentence;
        } cases[] = {
                {"name: a\nnode: 1\n",
                        "line 2, column 1: unknown key 'node' (did you mean 'nodes'?)"},
                {"nodes: 1\n", "the key 'name' is missing"},
                {"name: a\nnodes: 0\n",
                        "line 2, column 8: nodes: expected a whole number from 1 to 100, found "
                        "'0'"},
                {"name: a\nnodes: '3'\n", "nodes: expected a whole number"},
                {"name: a\nkeep: yes\n", "keep: expected true or false, found 'yes'"},
                {"name: a\ntimeout: 90s\n",
                        "timeout: expected a time from 1.0 s to 1 min 0 s, found '90s'"},
                {"name: a\nrole: boss\n", "role: expected one of control, agent, found 'boss'"},
                {"name: a\ncomponents: docker\n",
                        "components: expected a list of text, found 'docker'"},
                {"name: [a]\n", "name: expected text, found a list"},
                {"name: muchtoolong\n", "name: expected 1 to 8 bytes of text"},
                {"name: a\ntoken: {x: hidden}\n", "token: expected text, found a mapping"},
                {"- a\n", "expected a mapping of keys"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                _cleanup_(yaml_document_free) YamlDocument *document = parse(cases[i].text);
                _cleanup_(settings_done) Settings settings = {};
                Error error = ERROR_INIT;

                assert_int_equal(fields_read(document,
                                         yaml_root(document),
                                         fields,
                                         ELEMENTS(fields),
                                         &settings,
                                         &error),
                        -EBADMSG);
                assert_says(&error, cases[i].sentence);
        }
}

static void quoting_survives_a_reading(void **state)
{
        static const char text[] = "a\"b\\c\n\t\x01 ü: - #'";
        _cleanup_(buffer_done) Buffer buffer = BUFFER_INIT(1000);
        _cleanup_(yaml_document_free) YamlDocument *document = NULL;

        (void)state;
        assert_int_equal(yaml_append_quoted(&buffer, text), 0);
        document = parse(buffer_text(&buffer));
        assert_string_equal(yaml_root(document)->text, text);
}

TESTS_MAIN(cmocka_unit_test(a_tree_knows_its_places),
        cmocka_unit_test(line_ends_and_marks_are_no_content),
        cmocka_unit_test(an_empty_text_is_null),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(bombs_do_not_go_off),
        cmocka_unit_test(a_table_fills_a_struct),
        cmocka_unit_test(a_table_refuses_what_it_does_not_know),
        cmocka_unit_test(quoting_survives_a_reading))
