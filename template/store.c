/* The bucket with its policy, and the secret with the dataset's access keys. */

#include "template/stack-parts.h"

#include "template/build.h"

#include <stdio.h>

/* What is private material, where lifecycle rules can name it: prefixes (s3/store.h, Layout of the
 * store). Sets of certificates go as a whole, as they are of no use without their keys. */
static const struct {
        const char *id, *prefix;
        VariantComponent component;
} doomed[] = {
        {"DockerCaKey", "docker/ca-key.pem", VARIANT_DOCKER},
        {"FlockerAgentYml", "flocker/agent.yml", VARIANT_FLOCKER},
        {"FlockerNodes", "flocker/nodes/", VARIANT_FLOCKER},
        {"FlockerClient", "flocker/client/", VARIANT_FLOCKER},
        {"SwarmToken", "swarm/worker.json", VARIANT_SWARM},
};

static bool is_there(const Variant *variant, size_t i)
{
        return doomed[i].component == VARIANT_SWARM
                       ? variant_may_swarm(variant, VARIANT_SWARM_BUILTIN)
                       : variant_has(variant, doomed[i].component);
}

static Json *build_lifecycle(const Variant *variant, const char *generation)
{
        _cleanup_(json_free) Json *rules = json_new_array();
        int r = 0;

        for (size_t i = 0; r == 0 && !variant->keep_secrets && i < ELEMENTS(doomed); i++)
                if (is_there(variant, i))
                        r = json_append(rules,
                                build_object({"Id", build_text(doomed[i].id)},
                                        {"Status", build_text("Enabled")},
                                        {"Prefix",
                                                build_format(
                                                        "%s/%s", generation, doomed[i].prefix)},
                                        {"ExpirationInDays", json_new_int64(1)}));
        if (r == 0)
                r = json_append(rules,
                        build_object({"Id", build_text("UnfinishedUploads")},
                                {"Status", build_text("Enabled")},
                                {"AbortIncompleteMultipartUpload",
                                        build_object({"DaysAfterInitiation", json_new_int64(1)})}));
        return r < 0 ? NULL : build_object({"Rules", TAKE_PTR(rules)});
}

static Json *build_encryption(void)
{
        Json *by_default = build_object(
                {"SSEAlgorithm",
                        build_if("HasStoreKey", build_text("aws:kms"), build_text("AES256"))},
                {"KMSMasterKeyID",
                        build_if("HasStoreKey", build_ref("StoreKey"), build_no_value())});

        return build_object({"ServerSideEncryptionConfiguration",
                build_list(build_object({"ServerSideEncryptionByDefault", by_default},
                        {"BucketKeyEnabled",
                                build_if("HasStoreKey", json_new_bool(true), build_no_value())}))});
}

static Json *build_bucket(const Variant *variant, const char *generation)
{
        Json *ownership = build_object({"Rules",
                build_list(build_object({"ObjectOwnership", build_text("BucketOwnerEnforced")}))});
        Json *access = build_object({"BlockPublicAcls", json_new_bool(true)},
                {"BlockPublicPolicy", json_new_bool(true)},
                {"IgnorePublicAcls", json_new_bool(true)},
                {"RestrictPublicBuckets", json_new_bool(true)});

        return build_object({"Type", build_text("AWS::S3::Bucket")},
                {"DeletionPolicy", build_text("Retain")},
                {"UpdateReplacePolicy", build_text("Retain")},
                {"Properties",
                        build_object({"BucketEncryption", build_encryption()},
                                {"OwnershipControls", ownership},
                                {"PublicAccessBlockConfiguration", access},
                                {"LifecycleConfiguration", build_lifecycle(variant, generation)})});
}

/* Nothing without TLS, for nobody. */
static Json *build_bucket_policy(void)
{
        Json *bucket = build_get_att("ClusterConfig", "Arn");
        Json *statement = build_object({"Sid", build_text("OnlyOverTls")},
                {"Effect", build_text("Deny")},
                {"Principal", build_text("*")},
                {"Action", build_text("s3:*")},
                {"Resource", build_list(bucket, build_sub("${ClusterConfig.Arn}/*"))},
                {"Condition",
                        build_object({"Bool",
                                build_object({"aws:SecureTransport", build_text("false")})})});

        return build_object({"Type", build_text("AWS::S3::BucketPolicy")},
                {"DeletionPolicy", build_text("Retain")},
                {"UpdateReplacePolicy", build_text("Retain")},
                {"Properties",
                        build_object({"Bucket", build_ref("ClusterConfig")},
                                {"PolicyDocument",
                                        build_object({"Version", build_text("2012-10-17")},
                                                {"Statement", build_list(statement)})})});
}

/* The parameters' patterns leave nothing that JSON would have to escape. */
static Json *build_secret(void)
{
        return build_resource("AWS::SecretsManager::Secret",
                build_object(
                        {"Description", build_text("The access keys of Flocker's aws backend")},
                        {"SecretString",
                                build_sub("{\"access_key_id\":\"${AmazonAccessKeyID}\","
                                          "\"secret_access_key\":\"${AmazonSecretAccessKey}\"}")}));
}

int stack_add_store(const Variant *variant, const char *generation, Json *resources)
{
        int r;

        r = json_set(resources, "ClusterConfig", build_bucket(variant, generation));
        if (r == 0)
                r = json_set(resources, "ClusterConfigPolicy", build_bucket_policy());
        if (r == 0 && variant_flocker_on_aws(variant))
                r = json_set(resources, "DatasetSecret", build_secret());
        return r;
}
