/* YAML 1.1, read over libyaml into a tree whose nodes know their place in the text; no other file
 * includes libyaml. One document a text.
 *
 * Refused, each with "cannot read '<name>': line L, column C: …" and -EBADMSG: what is not YAML,
 * tabs as indentation (with that hint), duplicate keys, keys that are no plain strings, more than
 * one document, nesting deeper than YAML_DEPTH_MAX, more than YAML_NODES_MAX nodes. Aliases share
 * their anchor's node; they are counted as often as they are used, so an alias bomb meets the
 * bound; one that contains itself is refused.
 */

#pragma once

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"

#include <stdbool.h>

#define YAML_DEPTH_MAX 64U
#define YAML_NODES_MAX 100000U

typedef enum YamlKind {
        YAML_NULL, /* nothing, "~", "null" unquoted */
        YAML_SCALAR,
        YAML_SEQUENCE,
        YAML_MAPPING,
} YamlKind;

typedef struct YamlNode YamlNode;
typedef struct YamlDocument YamlDocument;

struct YamlNode {
        YamlKind kind;
        const char *tag;         /* as written ("!Ref", "tag:yaml.org,2002:str"); NULL: none */
        const char *text;        /* of a scalar, NUL-ended; NULL otherwise */
        size_t length;           /* of text */
        bool plain;              /* a scalar without quotes, which may be a number or a boolean */
        unsigned line;           /* from 1 */
        unsigned column;         /* from 1 */
        size_t count;            /* of elements, or of pairs */
        YamlNode *const *keys;   /* of a mapping: scalars */
        YamlNode *const *values; /* of a mapping; a sequence's elements */
};

/* A text of no document at all (empty, only comments) gives a root of kind YAML_NULL. The tree is
 * the document's, cleansed with it. */
int yaml_parse(
        const char *name, const char *text, size_t size, YamlDocument **ret, Error *ret_error);

/* The same; on -EBADMSG also where it was refused, and the cause alone, for who shows them in
 * another way than by the sentence. */
typedef struct YamlFault {
        unsigned line, column;
        char text[256];
} YamlFault;
int yaml_parse_or_place(const char *name,
        const char *text,
        size_t size,
        YamlDocument **ret,
        YamlFault *ret_fault,
        Error *ret_error);

YamlDocument *yaml_document_free(YamlDocument *document);
DEFINE_CLEANUP(YamlDocument *, yaml_document_free);

const YamlNode *yaml_root(const YamlDocument *document);
const char *yaml_name(const YamlDocument *document); /* for sentences */

const YamlNode *yaml_member(const YamlNode *mapping, const char *key); /* NULL: none */

/* Writes "cannot read '<name>': line L, column C: <text>" and returns -EBADMSG. */
int yaml_refuse(const YamlDocument *document,
        const YamlNode *node,
        Error *ret_error,
        const char *format,
        ...) _printf_(4, 5);

/* Writes `text` as a double-quoted YAML scalar (YAML 1.2, 5.7): the writer's one quoting. */
int yaml_append_quoted(Buffer *buffer, const char *text);
