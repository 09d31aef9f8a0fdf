/* Secrets where others can read them. */

#include "template/check-parts.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

#define NO_ECHO   "CloudFormation User Guide, Parameters section: NoEcho"
#define PRACTICES "CloudFormation User Guide, Security best practices"

#define ACCESS_KEY_ID 20 /* characters: AKIA and 16 more */

/* Does a parameter's name say that it is a secret? Not one that names a secret, or where it is. */
static bool is_secret_name(const char *name)
{
        static const char *const words[] = {"password",
                "passwd",
                "passphrase",
                "secretkey",
                "secretaccesskey",
                "secret",
                "privatekey",
                "apikey",
                "accesskey",
                "token",
                "credential"};
        static const char *const names[] = {
                "arn", "name", "path", "url", "rotation", "length", "days", "expiry", "lifetime"};
        char lower[CFN_TEMPLATE_NAME_MAX + 1];
        size_t length = 0;

        for (; name[length] && length < CFN_TEMPLATE_NAME_MAX; length++)
                lower[length] = (char)tolower((unsigned char)name[length]);
        lower[length] = '\0';
        for (size_t i = 0; i < ELEMENTS(names); i++)
                if (text_ends(lower, names[i]))
                        return false;
        for (size_t i = 0; i < ELEMENTS(words); i++)
                if (strstr(lower, words[i]))
                        return true;
        return false;
}

static void look_at_parameters(Check *check)
{
        for (size_t i = 0; i < check->template->n_parameters; i++) {
                const CfnParameter *parameter = &check->template->parameters[i];

                if (!parameter->no_echo && text_equal(parameter->type, "String") &&
                        !parameter->allowed_values && is_secret_name(parameter->name))
                        check_tell(check,
                                parameter->key,
                                "parameter %s looks like a secret, and everyone who may describe "
                                "the stack reads it; set NoEcho: true",
                                parameter->name);
        }
}

static void look_at_defaults(Check *check)
{
        for (size_t i = 0; i < check->template->n_parameters; i++) {
                const CfnParameter *parameter = &check->template->parameters[i];

                if (parameter->no_echo && !text_is_empty(parameter->default_value))
                        check_tell(check,
                                parameter->key,
                                "parameter %s is a secret and has a default, which the template "
                                "shows to everyone; take the default out",
                                parameter->name);
        }
}

/* Where a secret is found, and in what. */
typedef struct Showing {
        Check *check;
        const char *name, *where;
} Showing;

static int refer_to_secret(const CfnReference *reference, void *userdata, Error *ret_error)
{
        const Showing *showing = userdata;
        const CfnParameter *parameter;

        (void)ret_error;
        if (reference->kind != CFN_TO_NAME)
                return 0;
        parameter = cfn_template_parameter(showing->check->template, reference->name);
        if (parameter && parameter->no_echo)
                check_tell(showing->check,
                        reference->node,
                        "%s: the secret '%s' stands in %s; keep it in a Secrets Manager secret "
                        "that the machine's role may read",
                        showing->name,
                        parameter->name,
                        showing->where);
        return 0;
}

static void look_for_secrets(
        Check *check, const YamlNode *node, const char *name, const char *where)
{
        Showing showing = {check, name, where};

        check_walk(check, node, refer_to_secret, &showing);
}

static void look_at_user_data(Check *check)
{
        CheckMachine machine = {};

        while (check_next_machine(check, &machine))
                look_for_secrets(check,
                        check_user_data(check, machine.settings),
                        machine.resource->name,
                        "user-data, which everyone on the machine and everyone who may describe "
                        "it reads");
}

static void look_at_shown(Check *check)
{
        for (size_t i = 0; i < check->template->n_outputs; i++)
                look_for_secrets(check,
                        check->template->outputs[i].value,
                        check->template->outputs[i].name,
                        "an output");
        for (size_t i = 0; i < check->template->n_resources; i++)
                look_for_secrets(check,
                        check->template->resources[i].metadata,
                        check->template->resources[i].name,
                        "a resource's metadata, which every machine of the stack reads");
}

static void look_at_text(Check *check, const YamlNode *node, void *userdata)
{
        const char *key = strstr(node->text, "AKIA");
        const char *name = userdata;

        if (key && strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") >= ACCESS_KEY_ID)
                check_tell(check,
                        node,
                        "%s: an access key stands here; make it invalid, and give the machine a "
                        "role instead",
                        name);
        if (strstr(node->text, "PRIVATE KEY-----"))
                check_tell(check,
                        node,
                        "%s: a private key stands here; make it invalid, and keep the new one in a "
                        "Secrets Manager secret",
                        name);
}

static void look_at_password(Check *check, const YamlNode *node, void *userdata)
{
        if (check_is_literal(node) && !strstr(node->text, "{{resolve:"))
                check_tell(check,
                        node,
                        "%s: a secret stands in the template; take a parameter with NoEcho, "
                        "GenerateSecretString, or {{resolve:secretsmanager:…}}",
                        (const char *)userdata);
}

static void look_at_written(Check *check)
{
        static const char *const paths[] = {
                "SecretString", "MasterUserPassword", "LoginProfile/Password", "AuthToken"};

        for (size_t i = 0; i < check->template->n_resources; i++) {
                const CfnResource *resource = &check->template->resources[i];
                void *name = (void *)(uintptr_t)resource->name;

                check_visit_texts(check, resource->properties, look_at_text, name);
                check_visit_texts(check, resource->metadata, look_at_text, name);
                for (size_t k = 0; k < ELEMENTS(paths); k++)
                        check_visit(check, resource->properties, paths[k], look_at_password, name);
        }
}

const CheckRule check_secrets_rules[] = {
        {"secret-shown",
                CHECK_WARNING,
                "a parameter that looks like a secret, without NoEcho",
                NO_ECHO,
                look_at_parameters},
        {"secret-default",
                CHECK_WARNING,
                "a secret parameter with a default",
                NO_ECHO,
                look_at_defaults},
        {"secret-in-user-data",
                CHECK_WARNING,
                "a secret parameter in user-data",
                "EC2 User Guide, user data is not protected by authentication or encryption",
                look_at_user_data},
        {"secret-in-output",
                CHECK_WARNING,
                "a secret parameter in an output or in metadata",
                NO_ECHO,
                look_at_shown},
        {"secret-written-out",
                CHECK_WARNING,
                "a password, a private key or an access key in the template itself",
                PRACTICES,
                look_at_written},
        {},
};
