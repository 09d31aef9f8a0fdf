/* What every unit test begins with: cmocka, whose headers want these first. */

#pragma once

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

/* The sentence holds the text; prints both if not. */
static inline void assert_says(const Error *error, const char *text)
{
        if (!strstr(error->text, text))
                assert_string_equal(error->text, text);
}

#define TESTS_MAIN(...)                                           \
        int main(void)                                            \
        {                                                         \
                const struct CMUnitTest tests[] = {__VA_ARGS__};  \
                                                                  \
                return cmocka_run_group_tests(tests, NULL, NULL); \
        }
