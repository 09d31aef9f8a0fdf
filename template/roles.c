/* What each kind of node may do, and no more: a table, and the roles made of it. */

#include "template/stack-parts.h"

#include "base/text.h"
#include "template/build.h"

#include <errno.h>
#include <stdio.h>

#define ACTIONS_MAX 3U
#define PATHS_MAX   9U

/* Rights on objects of the store. Paths of a component that is left out are left out. */
typedef struct Right {
        unsigned kinds; /* of StackKind */
        const char *sid;
        const char *actions[ACTIONS_MAX];
        const char *paths[PATHS_MAX]; /* NULL-ended; none: the bucket itself */
        bool for_purging;             /* not with keep-secrets */
        bool for_classic;             /* where Swarm may be the classic one */
} Right;

static const Right rights[] = {
        {STACK_CONTROL,
                "PublishAndReadOwn",
                {"s3:GetObject", "s3:PutObject"},
                {"docker/*", "flocker/*", "swarm/worker.json", "swarm/members/*"}},
        {STACK_AGENT,
                "ReadOwn",
                {"s3:GetObject"},
                {"docker/*",
                        "flocker/cluster.crt",
                        "flocker/agent.yml",
                        "flocker/nodes/*",
                        "swarm/worker.json"}},
        {STACK_AGENT, "TellMembership", {"s3:PutObject"}, {"swarm/members/*"}},
        {STACK_CLIENT,
                "ReadOwn",
                {"s3:GetObject"},
                {"docker/*", "flocker/cluster.crt", "flocker/client/*", "status/*"}},
        {STACK_CONTROL | STACK_AGENT | STACK_CLIENT, "TellStatus", {"s3:PutObject"}, {"status/*"}},
        {STACK_CLIENT,
                "PurgeSecrets",
                {"s3:DeleteObject"},
                {"docker/ca-key.pem",
                        "flocker/agent.yml",
                        "flocker/nodes/*.key",
                        "flocker/client/*.key",
                        "swarm/worker.json"},
                .for_purging = true},
        {STACK_CONTROL, "ListMembers", {"s3:ListBucket"}, .for_classic = true},
        {STACK_CLIENT, "ListStore", {"s3:ListBucket"}},
};

static const struct {
        StackKind kind;
        const char *role, *profile;
} kinds[] = {
        {STACK_CONTROL, "ControlRole", "ControlProfile"},
        {STACK_AGENT, "AgentRole", "AgentProfile"},
        {STACK_CLIENT, "ClientRole", "ClientProfile"},
};

/* Objects below a component's name are there with the component alone, and Swarm's as its mode has
 * them. */
static bool is_wanted(const Variant *variant, const char *path)
{
        if (text_equal(path, "swarm/worker.json"))
                return variant_may_swarm(variant, VARIANT_SWARM_BUILTIN);
        if (text_starts(path, "swarm/members/"))
                return variant_may_swarm(variant, VARIANT_SWARM_CLASSIC);
        for (size_t i = 0; variant_components[i]; i++)
                if (text_starts(path, variant_components[i]))
                        return variant_has(variant, 1U << i);
        return true;
}

static Json *build_actions(const Right *right)
{
        Json *list = json_new_array();

        for (size_t i = 0; list && i < ACTIONS_MAX && right->actions[i]; i++)
                if (json_append(list, build_text(right->actions[i])) < 0)
                        return json_free(list);
        return list;
}

/* *ret_count tells how many objects are left. */
static Json *build_objects(
        const Variant *variant, const char *generation, const Right *right, size_t *ret_count)
{
        Json *list = json_new_array();

        for (size_t i = 0; list && i < PATHS_MAX && right->paths[i]; i++) {
                if (!is_wanted(variant, right->paths[i]))
                        continue;
                if (json_append(list,
                            build_sub_format(
                                    "${ClusterConfig.Arn}/%s/%s", generation, right->paths[i])) < 0)
                        return json_free(list);
        }
        *ret_count = json_count(list);
        return list;
}

static int add_right(
        const Variant *variant, const char *generation, const Right *right, Json *statements)
{
        Json *resources;
        size_t count = 1;

        if ((right->for_purging && variant->keep_secrets) ||
                (right->for_classic && !variant_may_swarm(variant, VARIANT_SWARM_CLASSIC)))
                return 0;
        resources = right->paths[0] ? build_objects(variant, generation, right, &count)
                                    : build_get_att("ClusterConfig", "Arn");
        if (count == 0) {
                (void)json_free(resources);
                return 0;
        }
        return json_append(statements,
                build_object({"Sid", build_text(right->sid)},
                        {"Effect", build_text("Allow")},
                        {"Action", build_actions(right)},
                        {"Resource", resources}));
}

static Json *build_secret_right(void)
{
        return build_object({"Sid", build_text("ReadDatasetKeys")},
                {"Effect", build_text("Allow")},
                {"Action", build_text("secretsmanager:GetSecretValue")},
                {"Resource", build_ref("DatasetSecret")});
}

/* With a customer's key S3 asks KMS in the caller's name. */
static Json *build_key_right(void)
{
        return build_if("HasStoreKey",
                build_object({"Sid", build_text("UseStoreKey")},
                        {"Effect", build_text("Allow")},
                        {"Action",
                                build_list(build_text("kms:Decrypt"),
                                        build_text("kms:GenerateDataKey"))},
                        {"Resource", build_ref("StoreKey")}),
                build_no_value());
}

static Json *build_statements(const Variant *variant, const char *generation, StackKind kind)
{
        _cleanup_(json_free) Json *statements = json_new_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(rights); i++)
                if (rights[i].kinds & (unsigned)kind)
                        r = add_right(variant, generation, &rights[i], statements);
        if (r == 0 && kind == STACK_CONTROL && variant_flocker_on_aws(variant))
                r = json_append(statements, build_secret_right());
        if (r == 0)
                r = json_append(statements, build_key_right());
        return r < 0 ? NULL : TAKE_PTR(statements);
}

/* EC2's instances may take the role. */
static Json *build_trust(void)
{
        Json *statement = build_object({"Effect", build_text("Allow")},
                {"Principal", build_object({"Service", build_sub("ec2.${AWS::URLSuffix}")})},
                {"Action", build_text("sts:AssumeRole")});

        return build_object(
                {"Version", build_text("2012-10-17")}, {"Statement", build_list(statement)});
}

static Json *build_role(const Variant *variant, const char *generation, StackKind kind)
{
        Json *policy = build_object({"PolicyName", build_text("ClusterStore")},
                {"PolicyDocument",
                        build_object({"Version", build_text("2012-10-17")},
                                {"Statement", build_statements(variant, generation, kind)})});

        return build_resource("AWS::IAM::Role",
                build_object({"AssumeRolePolicyDocument", build_trust()},
                        {"Policies", build_list(policy)}));
}

int stack_add_roles(const Variant *variant, const char *generation, Json *resources)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < ELEMENTS(kinds); i++) {
                r = json_set(
                        resources, kinds[i].role, build_role(variant, generation, kinds[i].kind));
                if (r == 0)
                        r = json_set(resources,
                                kinds[i].profile,
                                build_resource("AWS::IAM::InstanceProfile",
                                        build_object(
                                                {"Roles", build_list(build_ref(kinds[i].role))})));
        }
        return r;
}
