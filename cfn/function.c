#include "cfn/evaluation.h"

#include "base/text.h"

#include <errno.h>

#define CONDITIONS_DEPTH_MAX 64U

int evaluation_out_of_memory(const Evaluation *evaluation)
{
        return error_set(evaluation->ret_error,
                -ENOMEM,
                "cannot evaluate '%s': %m",
                yaml_name(evaluation->context->template->document));
}

/* Hands a new value over, NULL where memory was out. */
int evaluation_give(const Evaluation *evaluation, Json *value, Json **ret)
{
        if (!value)
                return evaluation_out_of_memory(evaluation);
        *ret = value;
        return CFN_FUNCTION_VALUE;
}

/* A text that is to be made; counted, so that a small template cannot make an endless one. */
int evaluation_append(Evaluation *evaluation,
        const YamlNode *node,
        Buffer *buffer,
        const char *text,
        size_t length)
{
        if (length > evaluation->text_left)
                return error_set(evaluation->ret_error,
                        -EFBIG,
                        "cannot evaluate '%s': line %u, column %u: it makes more than %u bytes",
                        yaml_name(evaluation->context->template->document),
                        node->line,
                        node->column,
                        CFN_FUNCTION_TEXT_MAX);
        evaluation->text_left -= length;
        return buffer_append(buffer, text, length) < 0 ? evaluation_out_of_memory(evaluation) : 0;
}

int evaluation_give_text(const Evaluation *evaluation, const Buffer *text, Json **ret)
{
        return evaluation_give(evaluation, json_new_text(buffer_text(text)), ret);
}

/* As text: a string, or a number or boolean as it is written. The value stays the caller's. */
int evaluation_as_text(const Evaluation *evaluation,
        const YamlNode *node,
        const Json *value,
        const char *what,
        Buffer *ret)
{
        if (json_is_object(value) || json_is_array(value))
                return evaluation_refuse(evaluation,
                        node,
                        "%s: expected a string, found %s",
                        what,
                        json_is_array(value) ? "a list" : "an object");
        if (json_is_string(value))
                return buffer_append_text(ret, json_text(value)) < 0
                               ? evaluation_out_of_memory(evaluation)
                               : 0;
        return json_format(value, JSON_ONE_LINE, ret) < 0 ? evaluation_out_of_memory(evaluation)
                                                          : 0;
}

/* Evaluates to text; AWS::NoValue is none. */
int evaluation_text(Evaluation *evaluation,
        const YamlNode *node,
        bool tag_is_done,
        const char *what,
        Buffer *ret)
{
        _cleanup_(json_free) Json *value = NULL;
        int r;

        r = evaluation_node(evaluation, node, tag_is_done, &value);
        if (r < 0)
                return r;
        if (r == CFN_FUNCTION_NO_VALUE)
                return evaluation_refuse(
                        evaluation, node, "%s: expected a string, found AWS::NoValue", what);
        return evaluation_as_text(evaluation, node, value, what, ret);
}

int evaluation_list(Evaluation *evaluation, const YamlNode *node, const char *what, Json **ret)
{
        _cleanup_(json_free) Json *value = NULL;
        int r;

        r = evaluation_node(evaluation, node, false, &value);
        if (r < 0)
                return r;
        if (r == CFN_FUNCTION_NO_VALUE || !json_is_array(value))
                return evaluation_refuse(evaluation, node, "%s: expected a list", what);
        *ret = TAKE_PTR(value);
        return 0;
}

static int evaluate_scalar(const Evaluation *evaluation, const YamlNode *node, Json **ret)
{
        int64_t number;

        if (node->plain && !node->tag) {
                if (text_equal(node->text, "true") || text_equal(node->text, "false"))
                        return evaluation_give(
                                evaluation, json_new_bool(text_equal(node->text, "true")), ret);
                if (text_to_int64(node->text, INT64_MIN + 1, INT64_MAX, &number) == 0)
                        return evaluation_give(evaluation, json_new_int64(number), ret);
        }
        if (!text_is_utf8(node->text, node->length))
                return evaluation_refuse(evaluation, node, "expected UTF-8 text");
        return evaluation_give(evaluation, json_new_text(node->text), ret);
}

static int evaluate_sequence(Evaluation *evaluation, const YamlNode *node, Json **ret)
{
        _cleanup_(json_free) Json *list = json_new_array();
        int r = 0;

        for (size_t i = 0; r >= 0 && i < node->count; i++) {
                Json *value = NULL;

                r = evaluation_node(evaluation, node->values[i], false, &value);
                if (r == CFN_FUNCTION_VALUE && json_append(list, value) < 0)
                        r = evaluation_out_of_memory(evaluation);
        }
        return r < 0 ? r : evaluation_give(evaluation, TAKE_PTR(list), ret);
}

static int evaluate_mapping(Evaluation *evaluation, const YamlNode *node, Json **ret)
{
        _cleanup_(json_free) Json *object = json_new_object();
        int r = 0;

        for (size_t i = 0; r >= 0 && i < node->count; i++) {
                Json *value = NULL;

                r = evaluation_node(evaluation, node->values[i], false, &value);
                if (r == CFN_FUNCTION_VALUE && json_set(object, node->keys[i]->text, value) < 0)
                        r = evaluation_out_of_memory(evaluation);
        }
        return r < 0 ? r : evaluation_give(evaluation, TAKE_PTR(object), ret);
}

int evaluation_node(Evaluation *evaluation, const YamlNode *node, bool tag_is_done, Json **ret)
{
        CfnCall call;
        int r;

        r = cfn_syntax_call(evaluation->context->template,
                node,
                CFN_IN_VALUE,
                tag_is_done,
                &call,
                evaluation->ret_error);
        if (r < 0)
                return r;
        if (r == CFN_SYNTAX_CALL)
                return evaluation_calls[call.function](evaluation, &call, ret);

        switch (node->kind) {
        case YAML_SCALAR:
                return evaluate_scalar(evaluation, node, ret);
        case YAML_SEQUENCE:
                return evaluate_sequence(evaluation, node, ret);
        case YAML_MAPPING:
                return evaluate_mapping(evaluation, node, ret);
        case YAML_NULL:
        default:
                return evaluation_refuse(evaluation, node, "null is no value in a template");
        }
}

static int evaluate_condition(Evaluation *evaluation, const YamlNode *node, bool *ret);

static int compare(Evaluation *evaluation, const YamlNode *list, bool *ret)
{
        _cleanup_(buffer_done) Buffer a = EVALUATION_TEXT_INIT, b = EVALUATION_TEXT_INIT;
        int r;

        r = evaluation_text(evaluation, list->values[0], false, "Fn::Equals", &a);
        if (r == 0)
                r = evaluation_text(evaluation, list->values[1], false, "Fn::Equals", &b);
        if (r == 0)
                *ret = text_equal(buffer_text(&a), buffer_text(&b));
        return r;
}

/* All of a Fn::And's or Fn::Or's, also when the first has decided: each must be sound. */
static int combine(Evaluation *evaluation, const YamlNode *list, bool all, bool *ret)
{
        bool result = all;
        int r = 0;

        for (size_t i = 0; r == 0 && i < list->count; i++) {
                bool one = false;

                r = evaluate_condition(evaluation, list->values[i], &one);
                result = all ? result && one : result || one;
        }
        if (r == 0)
                *ret = result;
        return r;
}

static int evaluate_condition(Evaluation *evaluation, const YamlNode *node, bool *ret)
{
        bool value = false;
        CfnCall call;
        int r;

        r = cfn_syntax_call(evaluation->context->template,
                node,
                CFN_IN_CONDITION,
                false,
                &call,
                evaluation->ret_error);
        if (r < 0)
                return r;
        if (r == CFN_SYNTAX_CALL && call.function == CFN_EQUALS)
                return compare(evaluation, call.argument, ret);
        if (r == CFN_SYNTAX_CALL && (call.function == CFN_AND || call.function == CFN_OR))
                return combine(evaluation, call.argument, call.function == CFN_AND, ret);
        if (r == CFN_SYNTAX_CALL && call.function == CFN_CONDITION)
                return evaluation_holds(evaluation, call.argument->text, call.argument, ret);
        if (r == CFN_SYNTAX_CALL && call.function == CFN_NOT) {
                r = evaluate_condition(evaluation, call.argument->values[0], &value);
                if (r == 0)
                        *ret = !value;
                return r;
        }
        return evaluation_refuse(evaluation,
                node,
                "expected a condition: Fn::Equals, Fn::And, Fn::Or, Fn::Not or Condition");
}

int evaluation_holds(Evaluation *evaluation, const char *name, const YamlNode *node, bool *ret)
{
        const CfnTemplate *template = evaluation->context->template;
        const CfnCondition *condition = cfn_template_condition(template, name);
        const char *nearest = cfn_template_nearest(template, CFN_CONDITIONS, name);
        CfnPlace place = evaluation->place;
        int r;

        if (!condition)
                return evaluation_refuse(evaluation,
                        node,
                        "there is no condition '%.60s'%s%s%s",
                        name,
                        nearest ? " (did you mean '" : "",
                        nearest ? nearest : "",
                        nearest ? "'?)" : "");
        if (evaluation->depth >= CONDITIONS_DEPTH_MAX)
                return evaluation_refuse(evaluation, node, "the condition '%s' needs itself", name);

        evaluation->place = CFN_IN_CONDITION;
        evaluation->depth++;
        r = evaluate_condition(evaluation, condition->value, ret);
        evaluation->depth--;
        evaluation->place = place;
        return r;
}

int cfn_function_evaluate(
        const CfnContext *context, const YamlNode *node, Json **ret, Error *ret_error)
{
        Evaluation evaluation = {context, CFN_IN_VALUE, 0, CFN_FUNCTION_TEXT_MAX, ret_error};

        return evaluation_node(&evaluation, node, false, ret);
}

int cfn_function_exists(
        const CfnContext *context, const YamlNode *condition, bool *ret, Error *ret_error)
{
        Evaluation evaluation = {context, CFN_IN_CONDITION, 0, CFN_FUNCTION_TEXT_MAX, ret_error};

        if (condition)
                return evaluation_holds(&evaluation, condition->text, condition, ret);
        *ret = true;
        return 0;
}

int cfn_function_condition(const CfnContext *context, const char *name, bool *ret, Error *ret_error)
{
        Evaluation evaluation = {context, CFN_IN_CONDITION, 0, CFN_FUNCTION_TEXT_MAX, ret_error};

        return evaluation_holds(&evaluation, name, yaml_root(context->template->document), ret);
}
