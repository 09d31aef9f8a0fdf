#include "agent/failure.h"

#include "agent/evidence.h"
#include "aws/endpoint.h"
#include "aws/session.h"
#include "aws/signal.h"
#include "base/text.h"
#include "s3/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#define COLLECT_TIME  (EVIDENCE_TIME * 3 / 5) /* of that; the rest is for storing it */
#define EVIDENCE_TIME (500 * USEC_PER_MSEC)
#define NAME_MAX_TEXT 200U

/* The store, opened by the parent for this alone. */
typedef struct Telling {
        const FailureOptions *options;
        Machine machine;
        AwsSession *session;
        S3Store *store;
        Buffer evidence;
        char name[NAME_MAX_TEXT]; /* status/<instance>/evidence.json */
} Telling;

static void telling_done(Telling *telling)
{
        telling->store = s3_store_free(telling->store);
        telling->session = aws_session_free(telling->session);
        machine_done(&telling->machine);
        buffer_done(&telling->evidence);
}
DEFINE_CLEANUP_IN_PLACE(Telling, telling_done);

const char *failure_format(const FailureOptions *options, char place[FAILURE_REASON_MAX])
{
        const Settings *settings = options->settings;
        char node[24] = "";

        if (settings->role == ROLE_AGENT && settings->node >= 0)
                (void)snprintf(node, sizeof(node), " %" PRId64, settings->node);
        (void)snprintf(place,
                FAILURE_REASON_MAX,
                "%s%s (%s): %s%s%s",
                settings->role == ROLE_NONE ? "flocker-bootstrap"
                                            : role_kind_name((RoleKind)settings->role),
                node,
                options->identity ? options->identity->instance_id : "instance unknown",
                options->step,
                options->step[0] ? ": " : "",
                options->cause);
        text_mend_utf8(place);
        return place;
}

static int open_store(Telling *telling, Error *ret_error)
{
        const FailureOptions *options = telling->options;
        AwsSessionOptions session = {
                .http = telling->machine.http,
                .credentials = telling->machine.credentials,
                .clock = &clock_system,
                .random = &random_system,
                .region = options->identity ? options->identity->region : NULL,
        };
        S3StoreOptions store = {.url = options->settings->store};
        int r;

        if (!options->identity || text_is_empty(options->settings->store))
                return error_set(ret_error, -ENOENT, "the instance or its store is not known");
        r = aws_session_new(&session, &telling->session, ret_error);
        if (r == 0)
                r = aws_endpoint_options_from_environment(NULL, "s3", &store.endpoint, ret_error);
        store.session = telling->session;
        store.endpoint.region = options->identity->region;
        (void)snprintf(telling->name,
                sizeof(telling->name),
                "status/%s/evidence.json",
                options->identity->instance_id);
        return r < 0 ? r : s3_store_new(&store, &telling->store, ret_error);
}

static int store_evidence(Telling *telling, Usec deadline, Error *ret_error)
{
        int r;

        if (!telling->store)
                return error_set(ret_error, -ENOENT, "there is no store to put it into");
        r = s3_store_put(telling->store,
                telling->name,
                "application/json",
                buffer_text(&telling->evidence),
                telling->evidence.size,
                deadline,
                ret_error);
        return r > 0 ? -EACCES : r;
}

static int collect(Telling *telling, const char *reason, Usec deadline, Error *ret_error)
{
        const FailureOptions *options = telling->options;
        EvidenceOptions evidence = {
                .settings = options->settings,
                .identity = options->identity,
                .root = options->root,
                .root_fd = options->root_fd,
                .reason = reason,
                .deadline = deadline,
        };

        telling->evidence = BUFFER_INIT(2 * EVIDENCE_MAX);
        return evidence_collect(&evidence, &telling->evidence, ret_error);
}

static void send_signal(Telling *telling, const char *reason, const char *where)
{
        const FailureOptions *options = telling->options;
        struct utsname host = {};
        Signal signal = {.status = SIGNAL_FAILURE, .data = where};
        _cleanup_(free) char *text = text_format("%s%s%s", reason, where[0] ? "; " : "", where);
        Error error = ERROR_INIT;
        int r;

        (void)uname(&host);
        signal.reason = text ? text : reason;
        signal.unique_id = options->identity ? options->identity->instance_id : host.nodename;
        r = signal_send(telling->machine.http,
                &clock_system,
                &random_system,
                options->settings->signal,
                &signal,
                options->deadline + FAILURE_LATE_TIME, /* an error may be the deadline itself */
                &error);
        if (r == SIGNAL_REFUSED)
                progress_note(options->progress, LOG_LEVEL_NOTICE, error.text);
        else if (r < 0)
                progress_note(options->progress, LOG_LEVEL_ERROR, error.text);
        else
                progress_note(
                        options->progress, LOG_LEVEL_INFO, "FAILURE signalled to CloudFormation");
}

/* Where the evidence is, or that it is nowhere and why; `cause` NULL: a reason leaves that out. */
static void describe_evidence(
        const Telling *telling, int r, const Error *cause, char place[FAILURE_REASON_MAX])
{
        if (r == 0)
                (void)snprintf(place,
                        FAILURE_REASON_MAX,
                        "evidence: %s/%s",
                        telling->options->settings->store,
                        telling->name);
        else
                (void)snprintf(place,
                        FAILURE_REASON_MAX,
                        "evidence not stored%s%s",
                        cause ? ": " : "",
                        cause ? cause->text : "");
        text_mend_utf8(place);
}

void failure_report(const FailureOptions *options)
{
        _cleanup_(telling_done) Telling telling = {.options = options};
        Usec began = clock_now(&clock_system), early = began + EVIDENCE_TIME;
        char reason[FAILURE_REASON_MAX], where[FAILURE_REASON_MAX];
        Error error = ERROR_INIT;
        int r;

        (void)failure_format(options, reason);
        progress_failed(options->progress, options->step, reason, text_equal(options->root, "/"));
        r = machine_open(0, &telling.machine, &error);
        if (r < 0) {
                progress_note(options->progress, LOG_LEVEL_ERROR, error.text);
                return;
        }
        r = collect(&telling, reason, began + COLLECT_TIME, &error);
        if (r == 0)
                r = open_store(&telling, &error);
        if (r == 0)
                r = store_evidence(&telling, early, &error);
        describe_evidence(&telling, r, NULL, where);
        if (options->settings->signal)
                send_signal(&telling, reason, where);
        if (r < 0 && telling.store)
                r = store_evidence(
                        &telling, clock_deadline(&clock_system, FAILURE_LATE_TIME), &error);
        describe_evidence(&telling, r, &error, where);
        progress_note(options->progress, LOG_LEVEL_NOTICE, where);
}
