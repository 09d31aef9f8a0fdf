#include "base/option.h"
#include "tests/unit/test.h"

typedef struct Arguments {
        bool help, force;
        const char *out;
        OptionTexts labels;
        int64_t agents;
        uint64_t before;
        int kind;
} Arguments;

static const char *const kinds[] = {"rsa", "ecdsa", NULL};
static const Option options[] = {
        {"help", 'h', OPTION_FLAG, NULL, "help", offsetof(Arguments, help)},
        {"force-role", 'f', OPTION_FLAG, NULL, "force", offsetof(Arguments, force)},
        {"out", 'o', OPTION_TEXT, "DIR", "where", offsetof(Arguments, out), .required = true},
        {"label", 0, OPTION_TEXTS, "L", "labels", offsetof(Arguments, labels)},
        {"agents",
                'n',
                OPTION_INT,
                "N",
                "agents",
                offsetof(Arguments, agents),
                .min = 1,
                .max = 100},
        {"before", 0, OPTION_SPAN, "TIME", "when", offsetof(Arguments, before)},
        {"kind", 0, OPTION_CHOICE, "K", "kind", offsetof(Arguments, kind), .choices = kinds},
};

static int parse(const char *const *words, Arguments *arguments, int *operands, Error *error)
{
        static char texts[16][64];
        static char *argv[17];
        int argc = 1;

        argv[0] = texts[0];
        for (; words[argc - 1]; argc++) {
                assert_true(strlen(words[argc - 1]) < sizeof(texts[0]));
                memcpy(texts[argc], words[argc - 1], strlen(words[argc - 1]) + 1);
                argv[argc] = texts[argc];
        }
        argv[argc] = NULL;
        *arguments = (Arguments){};
        return option_parse(options, ELEMENTS(options), argc, argv, arguments, operands, error);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void every_type_is_read(void **state)
{
        Arguments arguments;
        Error error = ERROR_INIT;
        int operands;

        (void)state;
        assert_int_equal(parse(WORDS("a",
                                       "--out=x",
                                       "-n",
                                       "7",
                                       "--before",
                                       "12h",
                                       "--kind=ecdsa",
                                       "--force_role",
                                       "--label=1",
                                       "--label=2",
                                       "b"),
                                 &arguments,
                                 &operands,
                                 &error),
                0);
        assert_string_equal(arguments.out, "x");
        assert_int_equal(arguments.agents, 7);
        assert_int_equal(arguments.before, 12 * 3600 * 1000000L);
        assert_int_equal(arguments.kind, 1);
        assert_true(arguments.force);
        assert_int_equal(arguments.labels.count, 2);
        assert_string_equal(arguments.labels.texts[1], "2");
        assert_int_equal(operands, 10); /* a and b were moved behind */
}

static void help_needs_nothing_else(void **state)
{
        Arguments arguments;
        Error error = ERROR_INIT;
        int operands;

        (void)state;
        assert_int_equal(parse(WORDS("--help"), &arguments, &operands, &error), 0);
        assert_true(arguments.help);
}

static void what_is_wrong_is_named(void **state)
{
        const struct {
                const char *const *words;
                const char *sentence;
        } cases[] = {
                {(const char *const[]){"--nope=3", NULL},
                        "cannot use '--nope': there is no such option"},
                {(const char *const[]){"-x", NULL}, "cannot use '-x': there is no such option"},
                {(const char *const[]){"--out", NULL}, "cannot use '--out': it wants a value"},
                {(const char *const[]){"--out=", NULL}, "cannot use '--out=': expected DIR"},
                {(const char *const[]){"--force-role=1", NULL},
                        "cannot use '--force-role=1': it takes no value"},
                {(const char *const[]){"--out=a", "--out=b", NULL}, "cannot use '--out' twice"},
                {(const char *const[]){"--out=a", "--agents=0", NULL},
                        "cannot use '--agents=0': expected a whole number from 1 to 100"},
                {(const char *const[]){"--out=a", "--before=3", NULL},
                        "expected a time like 90s, 12h or 30d"},
                {(const char *const[]){"--out=a", "--kind=dsa", NULL},
                        "cannot use '--kind=dsa': expected one of rsa, ecdsa"},
                {(const char *const[]){"-n", "3", NULL}, "cannot go without '--out=DIR' (where)"},
        };

        (void)state;
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                Arguments arguments;
                Error error = ERROR_INIT;
                int operands;

                assert_int_equal(parse(cases[i].words, &arguments, &operands, &error), -EINVAL);
                assert_says(&error, cases[i].sentence);
        }
}

TESTS_MAIN(cmocka_unit_test(every_type_is_read),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(what_is_wrong_is_named))
