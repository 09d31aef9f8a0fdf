#include "template/check-policy.h"

#include "base/text.h"

static const struct {
        const char *type, *path;
        CheckPolicyKind kind;
} places[] = {
        {"AWS::IAM::Role", "AssumeRolePolicyDocument", CHECK_TRUST},
        {"AWS::IAM::Role", "Policies/*/PolicyDocument", CHECK_IDENTITY},
        {"AWS::IAM::User", "Policies/*/PolicyDocument", CHECK_IDENTITY},
        {"AWS::IAM::Group", "Policies/*/PolicyDocument", CHECK_IDENTITY},
        {"AWS::IAM::Policy", "PolicyDocument", CHECK_IDENTITY},
        {"AWS::IAM::RolePolicy", "PolicyDocument", CHECK_IDENTITY},
        {"AWS::IAM::ManagedPolicy", "PolicyDocument", CHECK_IDENTITY},
        {"AWS::S3::BucketPolicy", "PolicyDocument", CHECK_BUCKET},
        {"AWS::SQS::QueuePolicy", "PolicyDocument", CHECK_BUCKET},
        {"AWS::SNS::TopicPolicy", "PolicyDocument", CHECK_BUCKET},
        {"AWS::SecretsManager::ResourcePolicy", "ResourcePolicy", CHECK_BUCKET},
        {"AWS::KMS::Key", "KeyPolicy", CHECK_KEY},
};

typedef struct Visiting {
        CheckStatement statement;
        bool documents;
        CheckLook look;
        void *userdata;
} Visiting;

static void visit_statement(Check *check, const YamlNode *node, void *userdata)
{
        Visiting *visiting = userdata;

        if (node->kind != YAML_MAPPING)
                return;
        visiting->statement.node = node;
        visiting->statement.allows = !check_find_text(check, node, "Effect", "Deny");
        visiting->look(check, &visiting->statement, visiting->userdata);
}

static void visit_document(Check *check, const YamlNode *node, void *userdata)
{
        Visiting *visiting = userdata;

        if (node->kind != YAML_MAPPING)
                return;
        visiting->statement.document = node;
        if (visiting->documents)
                visiting->look(check, &visiting->statement, visiting->userdata);
        else
                check_visit(check, node, "Statement/*", visit_statement, visiting);
}

static void visit(Check *check, const CfnResource *resource, Visiting *visiting)
{
        for (size_t i = 0; i < ELEMENTS(places); i++) {
                if (!text_equal(resource->type, places[i].type))
                        continue;
                visiting->statement =
                        (CheckStatement){.resource = resource, .kind = places[i].kind};
                check_visit(check, resource->properties, places[i].path, visit_document, visiting);
        }
}

static void visit_all(Check *check, bool documents, CheckLook look, void *userdata)
{
        Visiting visiting = {.documents = documents, .look = look, .userdata = userdata};

        for (size_t i = 0; i < check->template->n_resources; i++)
                visit(check, &check->template->resources[i], &visiting);
}

void check_policy_documents(Check *check, CheckLook look, void *userdata)
{
        visit_all(check, true, look, userdata);
}

void check_policy_statements(Check *check, CheckLook look, void *userdata)
{
        visit_all(check, false, look, userdata);
}

void check_policy_statements_of(
        Check *check, const CfnResource *resource, CheckLook look, void *userdata)
{
        Visiting visiting = {.look = look, .userdata = userdata};

        visit(check, resource, &visiting);
}
