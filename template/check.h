/* A template checked: by rules for what CloudFormation would refuse, for what it takes and what
 * goes wrong later, and for what a reviewer objects to. All findings at once, each with its place,
 * its rule and a sentence that says what is wrong and what to do.
 *
 * Rules stand in tables, one a concern, each beside the functions that look: template/check-*.c.
 */

#pragma once

#include "base/error.h"

#include <stdbool.h>

typedef enum CheckSeverity {
        CHECK_NOTE,    /* worth knowing */
        CHECK_WARNING, /* will be regretted */
        CHECK_ERROR,   /* will be refused, or does not work */
} CheckSeverity;

const char *check_severity_name(CheckSeverity severity); /* "warning" */

typedef struct Check Check; /* template/check-parts.h */

typedef struct CheckRule {
        const char *name; /* "open-to-the-world"; NULL: the end of a table */
        CheckSeverity severity;
        const char *summary;        /* what it finds; one line, no full stop */
        const char *source;         /* whose word it is */
        void (*look)(Check *check); /* NULL: it is found while the template is read */
} CheckRule;

typedef struct CheckGroup {
        const char *title;
        const CheckRule *rules;
} CheckGroup;

/* All rules, by concern; `*ret_count` groups. */
const CheckGroup *check_groups(size_t *ret_count);

typedef struct CheckFinding {
        const CheckRule *rule;
        CheckSeverity severity;
        unsigned line, column; /* from 1 */
        char *text;            /* the sentence; owned */
} CheckFinding;

typedef struct CheckReport {
        CheckFinding *findings; /* in the order of the text */
        size_t count, allocated;
        bool cut; /* there were more than CHECK_FINDINGS_MAX */
} CheckReport;

#define CHECK_FINDINGS_MAX 10000U

/* `name` is for sentences. What is no template at all is a finding, too; only memory can fail:
 * -ENOMEM. */
int check_template(
        const char *name, const char *text, size_t size, CheckReport *ret, Error *ret_error);

void check_report_done(CheckReport *report);
DEFINE_CLEANUP_IN_PLACE(CheckReport, check_report_done);

size_t check_report_count(const CheckReport *report, CheckSeverity severity);
