#include "cfn/syntax.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Function {
        const char *name; /* long: the key of an object */
        const char *tag;  /* short */
        int shape_min;    /* of a list of arguments; 0: no list */
        int shape_max;
        bool scalar;    /* one scalar will do */
        bool any;       /* whatever gives a text */
        bool comparing; /* only in conditions */
        const char *expected;
} Function;

static const Function functions[_CFN_FUNCTIONS] = {
        [CFN_REF] = {"Ref",
                "!Ref",
                .scalar = true,
                .expected = "the name of a parameter or resource"},
        [CFN_GET_ATT] = {"Fn::GetAtt",
                "!GetAtt",
                2,
                2,
                .scalar = true,
                .expected = "[resource, attribute] or 'Resource.Attribute'"},
        [CFN_SUB] = {"Fn::Sub",
                "!Sub",
                2,
                2,
                .scalar = true,
                .expected = "a string, or [string, {name: value}]"},
        [CFN_JOIN] = {"Fn::Join", "!Join", 2, 2, .expected = "[delimiter, list]"},
        [CFN_SELECT] = {"Fn::Select", "!Select", 2, 2, .expected = "[index, list]"},
        [CFN_SPLIT] = {"Fn::Split", "!Split", 2, 2, .expected = "[delimiter, string]"},
        [CFN_FIND_IN_MAP] = {"Fn::FindInMap",
                "!FindInMap",
                3,
                3,
                .expected = "[mapping, top-level key, second-level key]"},
        [CFN_BASE64] = {"Fn::Base64", "!Base64", .any = true, .expected = "a string"},
        [CFN_GET_AZS] = {"Fn::GetAZs", "!GetAZs", .any = true, .expected = "a region, or \"\""},
        [CFN_CIDR] = {"Fn::Cidr", "!Cidr", 3, 3, .expected = "[IPv4 block, count, bits of each]"},
        [CFN_IF] =
                {"Fn::If", "!If", 3, 3, .expected = "[condition, value if true, value if false]"},
        [CFN_EQUALS] =
                {"Fn::Equals", "!Equals", 2, 2, .comparing = true, .expected = "[value, value]"},
        [CFN_AND] =
                {"Fn::And", "!And", 2, 10, .comparing = true, .expected = "[2 to 10 conditions]"},
        [CFN_OR] = {"Fn::Or", "!Or", 2, 10, .comparing = true, .expected = "[2 to 10 conditions]"},
        [CFN_NOT] = {"Fn::Not", "!Not", 1, 1, .comparing = true, .expected = "[condition]"},
        [CFN_CONDITION] = {"Condition",
                "!Condition",
                .scalar = true,
                .comparing = true,
                .expected = "the name of a condition"},
};

/* What CloudFormation has and cannot be done here. */
static const struct {
        const char *name, *tag, *why;
} refused[] = {
        {"Fn::ImportValue", "!ImportValue", "it needs another stack's exports"},
        {"Fn::Transform", "!Transform", "macros are CloudFormation's own"},
        {"Fn::Length", "!Length", "it needs the transform AWS::LanguageExtensions"},
        {"Fn::ToJsonString", "!ToJsonString", "it needs the transform AWS::LanguageExtensions"},
        {"Fn::ForEach", "!ForEach", "it needs the transform AWS::LanguageExtensions"},
        {"Fn::GetStackOutput", "!GetStackOutput", "it needs another stack's outputs"},
        {"Fn::Contains", "!Contains", "rules are not read here"},
};

const char *cfn_syntax_name(CfnFunction function)
{
        return functions[function].name;
}

static int refuse_unknown(
        const CfnTemplate *template, const YamlNode *node, const char *name, Error *ret_error)
{
        bool tag = name[0] == '!';
        const char *known[_CFN_FUNCTIONS + 1] = {};
        const char *nearest;

        for (size_t i = 0; i < ELEMENTS(refused); i++)
                if (text_equal(name, tag ? refused[i].tag : refused[i].name) ||
                        (!tag && text_starts(name, "Fn::ForEach")))
                        return cfn_template_refuse(template,
                                CFN_FAULT_FOREIGN,
                                node,
                                ret_error,
                                "%.60s cannot be done here: %s",
                                name,
                                text_starts(name, "Fn::ForEach")
                                        ? "it needs the transform AWS::LanguageExtensions"
                                        : refused[i].why);

        for (size_t i = 0; i < _CFN_FUNCTIONS; i++)
                known[i] = tag ? functions[i].tag : functions[i].name;
        nearest = text_nearest(name, known);
        return cfn_template_refuse(template,
                CFN_FAULT_FUNCTION,
                node,
                ret_error,
                "unknown function '%.60s'%s%s%s",
                name,
                nearest ? " (did you mean '" : "",
                nearest ? nearest : "",
                nearest ? "'?)" : "");
}

/* The function that `name` spells, a key or a tag; NULL: none. */
static const Function *find(const char *name, bool tag)
{
        for (size_t i = 0; i < _CFN_FUNCTIONS; i++)
                if (text_equal(tag ? functions[i].tag : functions[i].name, name))
                        return &functions[i];
        return NULL;
}

static bool has_shape(const Function *function, const CfnCall *call)
{
        const YamlNode *argument = call->argument;

        /* a list is one only if another short tag makes a text of it: Fn::Base64: !Join […] */
        if (function->any)
                return argument->kind == YAML_SCALAR || argument->kind == YAML_MAPPING ||
                       (argument->kind == YAML_SEQUENCE && argument->tag && !call->tagged);
        if (argument->kind == YAML_SCALAR)
                return function->scalar && argument->length > 0;
        return argument->kind == YAML_SEQUENCE && function->shape_max > 0 &&
               argument->count >= (size_t)function->shape_min &&
               argument->count <= (size_t)function->shape_max;
}

/* What the shape alone does not tell: the parts that must be written out. */
static bool has_parts(CfnFunction function, const YamlNode *argument)
{
        const YamlNode *const *parts = (const YamlNode *const *)argument->values;

        switch ((int)function) {
        case CFN_GET_ATT:
                if (argument->kind == YAML_SCALAR)
                        return argument->text[0] != '.' && strchr(argument->text, '.') &&
                               !text_ends(argument->text, ".");
                return parts[0]->kind == YAML_SCALAR;
        case CFN_SUB:
                return argument->kind == YAML_SCALAR ||
                       (parts[0]->kind == YAML_SCALAR && parts[1]->kind == YAML_MAPPING);
        case CFN_IF:
                return parts[0]->kind == YAML_SCALAR;
        default:
                return true;
        }
}

/* As cfn_syntax_call(). */
static int check_call(
        const CfnTemplate *template, const CfnCall *call, CfnPlace place, Error *ret_error)
{
        const Function *function = &functions[call->function];
        int r;

        if (function->comparing && place != CFN_IN_CONDITION)
                r = cfn_template_refuse(template,
                        CFN_FAULT_FUNCTION,
                        call->node,
                        ret_error,
                        "%s stands only in Conditions",
                        function->name);
        else if (!has_shape(function, call) || !has_parts(call->function, call->argument))
                r = cfn_template_refuse(template,
                        CFN_FAULT_FUNCTION,
                        call->argument,
                        ret_error,
                        "%s: expected %s",
                        function->name,
                        function->expected);
        else
                return CFN_SYNTAX_CALL;
        return r < 0 ? r : CFN_SYNTAX_TOLD;
}

/* An object with one of its keys a function's name; NULL: it is plain. */
static const YamlNode *find_key(const YamlNode *node, CfnPlace place)
{
        for (size_t i = 0; node->kind == YAML_MAPPING && i < node->count; i++) {
                const char *key = node->keys[i]->text;

                if (text_starts(key, "Fn::") || (text_equal(key, "Ref") && node->count == 1) ||
                        (text_equal(key, "Condition") && place == CFN_IN_CONDITION))
                        return node->keys[i];
        }
        return NULL;
}

int cfn_syntax_call(const CfnTemplate *template,
        const YamlNode *node,
        CfnPlace place,
        bool tag_is_done,
        CfnCall *ret,
        Error *ret_error)
{
        bool tagged = !tag_is_done && node->tag && node->tag[0] == '!' && node->tag[1];
        const YamlNode *key = tagged ? NULL : find_key(node, place);
        const Function *function;
        CfnCall call = {};
        int r = 0;

        if (!tagged && !key)
                return CFN_SYNTAX_PLAIN;

        function = find(tagged ? node->tag : key->text, tagged);
        if (!function) {
                r = refuse_unknown(
                        template, tagged ? node : key, tagged ? node->tag : key->text, ret_error);
                return r < 0 ? r : CFN_SYNTAX_TOLD;
        }
        if (key && node->count != 1) {
                r = cfn_template_refuse(template,
                        CFN_FAULT_FUNCTION,
                        key,
                        ret_error,
                        "%s: expected it to stand alone in its object",
                        function->name);
                return r < 0 ? r : CFN_SYNTAX_TOLD;
        }

        call = (CfnCall){
                .function = (CfnFunction)(function - functions),
                .node = node,
                .argument = tagged ? node : node->values[0],
                .tagged = tagged,
        };
        r = check_call(template, &call, place, ret_error);
        if (r == CFN_SYNTAX_CALL)
                *ret = call;
        return r;
}

int cfn_syntax_sub_next(const CfnTemplate *template,
        const YamlNode *text,
        const char **place,
        CfnSubPart *ret,
        Error *ret_error)
{
        const char *start = *place, *open, *end;

        if (!*start)
                return 0;
        if (!text_starts(start, "${")) {
                open = strstr(start, "${");
                end = open ? open : start + strlen(start);
                *ret = (CfnSubPart){CFN_SUB_TEXT, start, (size_t)(end - start)};
                *place = end;
                return 1;
        }
        if (start[2] == '!') { /* "${!": the "!" is left out, in two parts */
                *ret = (CfnSubPart){CFN_SUB_TEXT, start, 2};
                end = strchr(start, '}');
                if (!end)
                        return cfn_template_refuse(template,
                                CFN_FAULT_FUNCTION,
                                text,
                                ret_error,
                                "Fn::Sub: a '${' without its '}'");
                *place = start + 3;
                return 1;
        }

        end = start + 2 + strcspn(start + 2, "}${ \t\n\"'");
        if (*end != '}' || end == start + 2)
                return cfn_template_refuse(template,
                        CFN_FAULT_FUNCTION,
                        text,
                        ret_error,
                        "Fn::Sub: expected ${Name}, ${Name.Attribute} or ${!text}, found '%.20s'",
                        start);
        *ret = (CfnSubPart){CFN_SUB_NAME, start + 2, (size_t)(end - start - 2)};
        *place = end + 1;
        return 1;
}

typedef struct Walk {
        const CfnTemplate *template;
        CfnVisit visit;
        void *userdata;
        unsigned choices; /* Fn::If around */
        Error *ret_error;
} Walk;

static int walk(const Walk *state, const YamlNode *node, CfnPlace place, bool tag_is_done);

static int visit(const Walk *state,
        CfnReferenceKind kind,
        const char *name,
        const char *attribute,
        const YamlNode *node)
{
        const CfnReference reference = {kind, name, attribute, node, state->choices > 0};

        return state->visit(&reference, state->userdata, state->ret_error);
}

/* "Name" or "Name.Attribute". */
static int visit_dotted(const Walk *state, const char *start, size_t length, const YamlNode *node)
{
        _cleanup_(free) char *name = text_copy_part(start, length);
        char *dot;

        if (!name)
                return error_set(state->ret_error,
                        -ENOMEM,
                        "cannot read '%s': %m",
                        yaml_name(state->template->document));
        dot = strchr(name, '.');
        if (dot)
                *dot++ = '\0';
        return visit(state, dot ? CFN_TO_ATTRIBUTE : CFN_TO_NAME, name, dot, node);
}

static bool is_own_name(const YamlNode *names, const CfnSubPart *part)
{
        for (size_t i = 0; names && i < names->count; i++)
                if (names->keys[i]->length == part->length &&
                        memcmp(names->keys[i]->text, part->start, part->length) == 0)
                        return true;
        return false;
}

static int walk_sub(const Walk *state, const YamlNode *argument)
{
        bool list = argument->kind == YAML_SEQUENCE;
        const YamlNode *text = list ? argument->values[0] : argument;
        const YamlNode *names = list ? argument->values[1] : NULL;
        const char *place = text->text;
        CfnSubPart part = {};
        int r;

        while ((r = cfn_syntax_sub_next(state->template, text, &place, &part, state->ret_error)) >
                0) {
                if (part.kind == CFN_SUB_TEXT || is_own_name(names, &part))
                        continue;
                r = visit_dotted(state, part.start, part.length, text);
                if (r < 0)
                        return r;
        }
        for (size_t i = 0; r == 0 && names && i < names->count; i++)
                r = walk(state, names->values[i], CFN_IN_VALUE, false);
        return r;
}

/* All elements of a list, from `first`. */
static int walk_list(const Walk *state, const YamlNode *list, size_t first, CfnPlace place)
{
        int r = 0;

        for (size_t i = first; r == 0 && i < list->count; i++)
                r = walk(state, list->values[i], place, false);
        return r;
}

static int walk_get_att(const Walk *state, const YamlNode *argument)
{
        const YamlNode *attribute;
        int r;

        if (argument->kind == YAML_SCALAR)
                return visit_dotted(state, argument->text, argument->length, argument);
        attribute = argument->values[1];
        if (attribute->kind == YAML_SCALAR && !attribute->tag)
                return visit(state,
                        CFN_TO_ATTRIBUTE,
                        argument->values[0]->text,
                        attribute->text,
                        argument->values[0]);
        r = visit(state, CFN_TO_ATTRIBUTE, argument->values[0]->text, NULL, argument->values[0]);
        return r < 0 ? r : walk(state, attribute, CFN_IN_VALUE, false);
}

static int walk_find_in_map(const Walk *state, const YamlNode *argument)
{
        const YamlNode *mapping = argument->values[0];
        int r = 0;

        if (mapping->kind == YAML_SCALAR && !mapping->tag)
                r = visit(state, CFN_TO_MAPPING, mapping->text, NULL, mapping);
        return r < 0 ? r : walk_list(state, argument, 0, CFN_IN_VALUE);
}

static int walk_choice(const Walk *state, const YamlNode *argument)
{
        const YamlNode *condition = argument->values[0];
        Walk below = *state;
        int r;

        below.choices++;
        r = visit(state, CFN_TO_CONDITION, condition->text, NULL, condition);
        return r < 0 ? r : walk_list(&below, argument, 1, CFN_IN_VALUE);
}

static int walk_call(const Walk *state, const CfnCall *call)
{
        const YamlNode *argument = call->argument;

        switch ((int)call->function) {
        case CFN_REF:
                return visit(state, CFN_TO_NAME, argument->text, NULL, argument);
        case CFN_GET_ATT:
                return walk_get_att(state, argument);
        case CFN_SUB:
                return walk_sub(state, argument);
        case CFN_FIND_IN_MAP:
                return walk_find_in_map(state, argument);
        case CFN_IF:
                return walk_choice(state, argument);
        case CFN_CONDITION:
                return visit(state, CFN_TO_CONDITION, argument->text, NULL, argument);
        case CFN_BASE64:
        case CFN_GET_AZS:
                return walk(state, argument, CFN_IN_VALUE, call->tagged);
        case CFN_AND:
        case CFN_OR:
        case CFN_NOT:
                return walk_list(state, argument, 0, CFN_IN_CONDITION);
        default:
                return walk_list(state, argument, 0, CFN_IN_VALUE);
        }
}

static int walk(const Walk *state, const YamlNode *node, CfnPlace place, bool tag_is_done)
{
        CfnCall call = {.node = node, .argument = node};
        int r;

        r = cfn_syntax_call(state->template, node, place, tag_is_done, &call, state->ret_error);
        if (r == CFN_SYNTAX_CALL)
                return walk_call(state, &call);
        if (r == CFN_SYNTAX_TOLD && node->tag && !tag_is_done)
                return walk(state, node, place, true);
        for (size_t i = 0; r >= 0 && i < node->count; i++)
                r = walk(state, node->values[i], CFN_IN_VALUE, false);
        return r < 0 ? r : 0;
}

int cfn_syntax_walk(const CfnTemplate *template,
        const YamlNode *node,
        CfnPlace place,
        CfnVisit visitor,
        void *userdata,
        Error *ret_error)
{
        const Walk state = {template, visitor, userdata, 0, ret_error};

        return walk(&state, node, place, false);
}
