/* Wait conditions: what makes a stack wait for ever, too short, or for the wrong machine. */

#include "template/check-parts.h"

#include "base/text.h"

#include <errno.h>
#include <string.h>

#define CONDITION "AWS::CloudFormation::WaitCondition"
#define HANDLE    "AWS::CloudFormation::WaitConditionHandle"
#define PAGE      "CloudFormation Template Reference, AWS::CloudFormation::WaitCondition"
#define WAITING   "CloudFormation User Guide, Create wait conditions in a template"
#define LIFE                                                                                \
        "EC2 User Guide, user data runs at the first boot alone; Template Reference, wait " \
        "conditions"

#define TIMEOUT_MAX 43200
#define HASH_DIGITS 8

static const CfnResource *handle_of(Check *check, const CfnResource *condition)
{
        const CfnResource *handle =
                check_resource_of(check, check_find(check, condition->properties, "Handle"));

        return handle && text_equal(handle->type, HANDLE) ? handle : NULL;
}

static bool is_told(const Check *check, const CfnResource *instance, const CfnResource *handle)
{
        static const char *const type = "AWS::EC2::LaunchTemplate";

        if (!check_needs(check, instance, handle) || check_uses(check, instance, handle))
                return check_uses(check, instance, handle);
        for (const CfnResource *launch = check_next(check, type, NULL); launch;
                launch = check_next(check, type, launch))
                if (check_uses(check, launch, handle) && check_uses(check, instance, launch))
                        return true;
        return false;
}

/* The instances that are told the handle's URL: by their own user-data, or by their launch
 * template's. The one behind `previous`; NULL: no more. */
static const CfnResource *next_signaller(
        const Check *check, const CfnResource *handle, const CfnResource *previous)
{
        const CfnResource *instance = previous;

        while ((instance = check_next(check, "AWS::EC2::Instance", instance)))
                if (is_told(check, instance, handle))
                        return instance;
        return NULL;
}

static void look_at_order(Check *check)
{
        for (const CfnResource *condition = check_next(check, CONDITION, NULL); condition;
                condition = check_next(check, CONDITION, condition)) {
                const CfnResource *handle = handle_of(check, condition);

                for (const CfnResource *instance = handle ? next_signaller(check, handle, NULL)
                                                          : NULL;
                        instance;
                        instance = next_signaller(check, handle, instance))
                        if (!check_needs(check, condition, instance))
                                check_tell(check,
                                        condition->key,
                                        "%s waits for '%s' and does not depend on it, so its time "
                                        "runs before the machine does; add DependsOn: %s",
                                        condition->name,
                                        instance->name,
                                        instance->name);
        }
}

static void look_at_timeout(Check *check, const YamlNode *node, void *userdata)
{
        const CfnResource *condition = userdata;
        const CfnParameter *parameter = check_parameter_of(check, node);
        int64_t seconds;

        if (check_is_literal(node) && text_to_int64(node->text, 1, TIMEOUT_MAX, &seconds) < 0)
                check_tell(check,
                        node,
                        "%s: Timeout: expected 1 to %d seconds, found '%.60s'",
                        condition->name,
                        TIMEOUT_MAX,
                        node->text);
        if (parameter && parameter->default_value &&
                text_to_int64(parameter->default_value, 1, TIMEOUT_MAX, &seconds) < 0)
                check_tell(check,
                        parameter->key,
                        "%s: Timeout: expected 1 to %d seconds, and the default of '%s' is "
                        "'%.60s'",
                        condition->name,
                        TIMEOUT_MAX,
                        parameter->name,
                        parameter->default_value);
}

static void look_at_timeouts(Check *check)
{
        for (const CfnResource *condition = check_next(check, CONDITION, NULL); condition;
                condition = check_next(check, CONDITION, condition))
                check_visit(check,
                        condition->properties,
                        "Timeout",
                        look_at_timeout,
                        (void *)(uintptr_t)condition);
}

static void look_at_handles(Check *check)
{
        for (const CfnResource *condition = check_next(check, CONDITION, NULL); condition;
                condition = check_next(check, CONDITION, condition)) {
                const YamlNode *handle = check_find(check, condition->properties, "Handle");

                if (!handle && !condition->creation_policy)
                        check_tell(check,
                                condition->key,
                                "%s waits for nothing: it needs Handle and Timeout, or a "
                                "CreationPolicy",
                                condition->name);
        }
}

static bool is_shared(const Check *check, const CfnResource *condition, const CfnResource *handle)
{
        const CfnResource *other = condition;

        while ((other = check_next(check, CONDITION, other)))
                if (check_uses(check, other, handle))
                        return true;
        return false;
}

/* How many signals a condition waits for; -1: that is not written out. */
static int64_t count_of(Check *check, const CfnResource *condition)
{
        const YamlNode *node = check_find(check, condition->properties, "Count");
        int64_t count = 1;

        if (node &&
                (!check_is_literal(node) || text_to_int64(node->text, 1, INT32_MAX, &count) < 0))
                return -1;
        return count;
}

static void look_at_sharing(Check *check)
{
        for (const CfnResource *condition = check_next(check, CONDITION, NULL); condition;
                condition = check_next(check, CONDITION, condition)) {
                const CfnResource *handle = handle_of(check, condition), *instance = NULL;
                int64_t signallers = 0, count = count_of(check, condition);

                if (!handle)
                        continue;
                if (is_shared(check, condition, handle))
                        check_tell(check,
                                handle->key,
                                "%s is the handle of two wait conditions, and one signal ends "
                                "both; give each its own",
                                handle->name);
                while ((instance = next_signaller(check, handle, instance)))
                        signallers++;
                if (count > 0 && signallers > count)
                        check_tell(check,
                                condition->key,
                                "%s waits for %d signal%s, and %d instances signal to '%s': the "
                                "others are not waited for; raise Count, or give each its own "
                                "handle",
                                condition->name,
                                (int)count,
                                count == 1 ? "" : "s",
                                (int)signallers,
                                handle->name);
        }
}

/* The hash of the configuration that a logical id ends with: "X" and hexadecimal digits. */
static const char *hash_of(const CfnResource *resource)
{
        size_t length = strlen(resource->name);
        const char *hash = length > HASH_DIGITS + 1 ? resource->name + length - HASH_DIGITS : "";

        return *hash && hash[-1] == 'X' && strspn(hash, "0123456789abcdef") == HASH_DIGITS ? hash
                                                                                           : NULL;
}

static void look_at_hashes(Check *check)
{
        for (const CfnResource *condition = check_next(check, CONDITION, NULL); condition;
                condition = check_next(check, CONDITION, condition)) {
                const CfnResource *handle = handle_of(check, condition);
                const CfnResource *instance = handle ? next_signaller(check, handle, NULL) : NULL;
                const char *hash = instance ? hash_of(instance) : NULL;

                if (!instance)
                        continue;
                if (!hash)
                        check_tell(check,
                                instance->key,
                                "%s: changed user-data does not run on the same machine, and its "
                                "handle takes no second signal; end the ids of instance, handle "
                                "and condition with X and 8 hexadecimal digits of a hash of the "
                                "configuration, so that a change replaces all three",
                                instance->name);
                else if (!text_equal(hash, hash_of(handle)) ||
                         !text_equal(hash, hash_of(condition)))
                        check_tell(check,
                                instance->key,
                                "%s, '%s' and '%s' end with different hashes; all three carry the "
                                "instance's, so that a change replaces them together",
                                instance->name,
                                handle->name,
                                condition->name);
        }
}

const CheckRule check_wait_rules[] = {
        {"wait-time",
                CHECK_ERROR,
                "a wait condition's time-out that is not 1 to 43,200 seconds",
                PAGE,
                look_at_timeouts},
        {"wait-for-nothing",
                CHECK_ERROR,
                "a wait condition without handle and without creation policy",
                PAGE,
                look_at_handles},
        {"wait-before-instance",
                CHECK_WARNING,
                "a wait condition that does not depend on the instance that signals",
                WAITING,
                look_at_order},
        {"shared-handle",
                CHECK_WARNING,
                "a handle of two wait conditions, or of more instances than are waited for",
                WAITING,
                look_at_sharing},
        {"unhashed-handle",
                CHECK_WARNING,
                "an instance that signals, whose id does not change with its configuration",
                LIFE,
                look_at_hashes},
        {},
};
