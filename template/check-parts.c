#include "template/check-parts.h"

#include "base/text.h"

#include <string.h>

#define NAME_MAX_BYTES (CFN_TEMPLATE_NAME_MAX + 1U)

const CfnResource *check_next(const Check *check, const char *type, const CfnResource *previous)
{
        const CfnTemplate *template = check->template;

        if (previous)
                return check->alike[previous - template->resources];
        for (size_t i = 0; i < template->n_resources; i++)
                if (text_equal(template->resources[i].type, type))
                        return &template->resources[i];
        return NULL;
}

bool check_needs(const Check *check, const CfnResource *resource, const CfnResource *on)
{
        const CfnResource *first = check->template->resources;

        return check->above[(size_t)(resource - first) * check->graph->count +
                            (size_t)(on - first)] != 0;
}

bool check_uses(const Check *check, const CfnResource *resource, const CfnResource *other)
{
        const CfnResource *first = check->template->resources;

        return cfn_graph_needs(check->graph, (size_t)(resource - first), (size_t)(other - first));
}

bool check_is_literal(const YamlNode *node)
{
        return node && node->kind == YAML_SCALAR && !node->tag;
}

/* What is called at `node`; false: it is plain, or no call that can be read. */
static bool read_call(const Check *check, const YamlNode *node, bool tag_is_done, CfnCall *ret)
{
        return cfn_syntax_call(check->template, node, CFN_IN_VALUE, tag_is_done, ret, NULL) ==
               CFN_SYNTAX_CALL;
}

static bool is_no_value(const CfnCall *call)
{
        return call->function == CFN_REF && text_equal(call->argument->text, "AWS::NoValue");
}

/* The member that the first word of `path` names; *ret_rest is what is behind it. */
static const YamlNode *step(const YamlNode *node, const char *path, const char **ret_rest)
{
        size_t length = strcspn(path, "/");

        *ret_rest = path + length + (path[length] == '/');
        for (size_t i = 0; node->kind == YAML_MAPPING && i < node->count; i++)
                if (node->keys[i]->length == length &&
                        memcmp(node->keys[i]->text, path, length) == 0)
                        return node->values[i];
        return NULL;
}

void check_visit(
        Check *check, const YamlNode *node, const char *path, CheckVisit visit, void *userdata)
{
        CfnCall call;

        if (!node)
                return;
        if (read_call(check, node, false, &call)) {
                if (call.function == CFN_IF) {
                        check_visit(check, call.argument->values[1], path, visit, userdata);
                        check_visit(check, call.argument->values[2], path, visit, userdata);
                } else if (!*path && !is_no_value(&call)) {
                        visit(check, node, userdata);
                }
                return;
        }
        if (!*path) {
                visit(check, node, userdata);
        } else if (path[0] == '*') {
                path += 1 + (path[1] == '/');
                if (node->kind != YAML_SEQUENCE)
                        check_visit(check, node, path, visit, userdata);
                else
                        for (size_t i = 0; i < node->count; i++)
                                check_visit(check, node->values[i], path, visit, userdata);
        } else {
                node = step(node, path, &path);
                check_visit(check, node, path, visit, userdata);
        }
}

typedef struct Finding {
        const char *text; /* NULL: any */
        const YamlNode *found;
} Finding;

static void find(Check *check, const YamlNode *node, void *userdata)
{
        Finding *finding = userdata;

        (void)check;
        if (!finding->found &&
                (!finding->text ||
                        (check_is_literal(node) && text_equal_case(node->text, finding->text))))
                finding->found = node;
}

const YamlNode *check_find(Check *check, const YamlNode *node, const char *path)
{
        return check_find_text(check, node, path, NULL);
}

const YamlNode *check_find_text(
        Check *check, const YamlNode *node, const char *path, const char *text)
{
        Finding finding = {.text = text};

        check_visit(check, node, path, find, &finding);
        return finding.found;
}

static void visit_texts(
        Check *check, const YamlNode *node, bool tag_is_done, CheckVisit visit, void *userdata)
{
        CfnCall call = {.argument = node};
        size_t first = 0;

        if (read_call(check, node, tag_is_done, &call)) {
                if (call.function == CFN_REF || call.function == CFN_GET_ATT ||
                        call.function == CFN_CONDITION)
                        return;
                first = call.function == CFN_IF || call.function == CFN_FIND_IN_MAP;
                if (call.tagged && call.argument->kind != YAML_SEQUENCE) {
                        visit_texts(check, node, true, visit, userdata);
                        return;
                }
                if (call.argument->kind != YAML_SEQUENCE) {
                        visit_texts(check, call.argument, false, visit, userdata);
                        return;
                }
        }
        node = call.argument;
        if (node->kind == YAML_SCALAR)
                visit(check, node, userdata);
        for (size_t i = first; i < node->count; i++)
                visit_texts(check, node->values[i], false, visit, userdata);
}

void check_visit_texts(Check *check, const YamlNode *node, CheckVisit visit, void *userdata)
{
        if (node)
                visit_texts(check, node, false, visit, userdata);
}

void check_walk(const Check *check, const YamlNode *node, CfnVisit visit, void *userdata)
{
        if (node)
                (void)cfn_syntax_walk(check->template, node, CFN_IN_VALUE, visit, userdata, NULL);
}

typedef struct Referring {
        const char *name;
        bool found;
} Referring;

static int refer(const CfnReference *reference, void *userdata, Error *ret_error)
{
        Referring *referring = userdata;

        (void)ret_error;
        if ((reference->kind == CFN_TO_NAME || reference->kind == CFN_TO_ATTRIBUTE) &&
                text_equal(reference->name, referring->name))
                referring->found = true;
        return 0;
}

bool check_refers(const Check *check, const YamlNode *node, const char *name)
{
        Referring referring = {.name = name};

        check_walk(check, node, refer, &referring);
        return referring.found;
}

/* The one name that `node` gives: Ref, Fn::GetAtt, or "${Name}" alone. */
static const char *name_of(const Check *check, const YamlNode *node, char place[NAME_MAX_BYTES])
{
        const char *start = NULL;
        size_t length = 0;
        CfnCall call;

        if (!node || !read_call(check, node, false, &call))
                return NULL;
        if (call.argument->kind == YAML_SEQUENCE && call.function == CFN_GET_ATT)
                start = call.argument->values[0]->text;
        else if (call.argument->kind == YAML_SCALAR)
                start = call.argument->text;
        if (start && call.function == CFN_SUB) {
                if (!text_starts(start, "${") || strchr(start, '}') != start + strlen(start) - 1)
                        return NULL;
                start += 2;
        } else if (call.function != CFN_REF && call.function != CFN_GET_ATT) {
                return NULL;
        }

        length = start ? strcspn(start, call.function == CFN_REF ? "" : ".}") : 0;
        if (length == 0 || length >= NAME_MAX_BYTES)
                return NULL;
        memcpy(place, start, length);
        place[length] = '\0';
        return place;
}

const CfnResource *check_resource_of(const Check *check, const YamlNode *node)
{
        char place[NAME_MAX_BYTES];
        const char *name = name_of(check, node, place);

        return name ? cfn_template_resource(check->template, name) : NULL;
}

const CfnParameter *check_parameter_of(const Check *check, const YamlNode *node)
{
        char place[NAME_MAX_BYTES];
        const char *name = name_of(check, node, place);

        return name ? cfn_template_parameter(check->template, name) : NULL;
}

bool check_next_machine(Check *check, CheckMachine *machine)
{
        static const struct {
                const char *type, *path;
        } kinds[] = {
                {"AWS::EC2::Instance", ""},
                {"AWS::EC2::LaunchTemplate", "LaunchTemplateData"},
                {"AWS::AutoScaling::LaunchConfiguration", ""},
        };
        const CfnTemplate *template = check->template;
        const CfnResource *resource =
                machine->resource ? machine->resource + 1 : template->resources;

        for (; resource < template->resources + template->n_resources; resource++)
                for (size_t i = 0; i < ELEMENTS(kinds); i++) {
                        const YamlNode *settings =
                                text_equal(resource->type, kinds[i].type)
                                        ? check_find(check, resource->properties, kinds[i].path)
                                        : NULL;

                        if (!settings || settings->kind != YAML_MAPPING)
                                continue;
                        *machine = (CheckMachine){resource, settings};
                        return true;
                }
        return false;
}

const YamlNode *check_user_data(Check *check, const YamlNode *settings)
{
        const YamlNode *node = check_find(check, settings, "UserData");
        CfnCall call;

        if (!node || !read_call(check, node, false, &call) || call.function != CFN_BASE64)
                return NULL;
        return call.argument;
}

const CfnResource *check_launch_template(Check *check, const CfnResource *instance)
{
        const CfnResource *template = check_resource_of(
                check, check_find(check, instance->properties, "LaunchTemplate/LaunchTemplateId"));

        return template && text_equal(template->type, "AWS::EC2::LaunchTemplate") ? template : NULL;
}

const YamlNode *check_launch_settings(Check *check, const CfnResource *instance)
{
        const CfnResource *template = check_launch_template(check, instance);

        return template ? check_find(check, template->properties, "LaunchTemplateData") : NULL;
}

const char *check_text_of(const YamlNode *node)
{
        static const char *const ways[] = {"Fn::Sub", "Fn::Join"};

        while (node && node->kind != YAML_SCALAR) {
                const YamlNode *inner = NULL;

                for (size_t i = 0; !inner && i < ELEMENTS(ways); i++)
                        inner = yaml_member(node, ways[i]);
                if (!inner && node->kind == YAML_SEQUENCE && node->count > 0)
                        /* [text, names] of Fn::Sub, [delimiter, list] of Fn::Join */
                        inner = node->count == 2 && node->values[1]->kind == YAML_SEQUENCE
                                        ? node->values[1]
                                        : node->values[0];
                node = inner;
        }
        return node && (!node->tag || text_equal(node->tag, "!Sub") ||
                               text_equal(node->tag, "!Base64"))
                       ? node->text
                       : "";
}
