#include "rehearsal/fault.h"

#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (64U * 1024U)
#define ALWAYS   UINT32_MAX

#define NODES    (1U << FAULT_OF_NODE)
#define S3       (1U << FAULT_OF_S3)
#define SECRETS  (1U << FAULT_OF_SECRETS)
#define SIGNAL   (1U << FAULT_OF_SIGNAL)
#define METADATA (1U << FAULT_OF_METADATA)
#define SERVICES (S3 | SECRETS | SIGNAL | METADATA)

static const struct {
        const char *name;
        unsigned of; /* services */
} kinds[] = {
        [FAULT_KILL] = {"kill", NODES},
        [FAULT_HANG] = {"hang", NODES | SERVICES},
        [FAULT_FAIL] = {"fail", NODES | SERVICES},
        [FAULT_REFUSE] = {"refuse", SERVICES},
        [FAULT_RESET] = {"reset", SERVICES},
        [FAULT_SLOW] = {"slow", SERVICES},
        [FAULT_TRUNCATE] = {"truncate", S3 | SECRETS | METADATA},
        [FAULT_CORRUPT] = {"corrupt", S3 | SECRETS | METADATA},
        [FAULT_STATUS] = {"status", SERVICES},
        [FAULT_THROTTLE] = {"throttle", SERVICES},
        [FAULT_SKEW] = {"skew", S3 | SECRETS | METADATA},
        [FAULT_EXPIRE] = {"expire", SERVICES},
        [FAULT_STALE] = {"stale", S3},
        [FAULT_DENY] = {"deny", SERVICES},
};

static const char *const services[] = {
        [FAULT_OF_NODE] = NULL,
        [FAULT_OF_S3] = "s3",
        [FAULT_OF_SECRETS] = "secrets",
        [FAULT_OF_SIGNAL] = "signal",
        [FAULT_OF_METADATA] = "metadata",
};

/* What flocker-bootstrap's roles call their steps (docs/roles.md): a person types these. */
static const struct {
        const char *role, *steps;
} roles[] = {
        {"control",
                "read-instance make-docker-ca publish-docker-ca mint-docker-cert configure-docker "
                "start-swarm make-flocker-ca make-flocker-certs publish-flocker install-flocker "
                "start-flocker verify signal"},
        {"agent",
                "read-instance fetch-docker-ca mint-docker-cert configure-docker join-swarm "
                "fetch-flocker install-flocker start-flocker verify signal"},
        {"client",
                "read-instance fetch-docker-ca mint-client-cert fetch-flocker install-client "
                "verify purge-secrets signal"},
};

const char *fault_kind_name(FaultKind kind)
{
        return kinds[kind].name;
}

/* --- reading --- */

static const char *list_kinds(FaultService service, char *place, size_t size)
{
        const char *separator = "";

        place[0] = '\0';
        for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                size_t used = strlen(place);

                if (!(kinds[i].of & 1U << service))
                        continue;
                (void)snprintf(place + used,
                        size - used,
                        "%s%s%s",
                        separator,
                        kinds[i].name,
                        i == FAULT_STATUS ? "=NUMBER" : "");
                separator = ", ";
        }
        return place;
}

static int refuse_form(const char *text, Error *ret_error)
{
        return error_set(ret_error,
                -EINVAL,
                "cannot use '--fault=%s': expected NODE:STEP:KIND or SERVICE:MATCH:KIND[:TIMES], "
                "where SERVICE is s3, secrets, signal or metadata",
                text);
}

static int read_kind(FaultRule *rule, const char *word, const char *text, Error *ret_error)
{
        size_t length = strcspn(word, "=");
        char list[160];
        uint64_t status = 0;

        for (size_t i = 0; i < ELEMENTS(kinds); i++)
                if (strlen(kinds[i].name) == length && strncmp(kinds[i].name, word, length) == 0 &&
                        (kinds[i].of & 1U << rule->service) &&
                        (word[length] == '=') == (i == FAULT_STATUS)) {
                        if (i == FAULT_STATUS &&
                                text_to_uint64(word + length + 1, 400, 599, &status) < 0)
                                return error_set(ret_error,
                                        -EINVAL,
                                        "cannot use '--fault=%s': expected a status from 400 to "
                                        "599, found '%s'",
                                        text,
                                        word + length + 1);
                        rule->kind = (FaultKind)i;
                        rule->status = i == FAULT_FAIL ? 500 : (unsigned)status;
                        return 0;
                }
        return error_set(ret_error,
                -EINVAL,
                "cannot use '--fault=%s': there is no kind '%s' of %s; there are %s",
                text,
                word,
                rule->service == FAULT_OF_NODE ? "steps" : services[rule->service],
                list_kinds(rule->service, list, sizeof(list)));
}

static FaultService find_service(const char *name)
{
        for (size_t i = FAULT_OF_S3; i < ELEMENTS(services); i++)
                if (text_equal(services[i], name))
                        return (FaultService)i;
        return FAULT_OF_NODE;
}

/* The last of the text's parts, cut off; NULL: it has but one. */
static char *cut_last(char *text)
{
        char *colon = strrchr(text, ':');

        if (colon)
                *colon++ = '\0';
        return colon;
}

int fault_add(FaultSet *set, const char *text, Error *ret_error)
{
        _cleanup_(free) char *copy = text_copy(text);
        FaultRule rule = {.left = ALWAYS};
        char *match, *last;
        uint64_t times;
        int r;

        if (!copy)
                return error_set(ret_error, -ENOMEM, "cannot use '--fault=%s': %m", text);
        if (set->count >= FAULTS_MAX)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--fault=%s': %u are the most there can be",
                        text,
                        FAULTS_MAX);
        match = strchr(copy, ':');
        if (match)
                *match++ = '\0';
        last = match ? cut_last(match) : NULL;
        rule.service = find_service(copy);
        if (last && rule.service != FAULT_OF_NODE &&
                text_to_uint64(last, 1, 1000000, &times) == 0) {
                rule.left = (unsigned)times;
                last = cut_last(match);
        }
        if (!last || !*copy || !*match || !*last ||
                text_put(rule.match, sizeof(rule.match), match) < 0 ||
                text_put(rule.node, sizeof(rule.node), copy) < 0 ||
                text_put(rule.text, sizeof(rule.text), text) < 0)
                return refuse_form(text, ret_error);
        r = read_kind(&rule, last, text, ret_error);
        if (r == 0)
                set->rules[set->count++] = rule;
        return r;
}

static int read_line(FaultSet *set, char *line, const char *path, size_t number, Error *ret_error)
{
        Error error = ERROR_INIT;
        int r;

        line[strcspn(line, "#\r")] = '\0';
        line += strspn(line, " \t");
        for (size_t length = strlen(line); length > 0 && strchr(" \t", line[length - 1]);)
                line[--length] = '\0';
        if (!*line)
                return 0;
        r = fault_add(set, line, &error);
        return r < 0 ? error_set(ret_error, r, "%s:%zu: %s", path, number, error.text) : 0;
}

int fault_read(FaultSet *set, const OptionTexts *texts, const char *path, Error *ret_error)
{
        _cleanup_(buffer_done) Buffer content = BUFFER_INIT(FILE_MAX);
        char *rest, *line;
        size_t number = 0;
        int r = 0;

        for (size_t i = 0; i < texts->count && r == 0; i++)
                r = fault_add(set, texts->texts[i], ret_error);
        if (r == 0 && path)
                r = file_read(AT_FDCWD, path, FILE_MAX, &content, ret_error);
        rest = content.data;
        while (r == 0 && rest && (line = strsep(&rest, "\n")))
                r = read_line(set, line, path, ++number, ret_error);
        return r;
}

int fault_check_step(const FaultRule *rule, const char *user_data, Error *ret_error)
{
        const char *option = user_data ? strstr(user_data, "--role=") : NULL;
        size_t wanted = strlen(rule->match);

        for (size_t i = 0; option && i < ELEMENTS(roles); i++) {
                if (!text_starts(option + strlen("--role="), roles[i].role))
                        continue;
                for (const char *step = roles[i].steps; *step;) {
                        size_t length = strcspn(step, " ");

                        if (length == wanted && strncmp(step, rule->match, length) == 0)
                                return 0;
                        step += length + (step[length] == ' ');
                }
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--fault=%s': '%s' is a machine of role %s, which has no step "
                        "'%s'; its steps are %s",
                        rule->text,
                        rule->node,
                        roles[i].role,
                        rule->match,
                        roles[i].steps);
        }
        return error_set(ret_error,
                -EINVAL,
                "cannot use '--fault=%s': '%s' does not run flocker-bootstrap, and has no steps",
                rule->text,
                rule->node);
}

/* --- striking --- */

FaultRule *fault_meet(FaultSet *set, FaultService service, const HttpCall *call)
{
        _cleanup_(free) char *line =
                text_format("%s %s", http_call_method(call), http_call_path(call));

        if (http_call_is_late(call))
                return NULL;
        for (size_t i = 0; set && line && i < set->count; i++) {
                FaultRule *rule = &set->rules[i];

                if (rule->service != service || rule->left == 0 ||
                        (!text_equal(rule->match, "*") && !strstr(line, rule->match)))
                        continue;
                rule->left -= rule->left != ALWAYS;
                rule->struck++;
                return rule;
        }
        return NULL;
}

bool fault_act(const FaultRule *rule, HttpCall *call, bool *ret_over)
{
        *ret_over = true;
        switch (rule->kind) {
        case FAULT_HANG:
                http_call_hang(call);
                return true;
        case FAULT_REFUSE:
                http_call_refuse(call);
                return true;
        case FAULT_RESET:
                http_call_reset(call);
                return true;
        case FAULT_SLOW:
                http_call_defer(call, FAULT_DELAY_SECONDS * USEC_PER_SEC);
                return true;
        case FAULT_TRUNCATE:
        case FAULT_CORRUPT:
                http_call_spoil(
                        call, rule->kind == FAULT_CORRUPT ? HTTP_SPOIL_BIT : HTTP_SPOIL_HALF);
                *ret_over = false;
                return true;
        case FAULT_KILL:
        case FAULT_FAIL:
        case FAULT_STATUS:
        case FAULT_THROTTLE:
        case FAULT_SKEW:
        case FAULT_EXPIRE:
        case FAULT_STALE:
        case FAULT_DENY:
                break;
        }
        return false;
}
