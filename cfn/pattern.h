/* AllowedPattern: does a parameter's value match it as a whole?
 *
 * CloudFormation's patterns are Java's regular expressions; these are read into POSIX extended ones
 * (regex(7)), in the C locale. What is the same: literals, ".", classes in brackets, groups,
 * alternatives, "*", "+", "?", "{m,n}", "^", "$". What is translated: \d \w \s and their opposites
 * (the opposites not within brackets), (?:…), \t, escaped punctuation, also within brackets. What
 * differs: a character is a byte, and an alternative matches at its longest. Everything else is
 * refused rather than misread: lookaround, lazy and possessive repeats, backreferences, \b, \p{…},
 * \x…, \u…, flags, classes within classes and "&&".
 */

#pragma once

#include "base/error.h"

#include <stdbool.h>

#define CFN_PATTERN_MAX 1024U /* bytes */

typedef enum CfnPatternOutcome {
        CFN_PATTERN_MATCHES = 0,
        CFN_PATTERN_DIFFERS = 1,
} CfnPatternOutcome;

/* -EBADMSG with why the pattern cannot be used (no more than the cause); -ENOMEM. */
int cfn_pattern_match(const char *pattern, const char *text, Error *ret_error);
