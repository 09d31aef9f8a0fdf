/* One evaluation of a piece of a template: what the parts of cfn/function.h share. Functions return
 * as cfn_function_evaluate() does. */

#pragma once

#include "cfn/function.h"
#include "cfn/syntax.h"

typedef struct Evaluation {
        const CfnContext *context;
        CfnPlace place;   /* in a condition no resource is known */
        unsigned depth;   /* of conditions within conditions */
        size_t text_left; /* bytes that may still be made */
        Error *ret_error;
} Evaluation;

#define EVALUATION_TEXT_INIT BUFFER_INIT(2 * CFN_FUNCTION_TEXT_MAX)

#define evaluation_refuse(evaluation, node, ...)               \
        yaml_refuse((evaluation)->context->template->document, \
                node,                                          \
                (evaluation)->ret_error,                       \
                __VA_ARGS__)
int evaluation_out_of_memory(const Evaluation *evaluation);

/* Any node; `tag_is_done` as of cfn_syntax_call(). */
int evaluation_node(Evaluation *evaluation, const YamlNode *node, bool tag_is_done, Json **ret);

/* One that must be a string (or a number or boolean, as it is written), or a list; `what` is the
 * function that wants it. */
int evaluation_text(Evaluation *evaluation,
        const YamlNode *node,
        bool tag_is_done,
        const char *what,
        Buffer *ret);
int evaluation_list(Evaluation *evaluation, const YamlNode *node, const char *what, Json **ret);

/* A value as text, likewise. */
int evaluation_as_text(const Evaluation *evaluation,
        const YamlNode *node,
        const Json *value,
        const char *what,
        Buffer *ret);

/* Does the condition hold? `node` is where its name stands. */
int evaluation_holds(Evaluation *evaluation, const char *name, const YamlNode *node, bool *ret);

/* Ref, or, with an attribute, Fn::GetAtt; and the same of "Name" or "Name.Attribute". */
int evaluation_refer(Evaluation *evaluation,
        const YamlNode *node,
        const char *name,
        const char *attribute,
        Json **ret);
int evaluation_refer_dotted(
        Evaluation *evaluation, const YamlNode *node, const char *start, size_t length, Json **ret);

/* Text that is made counts against the evaluation's bound, so that a small template cannot make an
 * endless one. -EFBIG. */
int evaluation_append(Evaluation *evaluation,
        const YamlNode *node,
        Buffer *buffer,
        const char *text,
        size_t length);

/* Hands a new value over; NULL is taken for memory that was out. */
int evaluation_give(const Evaluation *evaluation, Json *value, Json **ret);
int evaluation_give_text(const Evaluation *evaluation, const Buffer *text, Json **ret);

/* The functions that give values, by CfnFunction; NULL: those of conditions. */
extern int (*const evaluation_calls[_CFN_FUNCTIONS])(
        Evaluation *evaluation, const CfnCall *call, Json **ret);
