#include "rehearsal/stack-faults.h"

#include "base/text.h"
#include "rehearsal/stack-parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By its stem, or by its whole logical id. */
static const CfnResource *find_machine(const CfnTemplate *template, const char *node)
{
        for (size_t i = 0; i < template->n_resources; i++) {
                const CfnResource *resource = &template->resources[i];
                _cleanup_(free) char *stem = stack_find_stem(resource->name);

                if (text_equal(resource->type, "AWS::EC2::Instance") &&
                        (text_equal(stem, node) || text_equal(resource->name, node)))
                        return resource;
        }
        return NULL;
}

/* The text of user-data, wherever its functions hold it. */
static const char *find_role(const YamlNode *node)
{
        if (!node || node->kind == YAML_SCALAR)
                return node && strstr(node->text, "--role=") ? node->text : NULL;
        for (size_t i = 0; i < node->count; i++) {
                const char *text = find_role(node->values[i]);

                if (text)
                        return text;
        }
        return NULL;
}

static int
check(const FaultRule *rule, const CfnTemplate *template, const CfnTemplate *next, Error *ret_error)
{
        const CfnResource *machine = find_machine(template, rule->node);

        if (!machine && next)
                machine = find_machine(next, rule->node);
        if (!machine)
                return error_set(ret_error,
                        -EINVAL,
                        "cannot use '--fault=%s': the template has no instance '%s', and the "
                        "services are s3, secrets, signal and metadata",
                        rule->text,
                        rule->node);
        return fault_check_step(rule, find_role(machine->properties), ret_error);
}

int stack_faults_find(const FaultSet *set,
        const CfnTemplate *template,
        const CfnTemplate *next,
        StackFault ret[STACK_FAULTS_MAX],
        size_t *ret_count,
        Error *ret_error)
{
        size_t count = 0;
        int r = 0;

        for (size_t i = 0; i < set->count && r == 0; i++) {
                const FaultRule *rule = &set->rules[i];

                if (rule->service != FAULT_OF_NODE)
                        continue;
                r = check(rule, template, next, ret_error);
                if (r == 0 && count >= STACK_FAULTS_MAX)
                        r = error_set(ret_error,
                                -EINVAL,
                                "cannot use '--fault=%s': %u are the most that machines can have",
                                rule->text,
                                STACK_FAULTS_MAX);
                if (r < 0)
                        break;
                (void)text_put(ret[count].node, sizeof(ret[count].node), rule->node);
                (void)snprintf(ret[count].rest,
                        sizeof(ret[count].rest),
                        "%s:%s",
                        rule->match,
                        fault_kind_name(rule->kind));
                count++;
        }
        if (r == 0)
                *ret_count = count;
        return r;
}

void stack_faults_tell_idle(const FaultSet *set, void (*note)(const char *text, void *userdata))
{
        for (size_t i = 0; i < set->count; i++) {
                const FaultRule *rule = &set->rules[i];
                char text[320];

                if (rule->service == FAULT_OF_NODE || rule->struck > 0)
                        continue;
                (void)snprintf(text,
                        sizeof(text),
                        "--fault=%s struck nothing: no request matched",
                        rule->text);
                note(text, NULL);
        }
}
