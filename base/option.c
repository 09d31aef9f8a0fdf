#include "base/option.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define OPTIONS_MAX 64U
#define HELP_COLUMN 30

/* What getopt_long(3) gives back for the option of index 0; short letters lie below. */
#define FIRST_LONG 256

static void use_dashes(int argc, char *argv[])
{
        for (int i = 1; i < argc && !text_equal(argv[i], "--"); i++) {
                if (!text_starts(argv[i], "--"))
                        continue;
                for (char *c = argv[i]; *c && *c != '='; c++)
                        if (*c == '_')
                                *c = '-';
        }
}

static const char *join_choices(const char *const *choices, char *place, size_t size)
{
        size_t used = 0;

        place[0] = '\0';
        for (size_t i = 0; choices[i]; i++) {
                int n = snprintf(place + used, size - used, "%s%s", i > 0 ? ", " : "", choices[i]);

                if (n < 0 || (size_t)n >= size - used)
                        break;
                used += (size_t)n;
        }
        return place;
}

static int put_int(const Option *option, const char *text, int64_t *place, Error *ret_error)
{
        if (text_to_int64(text, option->min, option->max, place) < 0)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--%s=%s': expected a whole number from %" PRId64
                        " to %" PRId64,
                        option->name,
                        text,
                        option->min,
                        option->max);
        return 0;
}

static int put_span(const Option *option, const char *text, uint64_t *place, Error *ret_error)
{
        if (text_to_usec(text, place) < 0)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--%s=%s': expected a time like 90s, 12h or 30d",
                        option->name,
                        text);
        return 0;
}

static int put_choice(const Option *option, const char *text, int *place, Error *ret_error)
{
        char choices[256];

        for (int i = 0; option->choices[i]; i++)
                if (text_equal(option->choices[i], text)) {
                        *place = i;
                        return 0;
                }
        return error_set(ret_error,
                -EINVAL,
                "cannot use '--%s=%s': expected one of %s",
                option->name,
                text,
                join_choices(option->choices, choices, sizeof(choices)));
}

static int put_text(const Option *option, const char *text, OptionTexts *place, Error *ret_error)
{
        if (place->count >= OPTION_TEXTS_MAX)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--%s' more than %u times",
                        option->name,
                        OPTION_TEXTS_MAX);
        place->texts[place->count++] = text;
        return 0;
}

static int put_value(const Option *option, const char *text, void *place, Error *ret_error)
{
        char *field = (char *)place + option->offset;

        if (text && !text[0])
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--%s=': expected %s",
                        option->name,
                        option->argument);

        switch (option->type) {
        case OPTION_FLAG:
                *(bool *)field = true;
                return 0;
        case OPTION_TEXT:
                *(const char **)(void *)field = text;
                return 0;
        case OPTION_TEXTS:
                return put_text(option, text, (OptionTexts *)(void *)field, ret_error);
        case OPTION_INT:
                return put_int(option, text, (int64_t *)(void *)field, ret_error);
        case OPTION_SPAN:
                return put_span(option, text, (uint64_t *)(void *)field, ret_error);
        case OPTION_CHOICE:
                return put_choice(option, text, (int *)(void *)field, ret_error);
        default:
                return error_set(ret_error, -EINVAL, "cannot use '--%s'", option->name);
        }
}

/* The tables of getopt_long(3), made from ours. */
static void make_getopt_tables(
        const Option *options, size_t n_options, struct option *longs, char *letters)
{
        *letters++ = ':';
        for (size_t i = 0; i < n_options; i++) {
                bool valued = options[i].type != OPTION_FLAG;

                longs[i] = (struct option){
                        .name = options[i].name,
                        .has_arg = valued ? required_argument : no_argument,
                        .val = FIRST_LONG + (int)i,
                };
                if (!options[i].letter)
                        continue;
                *letters++ = options[i].letter;
                if (valued)
                        *letters++ = ':';
        }
        longs[n_options] = (struct option){};
        *letters = '\0';
}

static size_t find_option(const Option *options, size_t n_options, int code)
{
        size_t i;

        if (code >= FIRST_LONG)
                return (size_t)(code - FIRST_LONG);
        for (i = 0; i < n_options; i++)
                if (options[i].letter && options[i].letter == code)
                        break;
        return i;
}

static int refuse_unknown(char *argv[], int problem, Error *ret_error)
{
        const char *word = argv[optind - 1];

        if (problem == ':')
                return error_set(ret_error, -EINVAL, "cannot use '%s': it wants a value", word);
        if (optopt >= FIRST_LONG)
                return error_set(ret_error, -EINVAL, "cannot use '%s': it takes no value", word);
        if (optopt)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '-%c': there is no such option; --help lists them",
                        optopt);
        return error_set(ret_error,
                -EINVAL,
                "cannot use '%.*s': there is no such option; --help lists them",
                TEXT_PART(word, strcspn(word, "=")));
}

static int check_required(
        const Option *options, size_t n_options, const bool *seen, Error *ret_error)
{
        for (size_t i = 0; i < n_options; i++)
                if (seen[i] && text_equal(options[i].name, "help"))
                        return 0;

        for (size_t i = 0; i < n_options; i++)
                if (options[i].required && !seen[i])
                        return error_set(ret_error,
                                -EINVAL,
                                "cannot go without '--%s=%s' (%s)",
                                options[i].name,
                                options[i].argument,
                                options[i].help);
        return 0;
}

int option_parse(const Option *options,
        size_t n_options,
        int argc,
        char *argv[],
        void *place,
        int *ret_operands,
        Error *ret_error)
{
        struct option longs[OPTIONS_MAX + 1];
        char letters[2 * OPTIONS_MAX + 3];
        bool seen[OPTIONS_MAX] = {};
        int code, r;

        if (n_options > OPTIONS_MAX)
                return error_set(
                        ret_error, -EINVAL, "cannot use more than %u options", OPTIONS_MAX);

        make_getopt_tables(options, n_options, longs, letters);
        use_dashes(argc, argv);
        opterr = 0;
        optind = 0; /* glibc: start anew, also behind another table's parse */

        while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
                size_t i = find_option(options, n_options, code);

                if (code == '?' || code == ':' || i >= n_options)
                        return refuse_unknown(argv, code, ret_error);
                if (seen[i] && options[i].type != OPTION_TEXTS && options[i].type != OPTION_FLAG)
                        return error_set(
                                ret_error, -EINVAL, "cannot use '--%s' twice", options[i].name);
                seen[i] = true;

                r = put_value(&options[i], optarg, place, ret_error);
                if (r < 0)
                        return r;
        }

        *ret_operands = optind;
        return check_required(options, n_options, seen, ret_error);
}

void option_print(const Option *options, size_t n_options, FILE *file)
{
        for (size_t i = 0; i < n_options; i++) {
                char left[128];

                (void)snprintf(left,
                        sizeof(left),
                        "  %c%c%s--%s%s%s",
                        options[i].letter ? '-' : ' ',
                        options[i].letter ? options[i].letter : ' ',
                        options[i].letter ? ", " : "  ",
                        options[i].name,
                        options[i].argument ? "=" : "",
                        options[i].argument ? options[i].argument : "");
                (void)fprintf(file, "%-*s  %s\n", HELP_COLUMN, left, options[i].help);
        }
}
