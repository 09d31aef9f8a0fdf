/* The functions, each on a call whose shape is sound. */

#include "cfn/evaluation.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int evaluate_ref(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        return evaluation_refer(evaluation, call->argument, call->argument->text, NULL, ret);
}

static int evaluate_get_att(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        _cleanup_(buffer_done) Buffer attribute = EVALUATION_TEXT_INIT;
        const YamlNode *argument = call->argument;
        int r;

        if (argument->kind == YAML_SCALAR)
                return evaluation_refer_dotted(
                        evaluation, argument, argument->text, argument->length, ret);
        r = evaluation_text(evaluation, argument->values[1], false, "Fn::GetAtt", &attribute);
        if (r < 0)
                return r;
        return evaluation_refer(evaluation,
                argument->values[0],
                argument->values[0]->text,
                buffer_text(&attribute),
                ret);
}

/* What a name in a Fn::Sub's text stands for: first one of its own, then what Ref and GetAtt give.
 */
static int substitute(Evaluation *evaluation,
        const YamlNode *text,
        const YamlNode *names,
        const CfnSubPart *part,
        Buffer *ret)
{
        _cleanup_(buffer_done) Buffer content = EVALUATION_TEXT_INIT;
        _cleanup_(json_free) Json *value = NULL;
        int r;

        for (size_t i = 0; names && i < names->count; i++) {
                if (names->keys[i]->length != part->length ||
                        memcmp(names->keys[i]->text, part->start, part->length) != 0)
                        continue;
                r = evaluation_text(evaluation, names->values[i], false, "Fn::Sub", &content);
                return r < 0 ? r
                             : evaluation_append(
                                       evaluation, text, ret, buffer_text(&content), content.size);
        }

        r = evaluation_refer_dotted(evaluation, text, part->start, part->length, &value);
        if (r < 0)
                return r;
        if (r == CFN_FUNCTION_NO_VALUE)
                return evaluation_refuse(evaluation, text, "Fn::Sub: AWS::NoValue is no string");
        r = evaluation_as_text(evaluation, text, value, "Fn::Sub", &content);
        return r < 0 ? r
                     : evaluation_append(
                               evaluation, text, ret, buffer_text(&content), content.size);
}

static int evaluate_sub(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        bool list = call->argument->kind == YAML_SEQUENCE;
        const YamlNode *text = list ? call->argument->values[0] : call->argument;
        const YamlNode *names = list ? call->argument->values[1] : NULL;
        _cleanup_(buffer_done) Buffer result = EVALUATION_TEXT_INIT;
        const char *place = text->text;
        CfnSubPart part;
        int r;

        while ((r = cfn_syntax_sub_next(evaluation->context->template,
                        text,
                        &place,
                        &part,
                        evaluation->ret_error)) > 0) {
                r = part.kind == CFN_SUB_TEXT
                            ? evaluation_append(evaluation, text, &result, part.start, part.length)
                            : substitute(evaluation, text, names, &part, &result);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : evaluation_give_text(evaluation, &result, ret);
}

static int evaluate_join(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        const YamlNode *const *parts = (const YamlNode *const *)call->argument->values;
        _cleanup_(buffer_done) Buffer delimiter = EVALUATION_TEXT_INIT,
                                      result = EVALUATION_TEXT_INIT;
        _cleanup_(json_free) Json *list = NULL;
        int r;

        r = evaluation_text(evaluation, parts[0], false, "Fn::Join", &delimiter);
        if (r == 0)
                r = evaluation_list(evaluation, parts[1], "Fn::Join", &list);
        for (size_t i = 0; r == 0 && i < json_count(list); i++) {
                _cleanup_(buffer_done) Buffer text = EVALUATION_TEXT_INIT;

                r = evaluation_as_text(
                        evaluation, parts[1], json_element(list, i), "Fn::Join", &text);
                if (r == 0 && i > 0)
                        r = evaluation_append(evaluation,
                                call->node,
                                &result,
                                buffer_text(&delimiter),
                                delimiter.size);
                if (r == 0)
                        r = evaluation_append(
                                evaluation, call->node, &result, buffer_text(&text), text.size);
        }
        return r < 0 ? r : evaluation_give_text(evaluation, &result, ret);
}

static int evaluate_select(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        const YamlNode *const *parts = (const YamlNode *const *)call->argument->values;
        _cleanup_(buffer_done) Buffer index = EVALUATION_TEXT_INIT;
        _cleanup_(json_free) Json *list = NULL;
        uint64_t at;
        int r;

        r = evaluation_text(evaluation, parts[0], false, "Fn::Select", &index);
        if (r == 0)
                r = evaluation_list(evaluation, parts[1], "Fn::Select", &list);
        if (r < 0)
                return r;
        if (text_to_uint64(buffer_text(&index), 0, UINT32_MAX, &at) < 0)
                return evaluation_refuse(evaluation,
                        parts[0],
                        "Fn::Select: expected an index from 0, found '%.60s'",
                        buffer_text(&index));
        if (at >= json_count(list))
                return evaluation_refuse(evaluation,
                        parts[0],
                        "Fn::Select: the list has %zu elements, and no element %" PRIu64,
                        json_count(list),
                        at);
        return evaluation_give(
                evaluation, json_ref((Json *)(uintptr_t)json_element(list, (size_t)at)), ret);
}

static int evaluate_split(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        const YamlNode *const *parts = (const YamlNode *const *)call->argument->values;
        _cleanup_(buffer_done) Buffer delimiter = EVALUATION_TEXT_INIT, text = EVALUATION_TEXT_INIT;
        _cleanup_(json_free) Json *list = json_new_array();
        const char *start, *end;
        int r;

        r = evaluation_text(evaluation, parts[0], false, "Fn::Split", &delimiter);
        if (r == 0)
                r = evaluation_text(evaluation, parts[1], false, "Fn::Split", &text);
        if (r < 0)
                return r;
        if (delimiter.size == 0)
                return evaluation_refuse(evaluation, parts[0], "Fn::Split: expected a delimiter");

        for (start = buffer_text(&text); start; start = end) {
                _cleanup_(free) char *item = NULL;

                end = strstr(start, buffer_text(&delimiter));
                item = text_copy_part(start, end ? (size_t)(end - start) : strlen(start));
                if (!item || json_append(list, json_new_text(item)) < 0)
                        return evaluation_out_of_memory(evaluation);
                if (end)
                        end += delimiter.size;
        }
        return evaluation_give(evaluation, TAKE_PTR(list), ret);
}

/* A key of a mapping, with the nearest where it has none such. */
static int find_key(const Evaluation *evaluation,
        const YamlNode *mapping,
        const char *key,
        const YamlNode *node,
        const YamlNode **ret)
{
        const char **known;
        const char *nearest;
        int r;

        *ret = yaml_member(mapping, key);
        if (*ret)
                return 0;

        known = calloc(mapping->count + 1, sizeof(*known));
        if (!known)
                return evaluation_out_of_memory(evaluation);
        for (size_t i = 0; i < mapping->count; i++)
                known[i] = mapping->keys[i]->text;
        nearest = text_nearest(key, known);
        r = evaluation_refuse(evaluation,
                node,
                "Fn::FindInMap: the mapping has no key '%.60s'%s%s%s",
                key,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
        free((void *)known);
        return r;
}

static int evaluate_find_in_map(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        const CfnTemplate *template = evaluation->context->template;
        const YamlNode *const *parts = (const YamlNode *const *)call->argument->values;
        _cleanup_(buffer_done) Buffer name = EVALUATION_TEXT_INIT, top = EVALUATION_TEXT_INIT,
                                      second = EVALUATION_TEXT_INIT;
        const CfnMapping *mapping;
        const YamlNode *inner = NULL, *value = NULL;
        int r;

        r = evaluation_text(evaluation, parts[0], false, "Fn::FindInMap", &name);
        if (r == 0)
                r = evaluation_text(evaluation, parts[1], false, "Fn::FindInMap", &top);
        if (r == 0)
                r = evaluation_text(evaluation, parts[2], false, "Fn::FindInMap", &second);
        if (r < 0)
                return r;
        mapping = cfn_template_mapping(template, buffer_text(&name));
        if (!mapping)
                return evaluation_refuse(evaluation,
                        parts[0],
                        "Fn::FindInMap: there is no mapping '%.60s'",
                        buffer_text(&name));
        r = find_key(evaluation, mapping->value, buffer_text(&top), parts[1], &inner);
        if (r == 0)
                r = find_key(evaluation, inner, buffer_text(&second), parts[2], &value);
        return r < 0 ? r : evaluation_node(evaluation, value, false, ret);
}

static int evaluate_base64(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        _cleanup_(buffer_done) Buffer text = EVALUATION_TEXT_INIT, encoded = EVALUATION_TEXT_INIT;
        _cleanup_(free) char *base64 = NULL;
        int r;

        r = evaluation_text(evaluation, call->argument, call->tagged, "Fn::Base64", &text);
        if (r < 0)
                return r;
        base64 = text_base64(buffer_text(&text), text.size);
        if (!base64)
                return evaluation_out_of_memory(evaluation);
        r = evaluation_append(evaluation, call->node, &encoded, base64, strlen(base64));
        return r < 0 ? r : evaluation_give_text(evaluation, &encoded, ret);
}

/* An IPv4 block, and the parts of it that are asked for. */
typedef struct Cidr {
        uint64_t first, prefix, count, bits;
} Cidr;

/* "10.0.0.0/16"; false: it is none, or the parts do not fit. */
static bool read_cidr(char *block, const char *count, const char *bits, Cidr *ret)
{
        char *slash = block ? strchr(block, '/') : NULL;
        struct in_addr address;
        bool is_block;

        if (!slash)
                return false;
        *slash = '\0';
        is_block = inet_pton(AF_INET, block, &address) == 1;
        *slash = '/';
        if (!is_block || text_to_uint64(slash + 1, 0, 32, &ret->prefix) < 0 ||
                text_to_uint64(count, 1, 256, &ret->count) < 0 ||
                text_to_uint64(bits, 1, 32, &ret->bits) < 0)
                return false;
        ret->first = ntohl(address.s_addr) & ~((1ULL << (32 - ret->prefix)) - 1);
        return ret->count << ret->bits <= 1ULL << (32 - ret->prefix);
}

static Json *list_cidrs(const Cidr *cidr)
{
        Json *list = json_new_array();
        int r = list ? 0 : -ENOMEM;

        for (uint64_t i = 0; i < cidr->count && r == 0; i++) {
                struct in_addr one = {htonl((uint32_t)(cidr->first + (i << cidr->bits)))};
                char text[INET_ADDRSTRLEN], block[INET_ADDRSTRLEN + 4];

                (void)inet_ntop(AF_INET, &one, text, sizeof(text));
                (void)snprintf(block, sizeof(block), "%s/%u", text, 32 - (unsigned)cidr->bits);
                r = json_append(list, json_new_text(block));
        }
        return r == 0 ? list : json_free(list);
}

static int evaluate_cidr(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        const YamlNode *const *parts = (const YamlNode *const *)call->argument->values;
        _cleanup_(buffer_done) Buffer block = EVALUATION_TEXT_INIT, count = EVALUATION_TEXT_INIT,
                                      bits = EVALUATION_TEXT_INIT;
        Cidr cidr;
        int r = evaluation_text(evaluation, parts[0], false, "Fn::Cidr", &block);

        if (r == 0)
                r = evaluation_text(evaluation, parts[1], false, "Fn::Cidr", &count);
        if (r == 0)
                r = evaluation_text(evaluation, parts[2], false, "Fn::Cidr", &bits);
        if (r < 0)
                return r;
        if (!read_cidr(block.data, buffer_text(&count), buffer_text(&bits), &cidr))
                return evaluation_refuse(evaluation,
                        call->argument,
                        "Fn::Cidr: expected an IPv4 block like 10.0.0.0/16, a count from 1 to 256, "
                        "and so many bits for each that all fit, found '%.60s'",
                        buffer_text(&block));
        return evaluation_give(evaluation, list_cidrs(&cidr), ret);
}

static int evaluate_get_azs(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        _cleanup_(buffer_done) Buffer region = EVALUATION_TEXT_INIT;
        _cleanup_(json_free) Json *list = json_new_array();
        int r;

        r = evaluation_text(evaluation, call->argument, call->tagged, "Fn::GetAZs", &region);
        if (r == 0 && region.size == 0 &&
                buffer_append_text(&region, evaluation->context->region) < 0)
                r = evaluation_out_of_memory(evaluation);
        for (char letter = 'a'; r == 0 && letter <= 'c'; letter++) {
                _cleanup_(free) char *zone = text_format("%s%c", buffer_text(&region), letter);

                if (!zone || json_append(list, json_new_text(zone)) < 0)
                        r = evaluation_out_of_memory(evaluation);
        }
        return r < 0 ? r : evaluation_give(evaluation, TAKE_PTR(list), ret);
}

static int evaluate_if(Evaluation *evaluation, const CfnCall *call, Json **ret)
{
        const YamlNode *const *parts = (const YamlNode *const *)call->argument->values;
        bool yes;
        int r;

        r = evaluation_holds(evaluation, parts[0]->text, parts[0], &yes);
        return r < 0 ? r : evaluation_node(evaluation, yes ? parts[1] : parts[2], false, ret);
}

int (*const evaluation_calls[_CFN_FUNCTIONS])(Evaluation *, const CfnCall *, Json **) = {
        [CFN_REF] = evaluate_ref,
        [CFN_GET_ATT] = evaluate_get_att,
        [CFN_SUB] = evaluate_sub,
        [CFN_JOIN] = evaluate_join,
        [CFN_SELECT] = evaluate_select,
        [CFN_SPLIT] = evaluate_split,
        [CFN_FIND_IN_MAP] = evaluate_find_in_map,
        [CFN_BASE64] = evaluate_base64,
        [CFN_GET_AZS] = evaluate_get_azs,
        [CFN_CIDR] = evaluate_cidr,
        [CFN_IF] = evaluate_if,
};
