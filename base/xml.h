/* XML as S3 answers it, read over expat into a small tree; no other file includes expat.
 *
 * Refused with -EBADMSG: what is not well-formed, a document type declaration (so no entities of a
 * peer's making), nesting deeper than XML_DEPTH_MAX, more than XML_ELEMENTS_MAX elements.
 * Attributes and namespaces' prefixes are dropped: S3's answers say nothing in them.
 */

#pragma once

#include "base/error.h"

#define XML_DEPTH_MAX    32U
#define XML_ELEMENTS_MAX 50000U

typedef struct XmlElement XmlElement;

struct XmlElement {
        char *name;
        char *text;           /* its own text, entities resolved, never NULL */
        XmlElement *parent;   /* NULL: the root */
        XmlElement *children; /* the first; NULL: none */
        XmlElement *next;     /* sibling; NULL: none */
};

/* `name` is for the sentence. The root is the caller's. */
int xml_parse(const char *name, const char *text, size_t size, XmlElement **ret, Error *ret_error);
XmlElement *xml_free(XmlElement *root);
DEFINE_CLEANUP(XmlElement *, xml_free);

/* The first child of that name, NULL if none; `element` may be NULL. */
const XmlElement *xml_child(const XmlElement *element, const char *name);

/* The next sibling of the same name, NULL if none. */
const XmlElement *xml_next(const XmlElement *element);

/* The text of the first child of that name; NULL if there is none. */
const char *xml_child_text(const XmlElement *element, const char *name);
