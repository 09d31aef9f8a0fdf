#include "base/json.h"

#include "base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

/* jansson has macros of these names; here they are functions, for files that know no jansson. */
#undef json_is_object
#undef json_is_array
#undef json_is_string

#define FOUND_MAX 80U

/* jansson's own bound on nesting (JSON_PARSER_MAX_DEPTH, 2048) is more than our recursion wants. */
static int check_depth(const char *name, const char *text, size_t size, Error *ret_error)
{
        unsigned depth = 0, line = 1;
        bool quoted = false;

        for (size_t i = 0; i < size; i++) {
                if (text[i] == '\n')
                        line++;
                if (quoted) {
                        if (text[i] == '\\')
                                i++;
                        else if (text[i] == '"')
                                quoted = false;
                } else if (text[i] == '"')
                        quoted = true;
                else if (text[i] == '{' || text[i] == '[')
                        depth++;
                else if ((text[i] == '}' || text[i] == ']') && depth > 0)
                        depth--;
                if (depth > JSON_DEPTH_MAX)
                        return error_set(ret_error,
                                -EBADMSG,
                                "cannot read '%s': line %u: nested deeper than %u levels",
                                name,
                                line,
                                JSON_DEPTH_MAX);
        }
        return 0;
}

Json *json_ref(Json *json)
{
        return json_incref(json);
}

Json *json_free(Json *json)
{
        json_decref(json);
        return NULL;
}

/* jansson ends most sentences with what it met: up to 20 bytes of the text, in quotes. */
static const char *describe_fault(json_error_t *error, bool secret)
{
        char *quote = secret ? strstr(error->text, " near '") : NULL;

        if (quote)
                *quote = '\0';
        return error->text;
}

static int parse(
        const char *name, const char *text, size_t size, bool secret, Json **ret, Error *ret_error)
{
        json_error_t error;
        json_t *json;
        int r;

        r = check_depth(name, text, size, ret_error);
        if (r < 0)
                return r;

        json = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        /* jansson forgets to name some allocations that failed */
        if (!json && (json_error_code(&error) == json_error_out_of_memory || !error.text[0]))
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        if (!json)
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': line %d, column %d: %s",
                        name,
                        error.line < 1 ? 1 : error.line,
                        error.column < 0 ? 0 : error.column,
                        size == 0 ? "it is empty" : describe_fault(&error, secret));

        *ret = json;
        return 0;
}

int json_parse(const char *name, const char *text, size_t size, Json **ret, Error *ret_error)
{
        return parse(name, text, size, false, ret, ret_error);
}

int json_parse_secret(const char *name, const char *text, size_t size, Json **ret, Error *ret_error)
{
        return parse(name, text, size, true, ret, ret_error);
}

bool json_is_object(const Json *json)
{
        return json && json_typeof(json) == JSON_OBJECT;
}

bool json_is_array(const Json *json)
{
        return json && json_typeof(json) == JSON_ARRAY;
}

bool json_is_string(const Json *json)
{
        return json && json_typeof(json) == JSON_STRING;
}

const Json *json_member(const Json *object, const char *key)
{
        return json_object_get(object, key);
}

const Json *json_element(const Json *array, size_t index)
{
        return json_array_get(array, index);
}

size_t json_count(const Json *array_or_object)
{
        return json_is_array(array_or_object) ? json_array_size(array_or_object)
                                              : json_object_size(array_or_object);
}

bool json_is_same(const Json *a, const Json *b)
{
        return json_equal(a, b) == 1;
}

bool json_next_member(
        const Json *object, void **iterator, const char **ret_key, const Json **ret_value)
{
        json_t *place = (json_t *)(uintptr_t)object; /* jansson iterates over what is not const */

        *iterator = *iterator ? json_object_iter_next(place, *iterator) : json_object_iter(place);
        if (!*iterator)
                return false;

        *ret_key = json_object_iter_key(*iterator);
        *ret_value = json_object_iter_value(*iterator);
        return true;
}

const char *json_text(const Json *string)
{
        return json_string_value(string);
}

int json_int64(const Json *number, int64_t *ret)
{
        if (!number || json_typeof(number) != JSON_INTEGER)
                return -EINVAL;
        *ret = json_integer_value(number);
        return 0;
}

/* What stands there, short, for a sentence. Only of numbers and words: a string may be a secret. */
static const char *found(const Json *value, char place[FOUND_MAX])
{
        switch (json_typeof(value)) {
        case JSON_OBJECT:
                return "an object";
        case JSON_ARRAY:
                return "an array";
        case JSON_STRING:
                return "a string";
        case JSON_INTEGER:
                (void)snprintf(place, FOUND_MAX, "%" PRId64, (int64_t)json_integer_value(value));
                return place;
        case JSON_REAL:
                (void)snprintf(place, FOUND_MAX, "%g", json_real_value(value));
                return place;
        case JSON_TRUE:
                return "true";
        case JSON_FALSE:
                return "false";
        case JSON_NULL:
                return "null";
        default:
                return "something else";
        }
}

static int refuse(const char *where,
        const char *key,
        const char *expected,
        const Json *value,
        Error *ret_error)
{
        char place[FOUND_MAX];

        return error_set(ret_error,
                -EBADMSG,
                "cannot read '%s': %s: expected %s, found %s",
                where,
                key,
                expected,
                found(value, place));
}

/* The member, or -ENOENT with the sentence. */
static int get(
        const Json *object, const char *where, const char *key, const Json **ret, Error *ret_error)
{
        const Json *value;

        if (!json_is_object(object))
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': expected an object with the member '%s'",
                        where,
                        key);
        value = json_object_get(object, key);
        if (!value)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot read '%s': the member '%s' is missing",
                        where,
                        key);
        *ret = value;
        return 0;
}

int json_get_text(
        const Json *object, const char *where, const char *key, const char **ret, Error *ret_error)
{
        const Json *value;
        int r;

        r = get(object, where, key, &value, ret_error);
        if (r < 0)
                return r;
        if (!json_is_string(value))
                return refuse(where, key, "a string", value, ret_error);

        *ret = json_string_value(value);
        return 0;
}

int json_get_int64(const Json *object,
        const char *where,
        const char *key,
        int64_t min,
        int64_t max,
        int64_t *ret,
        Error *ret_error)
{
        const Json *value;
        char expected[96];
        int64_t number;
        int r;

        r = get(object, where, key, &value, ret_error);
        if (r < 0)
                return r;
        if (json_int64(value, &number) < 0 || number < min || number > max) {
                (void)snprintf(expected,
                        sizeof(expected),
                        "an integer from %" PRId64 " to %" PRId64,
                        min,
                        max);
                return refuse(where, key, expected, value, ret_error);
        }

        *ret = number;
        return 0;
}

int json_get_bool(
        const Json *object, const char *where, const char *key, bool *ret, Error *ret_error)
{
        const Json *value;
        int r;

        r = get(object, where, key, &value, ret_error);
        if (r < 0)
                return r;
        if (!json_is_boolean(value))
                return refuse(where, key, "true or false", value, ret_error);

        *ret = json_is_true(value);
        return 0;
}

/* A member that holds others; `is` tells the kind that is expected. */
static int get_container(const Json *object,
        const char *where,
        const char *key,
        bool (*is)(const Json *json),
        const char *expected,
        const Json **ret,
        Error *ret_error)
{
        const Json *value;
        int r;

        r = get(object, where, key, &value, ret_error);
        if (r < 0)
                return r;
        if (!is(value))
                return refuse(where, key, expected, value, ret_error);

        *ret = value;
        return 0;
}

int json_get_object(
        const Json *object, const char *where, const char *key, const Json **ret, Error *ret_error)
{
        return get_container(object, where, key, json_is_object, "an object", ret, ret_error);
}

int json_get_array(
        const Json *object, const char *where, const char *key, const Json **ret, Error *ret_error)
{
        return get_container(object, where, key, json_is_array, "an array", ret, ret_error);
}

int json_get_secret(
        const Json *object, const char *where, const char *key, Secret **ret, Error *ret_error)
{
        const char *text;
        int r;

        r = json_get_text(object, where, key, &text, ret_error);
        if (r < 0)
                return r;

        r = secret_new_text(text, ret);
        if (r < 0)
                return error_set(ret_error, r, "cannot keep '%s' of '%s': %m", key, where);
        return 0;
}

int json_check_keys(
        const Json *object, const char *where, const char *const *keys, Error *ret_error)
{
        const char *key;
        const Json *value;
        void *iterator = NULL;

        while (json_next_member(object, &iterator, &key, &value)) {
                const char *nearest;
                size_t i;

                for (i = 0; keys[i]; i++)
                        if (text_equal(keys[i], key))
                                break;
                if (keys[i])
                        continue;

                nearest = text_nearest(key, keys);
                return error_set(ret_error,
                        -EBADMSG,
                        "cannot read '%s': unknown member '%.40s'%s%s%s",
                        where,
                        key,
                        nearest ? " (did you mean '" : "",
                        nearest ? nearest : "",
                        nearest ? "'?)" : "");
        }
        return 0;
}

Json *json_new_object(void)
{
        return json_object();
}

Json *json_new_array(void)
{
        return json_array();
}

Json *json_new_text(const char *text)
{
        return json_string(text);
}

Json *json_new_int64(int64_t number)
{
        return json_integer(number);
}

Json *json_new_bool(bool value)
{
        return value ? json_true() : json_false();
}

int json_set(Json *object, const char *key, Json *take_value)
{
        return json_object_set_new(object, key, take_value) < 0 ? -ENOMEM : 0;
}

int json_set_text(Json *object, const char *key, const char *text)
{
        if (!text_is_utf8(text, strlen(text)))
                return -EBADMSG;
        return json_set(object, key, json_string(text));
}

int json_set_int64(Json *object, const char *key, int64_t number)
{
        return json_set(object, key, json_integer(number));
}

int json_set_bool(Json *object, const char *key, bool value)
{
        return json_set(object, key, json_new_bool(value));
}

int json_append(Json *array, Json *take_value)
{
        return json_array_append_new(array, take_value) < 0 ? -ENOMEM : 0;
}

static int append_dumped(const char *text, size_t size, void *userdata)
{
        return buffer_append(userdata, text, size) < 0 ? -1 : 0;
}

int json_format(const Json *json, JsonFormat format, Buffer *buffer)
{
        size_t flags = JSON_ENCODE_ANY | (format == JSON_INDENTED ? JSON_INDENT(2) : JSON_COMPACT);

        if (json_dump_callback(json, append_dumped, buffer, flags) < 0)
                return -ENOBUFS;
        return format == JSON_INDENTED ? buffer_append_text(buffer, "\n") : 0;
}
