#include "cfn/pattern.h"

#include "base/buffer.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEATS_MAX 10000U /* the product of all bounds: what regcomp(3) unrolls */
#define DEPTH_MAX   32U

typedef struct Reading {
        const char *place; /* what is to be read */
        Buffer *out;
        unsigned depth;   /* of groups */
        uint64_t repeats; /* the product so far */
        bool repeatable;  /* an atom stands before */
        Error *ret_error;
} Reading;

static int refuse(const Reading *reading, const char *what)
{
        return error_set(reading->ret_error, -EBADMSG, "%s in a pattern is not known here", what);
}

static int append(const Reading *reading, const char *text)
{
        if (buffer_append_text(reading->out, text) < 0)
                return error_set(reading->ret_error, -EBADMSG, "the pattern is too long");
        return 0;
}

/* One character, as itself. */
static int append_literal(const Reading *reading, char c)
{
        const char text[3] = {'\\', c, '\0'};

        return append(reading, strchr(".[]{}()*+?^$|\\", c) ? text : text + 1);
}

/* The class that \d, \w, \s stands for; `c` is the letter, a capital one is the opposite. */
static const char *class_of(char c)
{
        switch (tolower((unsigned char)c)) {
        case 'd':
                return "0-9";
        case 'w':
                return "A-Za-z0-9_";
        case 's':
                return " \t\n\v\f\r";
        default:
                return NULL;
        }
}

/* Behind a backslash, outside of brackets. */
static int read_escape(Reading *reading)
{
        char c = *reading->place;
        const char *class = class_of(c);
        int r;

        if (c == '\0')
                return error_set(reading->ret_error, -EBADMSG, "the pattern ends in a backslash");
        reading->place++;
        if (class) {
                r = append(reading, isupper((unsigned char)c) ? "[^" : "[");
                if (r == 0)
                        r = append(reading, class);
                return r < 0 ? r : append(reading, "]");
        }
        if (c == 't')
                return append(reading, "\t");
        if (isalnum((unsigned char)c))
                return refuse(reading, "an escape of a letter or digit other than \\d \\w \\s \\t");
        return append_literal(reading, c);
}

/* A bracket's members, gathered so that those with a meaning of their own come where they have
 * none:
 * "]" first, "-" last. */
typedef struct Bracket {
        Buffer members;
        bool closing, dash;
} Bracket;

static int add_member(const Reading *reading, Bracket *bracket, const char *start, size_t length)
{
        if (buffer_append(&bracket->members, start, length) < 0)
                return error_set(reading->ret_error, -EBADMSG, "the pattern is too long");
        return 0;
}

static int add_character(const Reading *reading, Bracket *bracket, char c)
{
        if (c == ']')
                bracket->closing = true;
        else if (c == '-')
                bracket->dash = true;
        else
                return add_member(reading, bracket, &c, 1);
        return 0;
}

/* A character of a bracket, an escape resolved; *ret_class is set for \d and its like. */
static int read_member(Reading *reading, char *ret, const char **ret_class)
{
        char c = *reading->place++;

        if (c == '[' || (c == '&' && *reading->place == '&'))
                return refuse(reading, "a class within a class");
        if (c == '\\') {
                c = *reading->place;
                if (c == '\0')
                        return refuse(reading, "a bracket without its end");
                reading->place++;
                *ret_class = islower((unsigned char)c) ? class_of(c) : NULL;
                if (c == 't')
                        c = '\t';
                else if (!*ret_class && isalnum((unsigned char)c))
                        return refuse(reading, "an escape of a letter or digit in brackets");
        }
        *ret = c;
        return 0;
}

static int read_range(Reading *reading, Bracket *bracket, char first)
{
        const char *class = NULL;
        char range[3] = {first, '-', '\0'};
        int r;

        reading->place++;
        r = read_member(reading, &range[2], &class);
        if (r < 0)
                return r;
        if (class || (unsigned char)range[2] < (unsigned char)first || strchr("]-[^", first) ||
                strchr("]-[^", range[2]))
                return refuse(reading, "such a range in brackets");
        return add_member(reading, bracket, range, sizeof(range));
}

static int read_members(Reading *reading, Bracket *bracket)
{
        for (bool first = true; *reading->place && (*reading->place != ']' || first);
                first = false) {
                const char *class = NULL;
                char c;
                int r;

                if (first && *reading->place == ']')
                        return refuse(reading, "a bracket that begins with ']'");
                r = read_member(reading, &c, &class);
                if (r == 0 && class)
                        r = add_member(reading, bracket, class, strlen(class));
                else if (r == 0 && reading->place[0] == '-' && reading->place[1] &&
                         reading->place[1] != ']')
                        r = read_range(reading, bracket, c);
                else if (r == 0)
                        r = add_character(reading, bracket, c);
                if (r < 0)
                        return r;
        }
        if (*reading->place != ']')
                return refuse(reading, "a bracket without its end");
        reading->place++;
        return 0;
}

/* "^" may not be the first member: then another goes before it, or it stands alone as "\^". */
static int append_bracket(const Reading *reading, const Bracket *bracket, bool negated)
{
        const char *members = buffer_text(&bracket->members);
        bool caret = !negated && !bracket->closing && members[0] == '^';
        int r;

        if (caret && !members[1] && !bracket->dash)
                return append(reading, "\\^");
        r = append(reading, negated ? "[^" : "[");
        if (r == 0 && bracket->closing)
                r = append(reading, "]");
        if (r == 0 && caret && bracket->dash && !members[1])
                return append(reading, "-^]");
        if (r == 0)
                r = append(reading, caret ? members + 1 : members);
        if (r == 0 && caret)
                r = append(reading, "^");
        if (r == 0 && bracket->dash)
                r = append(reading, "-");
        return r < 0 ? r : append(reading, "]");
}

static int read_bracket(Reading *reading)
{
        Bracket bracket = {.members = BUFFER_INIT(2 * CFN_PATTERN_MAX)};
        bool negated = *reading->place == '^';
        int r;

        if (negated)
                reading->place++;
        r = read_members(reading, &bracket);
        if (r == 0)
                r = append_bracket(reading, &bracket, negated);
        buffer_done(&bracket.members);
        return r;
}

/* "{m}", "{m,}", "{m,n}", behind its brace. */
static int read_bounds(Reading *reading)
{
        unsigned long least, most;
        char *end;
        char text[32];

        if (!isdigit((unsigned char)*reading->place))
                return refuse(reading, "a brace that is no repeat");
        least = most = strtoul(reading->place, &end, 10);
        if (*end == ',')
                most = isdigit((unsigned char)*++end) ? strtoul(end, &end, 10) : least;
        if (*end != '}' || most < least || least > REPEATS_MAX || most > REPEATS_MAX)
                return refuse(reading, "such a repeat");
        reading->repeats *= most + 1;
        if (reading->repeats > REPEATS_MAX)
                return error_set(
                        reading->ret_error, -EBADMSG, "the pattern's repeats are too many");
        (void)snprintf(text, sizeof(text), end[-1] == ',' ? "{%lu,}" : "{%lu,%lu}", least, most);
        reading->place = end + 1;
        return append(reading, text);
}

static int read_repeat(Reading *reading, char c)
{
        const char text[2] = {c, '\0'};
        int r;

        if (!reading->repeatable)
                return refuse(reading, "a repeat of nothing, or lazy or possessive repeats,");
        reading->repeatable = false;
        r = c == '{' ? read_bounds(reading) : append(reading, text);
        return r;
}

static int read_group(Reading *reading)
{
        if (++reading->depth > DEPTH_MAX)
                return error_set(reading->ret_error, -EBADMSG, "the pattern is nested too deep");
        reading->repeatable = false;
        if (text_starts(reading->place, "?:"))
                reading->place += 2;
        else if (*reading->place == '?')
                return refuse(reading, "lookaround, a named group or a flag");
        return append(reading, "(");
}

static int read_next(Reading *reading)
{
        char c = *reading->place++;
        const char text[2] = {c, '\0'};

        switch (c) {
        case '*':
        case '+':
        case '?':
        case '{':
                return read_repeat(reading, c);
        case '(':
                return read_group(reading);
        case ')':
                if (reading->depth-- == 0)
                        return error_set(
                                reading->ret_error, -EBADMSG, "the pattern has a ')' too many");
                reading->repeatable = true;
                return append(reading, ")");
        case '|':
        case '^':
        case '$':
                reading->repeatable = false;
                return append(reading, text);
        case '\\':
                reading->repeatable = true;
                return read_escape(reading);
        case '[':
                reading->repeatable = true;
                return read_bracket(reading);
        case '.':
                reading->repeatable = true;
                return append(reading, ".");
        default:
                reading->repeatable = true;
                return append_literal(reading, c);
        }
}

/* The whole, between anchors. */
static int translate(const char *pattern, Buffer *ret, Error *ret_error)
{
        Reading reading = {.place = pattern, .out = ret, .repeats = 1, .ret_error = ret_error};
        int r;

        if (strlen(pattern) > CFN_PATTERN_MAX)
                return error_set(ret_error, -EBADMSG, "the pattern is too long");
        r = append(&reading, "^(");
        while (r == 0 && *reading.place)
                r = read_next(&reading);
        if (r < 0)
                return r;
        if (reading.depth > 0)
                return error_set(ret_error, -EBADMSG, "the pattern lacks a ')'");
        return append(&reading, ")$");
}

int cfn_pattern_match(const char *pattern, const char *text, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer posix = BUFFER_INIT(8 * CFN_PATTERN_MAX);
        char why[128];
        regex_t regex;
        int r;

        r = translate(pattern, &posix, ret_error);
        if (r < 0)
                return r;
        r = regcomp(&regex, buffer_text(&posix), REG_EXTENDED | REG_NOSUB);
        if (r == REG_ESPACE)
                return error_set(ret_error, -ENOMEM, "%m");
        if (r != 0) {
                (void)regerror(r, &regex, why, sizeof(why));
                return error_set(ret_error, -EBADMSG, "the pattern is none: %s", why);
        }
        r = regexec(&regex, text, 0, NULL, 0);
        regfree(&regex);
        return r == 0 ? CFN_PATTERN_MATCHES : CFN_PATTERN_DIFFERS;
}
