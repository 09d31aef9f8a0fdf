#include "template/check-command.h"

#include "base/command.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cfn/template.h"
#include "template/check.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#define FILES_MAX     1024
#define JSON_TEXT_MAX (256U * 1024U * 1024U) /* bytes of all findings */

#define NAME_WIDTH     22
#define SEVERITY_WIDTH 9

typedef struct Arguments {
        bool strict, json, list, help;
} Arguments;

static const Option options[] = {
        {"strict", 0, OPTION_FLAG, NULL, "fail on warnings, too", offsetof(Arguments, strict)},
        {"json", 0, OPTION_FLAG, NULL, "print JSON, for programs", offsetof(Arguments, json)},
        {"list",
                0,
                OPTION_FLAG,
                NULL,
                "print the rules and their sources",
                offsetof(Arguments, list)},
        {"help", 'h', OPTION_FLAG, NULL, "show this text", offsetof(Arguments, help)},
};

static const CommandLine line = {
        .program = "flocker-template check",
        .operands = "FILE…",
        .description =
                "Says what is wrong with CloudFormation templates, ours or any, JSON or YAML: "
                "what\n"
                "CloudFormation would refuse, what it takes and fails later, and what a reviewer\n"
                "objects to. \"-\" is standard input. Each finding is one line:\n"
                "\n"
                "  FILE:LINE:COLUMN: error|warning|note: what is wrong; what to do [rule]\n"
                "\n"
                "Ends with 0 if there is no error, else with 65. Nothing is printed for a "
                "template\n"
                "with nothing to say about.",
        .options = options,
        .n_options = ELEMENTS(options),
        .min_operands = 0,
        .max_operands = FILES_MAX,
};

static void print_rules(void)
{
        size_t count;
        const CheckGroup *groups = check_groups(&count);

        for (size_t i = 0; i < count; i++) {
                printf("%s%s\n", i == 0 ? "" : "\n", groups[i].title);
                for (const CheckRule *rule = groups[i].rules; rule->name; rule++)
                        printf("  %-*s%-*s%s\n  %*s(%s)\n",
                                NAME_WIDTH,
                                rule->name,
                                SEVERITY_WIDTH,
                                check_severity_name(rule->severity),
                                rule->summary,
                                NAME_WIDTH + SEVERITY_WIDTH,
                                "",
                                rule->source);
        }
}

static Json *build_rule(const CheckGroup *group, const CheckRule *rule)
{
        Json *object = json_new_object();
        int r;

        r = json_set_text(object, "rule", rule->name);
        if (r == 0)
                r = json_set_text(object, "group", group->title);
        if (r == 0)
                r = json_set_text(object, "severity", check_severity_name(rule->severity));
        if (r == 0)
                r = json_set_text(object, "finds", rule->summary);
        if (r == 0)
                r = json_set_text(object, "source", rule->source);
        return r < 0 ? json_free(object) : object;
}

static int add_rules(Json *list)
{
        size_t count;
        const CheckGroup *groups = check_groups(&count);
        int r = 0;

        for (size_t i = 0; i < count; i++)
                for (const CheckRule *rule = groups[i].rules; r == 0 && rule->name; rule++)
                        r = json_append(list, build_rule(&groups[i], rule));
        return r;
}

static Json *build_finding(const char *name, const CheckFinding *finding)
{
        Json *object = json_new_object();
        int r;

        r = json_set_text(object, "file", name);
        if (r == 0)
                r = json_set_int64(object, "line", finding->line);
        if (r == 0)
                r = json_set_int64(object, "column", finding->column);
        if (r == 0)
                r = json_set_text(object, "severity", check_severity_name(finding->severity));
        if (r == 0)
                r = json_set_text(object, "rule", finding->rule->name);
        if (r == 0)
                r = json_set_text(object, "text", finding->text);
        return r < 0 ? json_free(object) : object;
}

/* What has been found in all files so far. */
typedef struct Checking {
        Json *list; /* NULL: lines are printed instead */
        size_t counts[CHECK_ERROR + 1];
        int status; /* of what could not be read */
} Checking;

static int report(Checking *checking, const char *name, const CheckReport *found)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < found->count; i++) {
                const CheckFinding *finding = &found->findings[i];

                checking->counts[finding->severity]++;
                if (checking->list)
                        r = json_append(checking->list, build_finding(name, finding));
                else
                        printf("%s:%u:%u: %s: %s [%s]\n",
                                name,
                                finding->line,
                                finding->column,
                                check_severity_name(finding->severity),
                                finding->text,
                                finding->rule->name);
        }
        return r;
}

static int check_file(Checking *checking, const char *path, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(2 * CFN_TEMPLATE_READ_MAX);
        _cleanup_(check_report_done) CheckReport found = {};
        bool input = text_equal(path, "-");
        const char *name = input ? "standard input" : path;
        int r;

        r = input ? file_read_fd(STDIN_FILENO, name, CFN_TEMPLATE_READ_MAX, &text, ret_error)
                  : file_read(AT_FDCWD, path, CFN_TEMPLATE_READ_MAX, &text, ret_error);
        if (r == 0)
                r = check_template(name, buffer_text(&text), text.size, &found, ret_error);
        if (r < 0)
                return r;
        if (report(checking, name, &found) < 0)
                return error_set(ret_error, -ENOMEM, "cannot print: %m");
        if (found.cut)
                (void)fprintf(stderr,
                        "%s: %s: there is more than %u findings; the rest is not shown\n",
                        line.program,
                        name,
                        CHECK_FINDINGS_MAX);
        return 0;
}

static void summarize(const Checking *checking)
{
        const char *separator = "";

        (void)fflush(stdout); /* the lines come first, also where both go to one file */
        for (int severity = CHECK_ERROR; severity >= CHECK_NOTE; severity--) {
                size_t count = checking->counts[severity];

                if (count == 0)
                        continue;
                (void)fprintf(stderr,
                        "%s%zu %s%s",
                        separator,
                        count,
                        check_severity_name((CheckSeverity)severity),
                        count == 1 ? "" : "s");
                separator = ", ";
        }
        if (*separator)
                (void)fprintf(stderr, "\n");
}

static int print_json(const Json *list, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer text = BUFFER_INIT(JSON_TEXT_MAX);

        int r;

        r = json_format(list, JSON_INDENTED, &text);
        if (r < 0)
                return error_set(ret_error, r, "cannot print: %m");
        (void)fwrite(buffer_text(&text), 1, text.size, stdout);
        return 0;
}

static int end(const Checking *checking, const Arguments *arguments)
{
        if (checking->status != EX_OK)
                return checking->status;
        return checking->counts[CHECK_ERROR] > 0 ||
                               (arguments->strict && checking->counts[CHECK_WARNING] > 0)
                       ? EX_DATAERR
                       : EX_OK;
}

static int check_files(const Arguments *arguments, Checking *checking, int count, char *paths[])
{
        Error error = ERROR_INIT;
        int r;

        for (int i = 0; i < count; i++) {
                r = check_file(checking, paths[i], &error);
                if (r < 0)
                        checking->status = command_fail(&line, r, &error);
        }
        if (!checking->list)
                summarize(checking);
        r = checking->list ? print_json(checking->list, &error) : 0;
        return r < 0 ? command_fail(&line, r, &error) : end(checking, arguments);
}

int check_command(int argc, char *argv[])
{
        Arguments arguments = {};
        _cleanup_(json_free) Json *list = NULL;
        Error error = ERROR_INIT;
        Checking checking = {};
        int operands, status, r = 0;

        if (command_parse(&line, argc, argv, &arguments, &arguments.help, &operands, &status) ==
                COMMAND_END)
                return status;

        list = arguments.json ? json_new_array() : NULL;
        if (arguments.json && !list)
                r = error_set(&error, -ENOMEM, "cannot check: %m");
        else if (!arguments.list && operands == argc)
                r = error_set(&error, -EINVAL, "expected FILE…, or '-' for standard input");
        if (r < 0)
                return command_fail(&line, r, &error);

        if (arguments.list) {
                if (!list)
                        print_rules();
                else if (add_rules(list) < 0 || print_json(list, &error) < 0)
                        return command_fail(&line, -ENOMEM, &error);
                return EX_OK;
        }
        checking.list = list;
        return check_files(&arguments, &checking, argc - operands, argv + operands);
}
