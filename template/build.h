/* JSON written down as it will read: objects and lists out of their parts, and a template's
 * functions. What is put in belongs to what it is put into, also on failure; each gives NULL when
 * memory is out or a part is NULL, so that one check at the end is enough.
 *
 *         build_object({"Type", json_new_text("AWS::S3::Bucket")},
 *                 {retained ? "DeletionPolicy" : NULL, json_new_text("Retain")});
 */

#pragma once

#include "base/json.h"

typedef struct BuildMember {
        const char *key; /* NULL: the member is left out */
        Json *value;
} BuildMember;

#define build_object(...)                                   \
        build_object_of((const BuildMember[]){__VA_ARGS__}, \
                sizeof((const BuildMember[]){__VA_ARGS__}) / sizeof(BuildMember))
#define build_list(...)                             \
        build_list_of((Json *const[]){__VA_ARGS__}, \
                sizeof((Json *const[]){__VA_ARGS__}) / sizeof(Json *))

Json *build_object_of(const BuildMember *members, size_t count);
Json *build_list_of(Json *const *elements, size_t count);

/* Strings: as it stands, and of a format (NULL when memory is out). */
Json *build_text(const char *text);
Json *build_format(const char *format, ...) _printf_(1, 2);

/* {"Ref": name}, {"Fn::GetAtt": [name, attribute]}, {"Fn::Sub": text}, {"Fn::If": [condition, yes,
 * no]}. */
Json *build_ref(const char *name);
Json *build_get_att(const char *name, const char *attribute);
Json *build_sub(const char *text);
Json *build_sub_format(const char *format, ...) _printf_(1, 2);
Json *build_if(const char *condition, Json *yes, Json *no);

/* {"Ref": "AWS::NoValue"} */
Json *build_no_value(void);

/* {"Type": type, "Properties": properties} */
Json *build_resource(const char *type, Json *properties);
