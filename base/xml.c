#include "base/xml.h"

#include "base/buffer.h"
#include "base/text.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1024U * 1024U)

/* What is open while expat walks through the text. */
typedef struct Reading {
        XML_Parser parser;
        XmlElement *root;
        XmlElement *open;                /* the innermost element that has not ended */
        XmlElement *last[XML_DEPTH_MAX]; /* of each level: the youngest child */
        Buffer texts[XML_DEPTH_MAX];     /* of each level: the open element's text */
        unsigned depth;
        unsigned count;
        const char *refusal; /* why the reading was ended by us; NULL: it was not */
        int code;
} Reading;

XmlElement *xml_free(XmlElement *root)
{
        while (root) {
                XmlElement *next = root->next;

                (void)xml_free(root->children); /* as deep as XML_DEPTH_MAX at most */
                free(root->name);
                free(root->text);
                free(root);
                root = next;
        }
        return NULL;
}

static void stop(Reading *reading, int code, const char *refusal)
{
        if (reading->refusal)
                return;
        reading->refusal = refusal;
        reading->code = code;
        (void)XML_StopParser(reading->parser, XML_FALSE);
}

static void link_element(Reading *reading, XmlElement *element)
{
        XmlElement **last = &reading->last[reading->depth];

        element->parent = reading->open;
        if (!reading->open)
                reading->root = element;
        else if (reading->open->children)
                (*last)->next = element;
        else
                reading->open->children = element;
        *last = element;
}

static void start_element(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
        Reading *reading = userdata;
        const char *colon = strrchr(name, ':');
        XmlElement *element;

        (void)attributes;
        if (reading->depth >= XML_DEPTH_MAX)
                return stop(reading, -EBADMSG, "elements are nested too deep");
        if (++reading->count > XML_ELEMENTS_MAX)
                return stop(reading, -EBADMSG, "it has too many elements");

        element = calloc(1, sizeof(*element));
        if (!element)
                return stop(reading, -ENOMEM, "out of memory");
        link_element(reading, element);

        element->name = text_copy(colon ? colon + 1 : name);
        if (!element->name)
                return stop(reading, -ENOMEM, "out of memory");
        reading->open = element;
        reading->texts[reading->depth++] = BUFFER_INIT(TEXT_MAX);
}

static void end_element(void *userdata, const XML_Char *name)
{
        Reading *reading = userdata;
        Buffer *text;

        (void)name;
        if (reading->refusal) /* expat ends an empty element also after XML_StopParser() */
                return;
        text = &reading->texts[reading->depth - 1];
        reading->open->text = buffer_take(text, NULL);
        if (!reading->open->text)
                return stop(reading, -ENOMEM, "out of memory");
        reading->open = reading->open->parent;
        reading->depth--;
}

static void character_data(void *userdata, const XML_Char *text, int length)
{
        Reading *reading = userdata;
        int r;

        if (reading->refusal || reading->depth == 0)
                return;
        r = buffer_append(&reading->texts[reading->depth - 1], text, (size_t)length);
        if (r == -ENOMEM)
                stop(reading, r, "out of memory");
        else if (r < 0)
                stop(reading, -EBADMSG, "an element's text is too long");
}

static void start_doctype(void *userdata,
        const XML_Char *name,
        const XML_Char *system_id,
        const XML_Char *public_id,
        int internal)
{
        (void)name;
        (void)system_id;
        (void)public_id;
        (void)internal;
        stop(userdata, -EBADMSG, "a document type declaration is not accepted");
}

static int parse(
        Reading *reading, const char *name, const char *text, size_t size, Error *ret_error)
{
        XML_Parser parser = reading->parser;

        XML_SetUserData(parser, reading);
        XML_SetElementHandler(parser, start_element, end_element);
        XML_SetCharacterDataHandler(parser, character_data);
        XML_SetStartDoctypeDeclHandler(parser, start_doctype);

        if (size > INT32_MAX)
                return error_set(ret_error, -EFBIG, "cannot read '%s': %m", name);
        if (XML_Parse(parser, text, (int)size, XML_TRUE) == XML_STATUS_OK)
                return 0;

        if (XML_GetErrorCode(parser) == XML_ERROR_NO_MEMORY)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);
        return error_set(ret_error,
                reading->refusal ? reading->code : -EBADMSG,
                "cannot read '%s': line %lu, column %lu: %s",
                name,
                XML_GetCurrentLineNumber(parser),
                XML_GetCurrentColumnNumber(parser) + 1,
                reading->refusal ? reading->refusal : XML_ErrorString(XML_GetErrorCode(parser)));
}

int xml_parse(const char *name, const char *text, size_t size, XmlElement **ret, Error *ret_error)
{
        Reading reading = {};
        int r;

        reading.parser = XML_ParserCreate(NULL);
        if (!reading.parser)
                return error_set(ret_error, -ENOMEM, "cannot read '%s': %m", name);

        r = parse(&reading, name, text, size, ret_error);
        XML_ParserFree(reading.parser);
        for (unsigned i = 0; i < reading.depth; i++)
                buffer_done(&reading.texts[i]);

        if (r < 0) {
                (void)xml_free(reading.root);
                return r;
        }
        *ret = reading.root;
        return 0;
}

const XmlElement *xml_child(const XmlElement *element, const char *name)
{
        if (!element)
                return NULL;
        for (const XmlElement *child = element->children; child; child = child->next)
                if (text_equal(child->name, name))
                        return child;
        return NULL;
}

const XmlElement *xml_next(const XmlElement *element)
{
        for (const XmlElement *next = element->next; next; next = next->next)
                if (text_equal(next->name, element->name))
                        return next;
        return NULL;
}

const char *xml_child_text(const XmlElement *element, const char *name)
{
        const XmlElement *child = xml_child(element, name);

        return child ? child->text : NULL;
}
