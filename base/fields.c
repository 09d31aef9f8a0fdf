#include "base/fields.h"

#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MAX 64U
#define TEXTS_MAX  256U

typedef struct Reading {
        const YamlDocument *document;
        const Field *field;
        const YamlNode *node;
        void *place; /* of the field */
        Error *ret_error;
} Reading;

/* What stands there, for a sentence: never a secret's text. */
static int refuse(const Reading *reading, const char *expected)
{
        const YamlNode *node = reading->node;
        const char *what = node->kind == YAML_MAPPING    ? "a mapping"
                           : node->kind == YAML_SEQUENCE ? "a list"
                                                         : "nothing";
        bool shown = node->kind == YAML_SCALAR && reading->field->type != FIELD_SECRET;

        if (reading->field->expected)
                expected = reading->field->expected;
        return yaml_refuse(reading->document,
                node,
                reading->ret_error,
                "%s: expected %s, found %s%.60s%s",
                reading->field->key,
                expected,
                shown ? "'" : "",
                shown                       ? node->text
                : node->kind == YAML_SCALAR ? "something else"
                                            : what,
                shown ? "'" : "");
}

static int out_of_memory(const Reading *reading)
{
        return error_set(
                reading->ret_error, -ENOMEM, "cannot read '%s': %m", yaml_name(reading->document));
}

static int read_text(const Reading *reading)
{
        const Field *field = reading->field;
        size_t length = reading->node->length;
        char expected[96];
        char *copy;

        if (reading->node->kind != YAML_SCALAR)
                return refuse(reading, "text");
        if (field->max > 0 && (length < (size_t)field->min || length > (size_t)field->max)) {
                (void)snprintf(expected,
                        sizeof(expected),
                        "%" PRId64 " to %" PRId64 " bytes of text",
                        field->min,
                        field->max);
                return refuse(reading, expected);
        }

        copy = text_copy(reading->node->text);
        if (!copy)
                return out_of_memory(reading);
        free(*(char **)reading->place);
        *(char **)reading->place = copy;
        return 0;
}

static int read_secret(const Reading *reading)
{
        Secret *secret;

        if (reading->node->kind != YAML_SCALAR || reading->node->length == 0)
                return refuse(reading, "text");
        if (secret_new(reading->node->text, reading->node->length, &secret) < 0)
                return out_of_memory(reading);
        (void)secret_free(*(Secret **)reading->place);
        *(Secret **)reading->place = secret;
        return 0;
}

static int read_int(const Reading *reading)
{
        const Field *field = reading->field;
        bool bounded = field->min != 0 || field->max != 0;
        int64_t min = bounded ? field->min : INT64_MIN + 1, max = bounded ? field->max : INT64_MAX;
        char expected[96];

        if (reading->node->kind == YAML_SCALAR && reading->node->plain &&
                text_to_int64(reading->node->text, min, max, reading->place) == 0)
                return 0;

        (void)snprintf(expected,
                sizeof(expected),
                bounded ? "a whole number from %" PRId64 " to %" PRId64 : "a whole number",
                min,
                max);
        return refuse(reading, expected);
}

static int read_bool(const Reading *reading)
{
        const YamlNode *node = reading->node;

        if (node->kind != YAML_SCALAR || !node->plain ||
                (!text_equal(node->text, "true") && !text_equal(node->text, "false")))
                return refuse(reading, "true or false");
        *(bool *)reading->place = text_equal(node->text, "true");
        return 0;
}

static int read_span(const Reading *reading)
{
        const Field *field = reading->field;
        char least[CLOCK_SPAN_MAX], most[CLOCK_SPAN_MAX], expected[128];
        Usec span;

        if (reading->node->kind != YAML_SCALAR || text_to_usec(reading->node->text, &span) < 0)
                return refuse(reading, "a time like 90s, 12h or 30d");
        if (field->max > 0 && (span < (Usec)field->min || span > (Usec)field->max)) {
                (void)snprintf(expected,
                        sizeof(expected),
                        "a time from %s to %s",
                        clock_format_span((Usec)field->min, least),
                        clock_format_span((Usec)field->max, most));
                return refuse(reading, expected);
        }
        *(Usec *)reading->place = span;
        return 0;
}

static int read_choice(const Reading *reading)
{
        const char *const *choices = reading->field->choices;
        _cleanup_(buffer_done) Buffer expected = BUFFER_INIT(256);

        for (int i = 0; choices[i]; i++)
                if (reading->node->kind == YAML_SCALAR &&
                        text_equal(reading->node->text, choices[i])) {
                        *(int *)reading->place = i;
                        return 0;
                }

        for (size_t i = 0; choices[i]; i++)
                if (buffer_append_format(&expected, "%s%s", i == 0 ? "one of " : ", ", choices[i]) <
                        0)
                        break;
        return refuse(reading, buffer_text(&expected));
}

static void free_texts(char **texts)
{
        for (size_t i = 0; texts && texts[i]; i++)
                free(texts[i]);
        free((void *)texts);
}

static int read_texts(const Reading *reading)
{
        const YamlNode *node = reading->node;
        char **texts;

        if (node->kind != YAML_SEQUENCE || node->count > TEXTS_MAX)
                return refuse(reading, "a list of text");

        texts = (char **)calloc(node->count + 1, sizeof(*texts));
        if (!texts)
                return out_of_memory(reading);
        for (size_t i = 0; i < node->count; i++) {
                const Reading element = {reading->document,
                        reading->field,
                        node->values[i],
                        NULL,
                        reading->ret_error};

                if (node->values[i]->kind == YAML_SCALAR)
                        texts[i] = text_copy(node->values[i]->text);
                if (texts[i])
                        continue;
                free_texts(texts);
                return node->values[i]->kind == YAML_SCALAR ? out_of_memory(reading)
                                                            : refuse(&element, "text");
        }

        free_texts(*(char ***)reading->place);
        *(char ***)reading->place = texts;
        return 0;
}

static int read_node(const Reading *reading)
{
        *(const YamlNode **)reading->place = reading->node;
        return 0;
}

static int (*const readers[])(const Reading *reading) = {
        [FIELD_TEXT] = read_text,
        [FIELD_SECRET] = read_secret,
        [FIELD_INT] = read_int,
        [FIELD_BOOL] = read_bool,
        [FIELD_SPAN] = read_span,
        [FIELD_CHOICE] = read_choice,
        [FIELD_TEXTS] = read_texts,
        [FIELD_NODE] = read_node,
};

static int refuse_unknown(const YamlDocument *document,
        const YamlNode *key,
        const Field *fields,
        size_t n_fields,
        Error *ret_error)
{
        const char *known[FIELDS_MAX + 1] = {};
        const char *nearest;

        for (size_t i = 0; i < n_fields && i < FIELDS_MAX; i++)
                known[i] = fields[i].key;
        nearest = text_nearest(key->text, known);
        return yaml_refuse(document,
                key,
                ret_error,
                "unknown key '%.60s'%s%s%s",
                key->text,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

static int check_required(const YamlDocument *document,
        const YamlNode *mapping,
        const Field *fields,
        size_t n_fields,
        Error *ret_error)
{
        for (size_t i = 0; i < n_fields; i++)
                if (fields[i].required && !yaml_member(mapping, fields[i].key))
                        return yaml_refuse(document,
                                mapping,
                                ret_error,
                                "the key '%s' is missing",
                                fields[i].key);
        return 0;
}

int fields_read(const YamlDocument *document,
        const YamlNode *mapping,
        const Field *fields,
        size_t n_fields,
        void *place,
        Error *ret_error)
{
        if (mapping->kind != YAML_MAPPING)
                return yaml_refuse(document, mapping, ret_error, "expected a mapping of keys");

        for (size_t i = 0; i < mapping->count; i++) {
                const Field *field = fields, *end = fields + n_fields;
                int r;

                while (field < end && !text_equal(field->key, mapping->keys[i]->text))
                        field++;
                if (field == end)
                        return refuse_unknown(
                                document, mapping->keys[i], fields, n_fields, ret_error);

                r = readers[field->type](&(const Reading){document,
                        field,
                        mapping->values[i],
                        (char *)place + field->offset,
                        ret_error});
                if (r < 0)
                        return r;
        }
        return check_required(document, mapping, fields, n_fields, ret_error);
}
