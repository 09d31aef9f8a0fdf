/* What is written for one partition, region or account alone. */

#include "template/check-parts.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>

#define PSEUDO "CloudFormation User Guide, Pseudo parameters reference"

#define ACCOUNT_DIGITS 12

/* Over all texts of resources and outputs. */
static void visit_all(Check *check, CheckVisit visit)
{
        const CfnTemplate *template = check->template;

        for (size_t i = 0; i < template->n_resources; i++)
                check_visit_texts(check,
                        template->resources[i].properties,
                        visit,
                        (void *)(uintptr_t) template->resources[i].name);
        for (size_t i = 0; i < template->n_outputs; i++)
                check_visit_texts(check,
                        template->outputs[i].value,
                        visit,
                        (void *)(uintptr_t) template->outputs[i].name);
}

static void look_at_partition(Check *check, const YamlNode *node, void *userdata)
{
        static const char *const partitions[] = {"arn:aws:", "arn:aws-cn:", "arn:aws-us-gov:"};

        for (size_t i = 0; i < ELEMENTS(partitions); i++)
                if (strstr(node->text, partitions[i])) {
                        check_tell(check,
                                node,
                                "%s: '%s' is one partition's; write arn:${AWS::Partition}: in "
                                "Fn::Sub",
                                (const char *)userdata,
                                partitions[i]);
                        return;
                }
}

static bool is_word(char c)
{
        return isalnum((unsigned char)c) || c == '_';
}

/* Twelve digits as a word: as a principal, or as an ARN's fifth part. */
static void look_at_account(Check *check, const YamlNode *node, void *userdata)
{
        for (const char *c = node->text; *c; c++) {
                size_t digits = strspn(c, "0123456789");
                bool alone = c == node->text && c[digits] == '\0';
                bool in_arn = c > node->text && c[-1] == ':' && c[digits] == ':' &&
                              strstr(node->text, "arn:");

                if (digits == ACCOUNT_DIGITS && (alone || in_arn)) {
                        check_tell(check,
                                node,
                                "%s: %.12s is one account; write ${AWS::AccountId} in Fn::Sub, or "
                                "take a parameter",
                                (const char *)userdata,
                                c);
                        return;
                }
                if (digits > 0)
                        c += digits - 1;
        }
}

/* The length of a region's name at `text`: us-east-1, us-gov-west-1; 0: none is there. */
static size_t region_length(const char *text)
{
        static const char *const heads[] = {"us-gov-",
                "us-iso-",
                "us-isob-",
                "us-",
                "eu-",
                "eusc-",
                "ap-",
                "sa-",
                "ca-",
                "cn-",
                "me-",
                "af-",
                "il-",
                "mx-"};
        static const char *const places[] = {"northeast-",
                "northwest-",
                "southeast-",
                "southwest-",
                "north-",
                "south-",
                "east-",
                "west-",
                "central-"};

        for (size_t i = 0; i < ELEMENTS(heads); i++) {
                size_t length = strlen(heads[i]);

                if (!text_starts(text, heads[i]))
                        continue;
                for (size_t k = 0; k < ELEMENTS(places); k++)
                        if (text_starts(text + length, places[k])) {
                                length += strlen(places[k]);
                                return isdigit((unsigned char)text[length]) ? length + 1 : 0;
                        }
        }
        return 0;
}

static void look_at_region(Check *check, const YamlNode *node, void *userdata)
{
        for (const char *c = node->text; *c; c++) {
                size_t length = c == node->text || !is_word(c[-1]) ? region_length(c) : 0;
                const char *end = c + length;

                /* a zone has a letter more */
                if (length == 0 || (is_word(*end) && is_word(end[1])))
                        continue;
                check_tell(check,
                        node,
                        "%s: %.*s is one region; write ${AWS::Region} in Fn::Sub, Fn::GetAZs for "
                        "zones, or take a parameter",
                        (const char *)userdata,
                        TEXT_PART(c, length));
                return;
        }
}

static void look_at_partitions(Check *check)
{
        visit_all(check, look_at_partition);
}

static void look_at_accounts(Check *check)
{
        visit_all(check, look_at_account);
}

static void look_at_regions(Check *check)
{
        visit_all(check, look_at_region);
}

const CheckRule check_portable_rules[] = {
        {"one-partition", CHECK_WARNING, "an ARN of one partition", PSEUDO, look_at_partitions},
        {"one-account", CHECK_WARNING, "an account's id", PSEUDO, look_at_accounts},
        {"one-region", CHECK_WARNING, "a region's or a zone's name", PSEUDO, look_at_regions},
        {},
};
