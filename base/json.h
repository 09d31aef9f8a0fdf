/* JSON, read and written over jansson; no other file includes jansson.
 *
 * Reading is strict (RFC 8259 in UTF-8): duplicate members, values nested deeper than
 * JSON_DEPTH_MAX, and anything behind the value are refused, with name:line:column. The getters say
 * what is wrong where: "cannot read 'manifest.json': objects[3].size: expected an integer from 0 to
 * 1048576, found \"12\"".
 */

#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>

#define JSON_DEPTH_MAX 64U

typedef struct json_t Json; /* jansson's own; counted */

Json *json_ref(Json *json);  /* one more owner */
Json *json_free(Json *json); /* one owner less; NULL is allowed; returns NULL */
DEFINE_CLEANUP(Json *, json_free);

/* -EBADMSG with "cannot read '<name>': line 3, column 7: …", -ENOMEM. */
int json_parse(const char *name, const char *text, size_t size, Json **ret, Error *ret_error);

/* Likewise, of a text that holds, or may hold, secrets: the sentence quotes nothing of it. */
int json_parse_secret(
        const char *name, const char *text, size_t size, Json **ret, Error *ret_error);

/* What it is; all are false for NULL. */
bool json_is_object(const Json *json);
bool json_is_array(const Json *json);
bool json_is_string(const Json *json);

/* A member of an object, or an element, or NULL; borrowed. */
const Json *json_member(const Json *object, const char *key);
const Json *json_element(const Json *array, size_t index);
size_t json_count(const Json *array_or_object);

/* Goes over an object's members in their order; `*iterator` starts NULL. False at the end. */
bool json_next_member(
        const Json *object, void **iterator, const char **ret_key, const Json **ret_value);

/* The same values, whatever the order of members? */
bool json_is_same(const Json *a, const Json *b);

/* The plain value, borrowed; NULL if it is not a string. */
const char *json_text(const Json *string);
int json_int64(const Json *number, int64_t *ret); /* -EINVAL if it is not an integer */

/* A required member of a type. `where` names the document (and place in it) in the sentence.
 * -ENOENT: no such member; -EBADMSG: another type, or out of range: both with the sentence. */
int json_get_text(
        const Json *object, const char *where, const char *key, const char **ret, Error *ret_error);
int json_get_int64(const Json *object,
        const char *where,
        const char *key,
        int64_t min,
        int64_t max,
        int64_t *ret,
        Error *ret_error);
int json_get_bool(
        const Json *object, const char *where, const char *key, bool *ret, Error *ret_error);
int json_get_object(
        const Json *object, const char *where, const char *key, const Json **ret, Error *ret_error);
int json_get_array(
        const Json *object, const char *where, const char *key, const Json **ret, Error *ret_error);
int json_get_secret(
        const Json *object, const char *where, const char *key, Secret **ret, Error *ret_error);

/* Refuses members that are not among `keys` (NULL-ended), naming the nearest known one. -EBADMSG.
 */
int json_check_keys(
        const Json *object, const char *where, const char *const *keys, Error *ret_error);

/* Building. The new value is the caller's; what is set or appended becomes the container's also on
 * failure, so that calls can be nested and checked once: each returns -ENOMEM if a value is NULL
 * (as when memory was out while making it), -EBADMSG if text is not UTF-8. */
Json *json_new_object(void);
Json *json_new_array(void);
Json *json_new_text(const char *text);
Json *json_new_int64(int64_t number);
Json *json_new_bool(bool value);
int json_set(Json *object, const char *key, Json *take_value);
int json_set_text(Json *object, const char *key, const char *text);
int json_set_int64(Json *object, const char *key, int64_t number);
int json_set_bool(Json *object, const char *key, bool value);
int json_append(Json *array, Json *take_value);

typedef enum JsonFormat {
        JSON_ONE_LINE, /* no blanks */
        JSON_INDENTED, /* two blanks a level, members in the order they were set, a newline at the
                          end */
} JsonFormat;

/* Appends the value's text to `buffer`. -ENOMEM, -ENOBUFS. */
int json_format(const Json *json, JsonFormat format, Buffer *buffer);
