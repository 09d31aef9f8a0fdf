/* Command lines, read into a struct by a table; the help text is made from the same table.
 *
 *         static const Option options[] = {
 *                 {"agents", 'n', OPTION_INT, "N", "how many agents", offsetof(Args, agents),
 *                         .min = 1, .max = 100, .required = true},
 *                 …
 *         };
 *
 * GNU spelling (--name=value, --name value, -n value, "--" ends options). A '_' in a long name is
 * taken for a '-'. Options may stand behind operands.
 */

#pragma once

#include "base/error.h"

#include <stdbool.h>
#include <stdio.h>

#define OPTION_TEXTS_MAX 256U

typedef enum OptionType {
        OPTION_FLAG,   /* bool: becomes true */
        OPTION_TEXT,   /* const char *: borrowed from argv */
        OPTION_TEXTS,  /* OptionTexts: one more each time */
        OPTION_INT,    /* int64_t within [min, max] */
        OPTION_SPAN,   /* uint64_t microseconds: "90s", "30d" (text_to_usec) */
        OPTION_CHOICE, /* int: index into choices */
} OptionType;

typedef struct OptionTexts {
        const char *texts[OPTION_TEXTS_MAX];
        size_t count;
} OptionTexts;

typedef struct Option {
        const char *name; /* long, without dashes */
        char letter;      /* short; 0: none */
        OptionType type;
        const char *argument;       /* as help shows it: "DIR"; NULL for flags */
        const char *help;           /* one line, no full stop */
        size_t offset;              /* in the struct that is filled */
        int64_t min, max;           /* of INT */
        const char *const *choices; /* of CHOICE; NULL-ended */
        bool required;
} Option;

/* argv[0] is the program's or the subcommand's name. Fills `place`; *ret_operands is the index of
 * the first operand in argv, where they are moved to the end. -EINVAL with the sentence: unknown
 * option (with the nearest known one), missing or malformed value (with what was expected), an
 * option twice, a required one missing. */
int option_parse(const Option *options,
        size_t n_options,
        int argc,
        char *argv[],
        void *place,
        int *ret_operands,
        Error *ret_error);

/* "  --out=DIR         where the set goes" for each. */
void option_print(const Option *options, size_t n_options, FILE *file);
