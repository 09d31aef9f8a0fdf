#include "base/yaml.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define ANCHORS_MAX     1000U
#define BYTE_ORDER_MARK "\xEF\xBB\xBF"

typedef struct Anchor {
        char *name;
        YamlNode *node;
        bool complete; /* all of the node has been read: it may be referred to */
} Anchor;

struct YamlDocument {
        char *name;
        YamlNode *root;
        YamlNode **nodes; /* all of them, in the order they were read: for the end */
        size_t n_nodes, allocated;
        size_t n_counted; /* nodes, those behind an alias as often as it is used */
        Anchor *anchors;
        size_t n_anchors;
};

/* A collection while it is read: its children so far. */
typedef struct Children {
        YamlNode **keys;
        YamlNode **values;
        size_t count, allocated;
} Children;

typedef struct Reading {
        yaml_parser_t parser;
        YamlDocument *document;
        unsigned depth;
        YamlFault *ret_fault; /* NULL: not wanted */
        const char *text;
        Error *ret_error;
} Reading;

static void free_node(YamlNode *node)
{
        if (node->text)
                explicit_bzero((char *)(uintptr_t)node->text, node->length);
        free((char *)(uintptr_t)node->text);
        free((char *)(uintptr_t)node->tag);
        free((void *)(uintptr_t)node->keys);
        free((void *)(uintptr_t)node->values);
        free(node);
}

YamlDocument *yaml_document_free(YamlDocument *document)
{
        if (!document)
                return NULL;

        for (size_t i = 0; i < document->n_nodes; i++)
                free_node(document->nodes[i]);
        for (size_t i = 0; i < document->n_anchors; i++)
                free(document->anchors[i].name);
        free((void *)document->nodes);
        free(document->anchors);
        free(document->name);
        free(document);
        return NULL;
}

static int refuse_at(Reading *reading, yaml_mark_t mark, const char *what)
{
        if (reading->ret_fault) {
                *reading->ret_fault = (YamlFault){
                        .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1};
                (void)snprintf(
                        reading->ret_fault->text, sizeof(reading->ret_fault->text), "%s", what);
        }
        return error_set(reading->ret_error,
                -EBADMSG,
                "cannot read '%s': line %zu, column %zu: %s",
                reading->document->name,
                mark.line + 1,
                mark.column + 1,
                what);
}

static int refuse_memory(Reading *reading)
{
        return error_set(
                reading->ret_error, -ENOMEM, "cannot read '%s': %m", reading->document->name);
}

/* The place of a byte: the parser's own is where it has come to, behind what it reads ahead. */
static yaml_mark_t find_mark(const Reading *reading, size_t offset)
{
        yaml_mark_t mark = {};

        for (size_t i = 0; i < offset; i++) {
                bool end = reading->text[i] == '\n';

                mark.line += end;
                mark.column = end ? 0 : mark.column + ((reading->text[i] & 0xC0) != 0x80);
        }
        return mark;
}

/* libyaml's own words, made one sentence; a tab gets the hint that it deserves. */
static int refuse_syntax(Reading *reading)
{
        const yaml_parser_t *parser = &reading->parser;
        const char *problem = parser->problem ? parser->problem : "it is no YAML";

        /* libyaml forgets to name some allocations that failed */
        if (parser->error == YAML_MEMORY_ERROR || parser->error == YAML_NO_ERROR)
                return refuse_memory(reading);
        if (parser->error == YAML_READER_ERROR) {
                (void)refuse_at(reading, find_mark(reading, parser->problem_offset), problem);
                return error_set(reading->ret_error,
                        -EBADMSG,
                        "cannot read '%s': byte %zu: %s; expected UTF-8 text",
                        reading->document->name,
                        parser->problem_offset,
                        problem);
        }
        if (strstr(problem, "cannot start any token") && parser->buffer.pointer[0] == '\t')
                return refuse_at(
                        reading, parser->problem_mark, "a tab cannot be indentation; use spaces");
        return refuse_at(reading, parser->problem_mark, problem);
}

static int next_event(Reading *reading, yaml_event_t *event)
{
        return yaml_parser_parse(&reading->parser, event) ? 0 : refuse_syntax(reading);
}

static void yaml_event_delete_p(yaml_event_t *event)
{
        yaml_event_delete(event);
}

static int count_nodes(Reading *reading, size_t count, yaml_mark_t mark)
{
        YamlDocument *document = reading->document;

        if (count > YAML_NODES_MAX - document->n_counted)
                return refuse_at(reading, mark, "it has too many nodes, counting aliases");
        document->n_counted += count;
        return 0;
}

static int new_node(Reading *reading, YamlKind kind, const yaml_event_t *event, YamlNode **ret)
{
        YamlDocument *document = reading->document;
        YamlNode *node;
        int r;

        r = count_nodes(reading, 1, event->start_mark);
        if (r < 0)
                return r;

        if (document->n_nodes == document->allocated) {
                size_t allocated = document->allocated ? 2 * document->allocated : 64;
                YamlNode **nodes = (YamlNode **)reallocarray(
                        (void *)document->nodes, allocated, sizeof(*nodes));

                if (!nodes)
                        return refuse_memory(reading);
                document->nodes = nodes;
                document->allocated = allocated;
        }

        node = calloc(1, sizeof(*node));
        if (!node)
                return refuse_memory(reading);
        node->kind = kind;
        node->line = (unsigned)event->start_mark.line + 1;
        node->column = (unsigned)event->start_mark.column + 1;
        document->nodes[document->n_nodes++] = node;
        *ret = node;
        return 0;
}

static int set_tag(Reading *reading, YamlNode *node, const yaml_char_t *tag)
{
        if (!tag)
                return 0;
        node->tag = text_copy((const char *)tag);
        return node->tag ? 0 : refuse_memory(reading);
}

/* Notes the anchor; *ret_index is its place, for when the node is complete. A name that is used
 * again means the newer node from there on (YAML 1.1, 7.1). */
static int add_anchor(Reading *reading,
        const yaml_char_t *name,
        YamlNode *node,
        yaml_mark_t mark,
        size_t *ret_index)
{
        YamlDocument *document = reading->document;
        Anchor *anchors;

        if (!name)
                return 0;
        if (document->n_anchors >= ANCHORS_MAX)
                return refuse_at(reading, mark, "it has too many anchors");

        anchors = reallocarray(document->anchors, document->n_anchors + 1, sizeof(*anchors));
        if (!anchors)
                return refuse_memory(reading);
        document->anchors = anchors;
        anchors[document->n_anchors] = (Anchor){text_copy((const char *)name), node, false};
        if (!anchors[document->n_anchors].name)
                return refuse_memory(reading);
        *ret_index = document->n_anchors++;
        return 0;
}

static void complete_anchor(Reading *reading, size_t index)
{
        if (index != SIZE_MAX)
                reading->document->anchors[index].complete = true;
}

/* A node and all below it, an alias's as often as it is used; at most `limit` are counted, so that
 * a tree of aliases to aliases ends soon. */
static size_t weigh(const YamlNode *node, size_t limit)
{
        size_t weight = 1;

        for (size_t i = 0; i < node->count && weight < limit; i++) {
                weight += weigh(node->values[i], limit - weight);
                if (node->kind == YAML_MAPPING)
                        weight++;
        }
        return weight;
}

static int read_alias(Reading *reading, const yaml_event_t *event, YamlNode **ret)
{
        const YamlDocument *document = reading->document;
        const char *name = (const char *)event->data.alias.anchor;
        int r;

        for (size_t i = document->n_anchors; i-- > 0;) {
                const Anchor *anchor = &document->anchors[i];

                if (!text_equal(anchor->name, name))
                        continue;
                if (!anchor->complete)
                        return refuse_at(reading, event->start_mark, "an alias contains itself");
                r = count_nodes(reading, weigh(anchor->node, YAML_NODES_MAX), event->start_mark);
                if (r < 0)
                        return r;
                *ret = anchor->node;
                return 0;
        }
        return refuse_at(reading, event->start_mark, "an alias of an anchor that is not there");
}

static bool is_null(const char *text)
{
        return text_is_empty(text) || text_equal(text, "~") || text_equal(text, "null") ||
               text_equal(text, "Null") || text_equal(text, "NULL");
}

static int read_scalar(Reading *reading, const yaml_event_t *event, YamlNode **ret)
{
        const char *text = (const char *)event->data.scalar.value;
        size_t length = event->data.scalar.length, anchor = SIZE_MAX;
        bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        bool null = plain && !event->data.scalar.tag && is_null(text);
        YamlNode *node;
        char *copy;
        int r;

        if (strlen(text) != length)
                return refuse_at(reading, event->start_mark, "a NUL character is not accepted");

        r = new_node(reading, null ? YAML_NULL : YAML_SCALAR, event, &node);
        if (r < 0)
                return r;
        copy = text_copy_part(text, length);
        if (!copy)
                return refuse_memory(reading);
        node->text = copy;
        node->length = length;
        node->plain = plain;

        r = set_tag(reading, node, event->data.scalar.tag);
        if (r == 0)
                r = add_anchor(
                        reading, event->data.scalar.anchor, node, event->start_mark, &anchor);
        if (r < 0)
                return r;
        complete_anchor(reading, anchor);
        *ret = node;
        return 0;
}

static int add_child(Reading *reading, Children *children, YamlNode *key, YamlNode *value)
{
        if (children->count == children->allocated) {
                size_t allocated = children->allocated ? 2 * children->allocated : 8;
                YamlNode **keys, **values;

                keys = (YamlNode **)reallocarray((void *)children->keys, allocated, sizeof(*keys));
                if (!keys)
                        return refuse_memory(reading);
                children->keys = keys;
                values = (YamlNode **)reallocarray(
                        (void *)children->values, allocated, sizeof(*values));
                if (!values)
                        return refuse_memory(reading);
                children->values = values;
                children->allocated = allocated;
        }

        children->keys[children->count] = key;
        children->values[children->count++] = value;
        return 0;
}

static void children_done(Children *children)
{
        free((void *)children->keys);
        free((void *)children->values);
}
DEFINE_CLEANUP_IN_PLACE(Children, children_done);

static int read_node(Reading *reading, const yaml_event_t *event, YamlNode **ret);

static int check_key(Reading *reading, const Children *children, const YamlNode *key)
{
        yaml_mark_t mark = {.line = key->line - 1, .column = key->column - 1};
        char what[160];

        if (key->kind != YAML_SCALAR)
                return refuse_at(reading, mark, "expected a plain string as the key");

        for (size_t i = 0; i < children->count; i++) {
                if (!text_equal(children->keys[i]->text, key->text))
                        continue;
                (void)snprintf(what,
                        sizeof(what),
                        "the key '%.60s' stands here again; it is in line %u already",
                        key->text,
                        children->keys[i]->line);
                return refuse_at(reading, mark, what);
        }
        return 0;
}

/* Everything up to the end event of a sequence or mapping whose start has been read. */
static int read_children(Reading *reading, YamlKind kind, Children *children)
{
        yaml_event_type_t last =
                kind == YAML_MAPPING ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;

        for (;;) {
                _cleanup_(yaml_event_delete) yaml_event_t event = {};
                _cleanup_(yaml_event_delete) yaml_event_t value_event = {};
                YamlNode *key = NULL, *value = NULL;
                int r;

                r = next_event(reading, &event);
                if (r < 0)
                        return r;
                if (event.type == last)
                        return 0;

                r = read_node(reading, &event, kind == YAML_MAPPING ? &key : &value);
                if (r == 0 && kind == YAML_MAPPING) {
                        r = check_key(reading, children, key);
                        if (r == 0)
                                r = next_event(reading, &value_event);
                        if (r == 0)
                                r = read_node(reading, &value_event, &value);
                }
                if (r == 0)
                        r = add_child(reading, children, key, value);
                if (r < 0)
                        return r;
        }
}

static int read_collection(Reading *reading, const yaml_event_t *event, YamlNode **ret)
{
        YamlKind kind = event->type == YAML_MAPPING_START_EVENT ? YAML_MAPPING : YAML_SEQUENCE;
        const yaml_char_t *tag = kind == YAML_MAPPING ? event->data.mapping_start.tag
                                                      : event->data.sequence_start.tag;
        const yaml_char_t *name = kind == YAML_MAPPING ? event->data.mapping_start.anchor
                                                       : event->data.sequence_start.anchor;
        _cleanup_(children_done) Children children = {};
        YamlNode *node;
        size_t anchor = SIZE_MAX;
        int r;

        if (reading->depth >= YAML_DEPTH_MAX)
                return refuse_at(reading, event->start_mark, "it is nested too deep");

        r = new_node(reading, kind, event, &node);
        if (r == 0)
                r = set_tag(reading, node, tag);
        if (r == 0)
                r = add_anchor(reading, name, node, event->start_mark, &anchor);
        if (r < 0)
                return r;

        reading->depth++;
        r = read_children(reading, kind, &children);
        reading->depth--;
        if (r < 0)
                return r;

        node->count = children.count;
        node->values = TAKE_PTR(children.values);
        if (kind == YAML_MAPPING)
                node->keys = TAKE_PTR(children.keys);
        complete_anchor(reading, anchor);
        *ret = node;
        return 0;
}

static int read_node(Reading *reading, const yaml_event_t *event, YamlNode **ret)
{
        switch ((int)event->type) {
        case YAML_ALIAS_EVENT:
                return read_alias(reading, event, ret);
        case YAML_SCALAR_EVENT:
                return read_scalar(reading, event, ret);
        case YAML_SEQUENCE_START_EVENT:
        case YAML_MAPPING_START_EVENT:
                return read_collection(reading, event, ret);
        default:
                return refuse_at(reading, event->start_mark, "expected a value");
        }
}

/* The events around the one document: stream start, document start, node, document end, stream end.
 */
static int read_stream(Reading *reading)
{
        bool seen = false;

        for (;;) {
                _cleanup_(yaml_event_delete) yaml_event_t event = {};
                int r;

                r = next_event(reading, &event);
                if (r < 0)
                        return r;

                switch ((int)event.type) {
                case YAML_STREAM_START_EVENT:
                case YAML_DOCUMENT_END_EVENT:
                        break;
                case YAML_STREAM_END_EVENT:
                        return seen ? 0
                                    : new_node(
                                              reading, YAML_NULL, &event, &reading->document->root);
                case YAML_DOCUMENT_START_EVENT:
                        if (seen)
                                return refuse_at(reading,
                                        event.start_mark,
                                        "a second document begins; expected one");
                        seen = true;
                        break;
                default:
                        r = read_node(reading, &event, &reading->document->root);
                        if (r < 0)
                                return r;
                }
        }
}

int yaml_parse(
        const char *name, const char *text, size_t size, YamlDocument **ret, Error *ret_error)
{
        return yaml_parse_or_place(name, text, size, ret, NULL, ret_error);
}

int yaml_parse_or_place(const char *name,
        const char *text,
        size_t size,
        YamlDocument **ret,
        YamlFault *ret_fault,
        Error *ret_error)
{
        _cleanup_(yaml_document_free) YamlDocument *document = calloc(1, sizeof(*document));
        Reading reading = {.document = document, .ret_fault = ret_fault, .ret_error = ret_error};
        int r;

        if (document)
                document->name = text_copy(name);
        if (!document || !document->name || !yaml_parser_initialize(&reading.parser))
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);

        /* libyaml counts a byte order mark as a column once the encoding is set: the first line
         * would be indented by one (YAML 1.1, 5.2). */
        if (size >= strlen(BYTE_ORDER_MARK) &&
                memcmp(text, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0) {
                text += strlen(BYTE_ORDER_MARK);
                size -= strlen(BYTE_ORDER_MARK);
        }
        reading.text = text;
        yaml_parser_set_encoding(&reading.parser, YAML_UTF8_ENCODING);
        yaml_parser_set_input_string(&reading.parser, (const unsigned char *)text, size);
        r = read_stream(&reading);
        yaml_parser_delete(&reading.parser);
        if (r < 0)
                return r;

        *ret = TAKE_PTR(document);
        return 0;
}

const YamlNode *yaml_root(const YamlDocument *document)
{
        return document->root;
}

const char *yaml_name(const YamlDocument *document)
{
        return document->name;
}

const YamlNode *yaml_member(const YamlNode *mapping, const char *key)
{
        if (mapping->kind != YAML_MAPPING)
                return NULL;
        for (size_t i = 0; i < mapping->count; i++)
                if (text_equal(mapping->keys[i]->text, key))
                        return mapping->values[i];
        return NULL;
}

int yaml_refuse(const YamlDocument *document,
        const YamlNode *node,
        Error *ret_error,
        const char *format,
        ...)
{
        char text[ERROR_TEXT_MAX];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        return error_set(ret_error,
                -EBADMSG,
                "cannot read '%s': line %u, column %u: %s",
                document->name,
                node->line,
                node->column,
                text);
}

int yaml_append_quoted(Buffer *buffer, const char *text)
{
        int r = buffer_append_text(buffer, "\"");

        for (; r == 0 && *text; text++) {
                unsigned char c = (unsigned char)*text;

                if (c == '"' || c == '\\')
                        r = buffer_append_format(buffer, "\\%c", c);
                else if (c < 0x20 || c == 0x7F)
                        r = buffer_append_format(buffer, "\\x%02X", c);
                else
                        r = buffer_append(buffer, text, 1);
        }
        return r < 0 ? r : buffer_append_text(buffer, "\"");
}
