/* A YAML mapping read into a struct by a table. */

#pragma once

#include "base/yaml.h"

typedef enum FieldType {
        FIELD_TEXT,   /* char *: heap copy; any scalar */
        FIELD_SECRET, /* Secret *; never shown in a sentence */
        FIELD_INT,    /* int64_t within [min, max]; plain */
        FIELD_BOOL,   /* bool: true or false; plain */
        FIELD_SPAN,   /* Usec within [min, max]: "90s", "30d" */
        FIELD_CHOICE, /* int: index into choices */
        FIELD_TEXTS,  /* char **: NULL-ended heap list of scalars */
        FIELD_NODE,   /* const YamlNode *: borrowed, passed through as it is */
} FieldType;

typedef struct Field {
        const char *key;
        FieldType type;
        size_t offset; /* in the struct: offsetof() */
        bool required;
        int64_t min, max;           /* INT, SPAN (microseconds); both 0: unbounded. TEXT: length */
        const char *const *choices; /* CHOICE: NULL-ended */
        const char *expected;       /* what to say instead of the type's own words; NULL: those */
} Field;

/* Fills `place`; fields that are absent stay as they are. Unknown keys are refused, naming the
 * nearest known one; wrong types and ranges with what was expected and what was found. On failure
 * what was filled in so far stays for the caller's own cleanup. */
int fields_read(const YamlDocument *document,
        const YamlNode *mapping,
        const Field *fields,
        size_t n_fields,
        void *place,
        Error *ret_error);
