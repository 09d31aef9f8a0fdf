#include "cfn/resource-types.h"

#define END \
        {   \
        }

const CfnProperty resource_tag_members[] = {
        {"Key", CFN_TEXT, true},
        {"Value", CFN_TEXT, true},
        END,
};

/* S3. */
static const CfnProperty encryption_default[] = {
        {"SSEAlgorithm", CFN_TEXT, true},
        {"KMSMasterKeyID", CFN_TEXT},
        END,
};
static const CfnProperty encryption_rule[] = {
        {"BucketKeyEnabled", CFN_BOOLEAN},
        {"ServerSideEncryptionByDefault", CFN_OBJECT, .members = encryption_default},
        {"BlockedEncryptionTypes", CFN_ANY},
        END,
};
static const CfnProperty bucket_encryption[] = {
        {"ServerSideEncryptionConfiguration", CFN_OBJECTS, true, encryption_rule},
        END,
};
static const CfnProperty abort_upload[] = {
        {"DaysAfterInitiation", CFN_INTEGER, true},
        END,
};
static const CfnProperty noncurrent_expiration[] = {
        {"NoncurrentDays", CFN_INTEGER, true},
        {"NewerNoncurrentVersions", CFN_INTEGER},
        END,
};
static const CfnProperty lifecycle_rule[] = {
        {"AbortIncompleteMultipartUpload", CFN_OBJECT, .members = abort_upload},
        {"ExpirationDate", CFN_TEXT},
        {"ExpirationInDays", CFN_INTEGER},
        {"ExpiredObjectDeleteMarker", CFN_BOOLEAN},
        {"Id", CFN_TEXT},
        {"NoncurrentVersionExpiration", CFN_OBJECT, .members = noncurrent_expiration},
        {"NoncurrentVersionExpirationInDays", CFN_INTEGER},
        {"NoncurrentVersionTransition", CFN_ANY},
        {"NoncurrentVersionTransitions", CFN_ANY},
        {"ObjectSizeGreaterThan", CFN_TEXT},
        {"ObjectSizeLessThan", CFN_TEXT},
        {"Prefix", CFN_TEXT},
        {"Status", CFN_TEXT, true},
        {"TagFilters", CFN_TAGS},
        {"Transition", CFN_ANY},
        {"Transitions", CFN_ANY},
        END,
};
static const CfnProperty lifecycle[] = {
        {"Rules", CFN_OBJECTS, true, lifecycle_rule},
        {"TransitionDefaultMinimumObjectSize", CFN_TEXT},
        END,
};
static const CfnProperty ownership_rule[] = {{"ObjectOwnership", CFN_TEXT}, END};
static const CfnProperty ownership[] = {{"Rules", CFN_OBJECTS, true, ownership_rule}, END};
static const CfnProperty public_access_block[] = {
        {"BlockPublicAcls", CFN_BOOLEAN},
        {"BlockPublicPolicy", CFN_BOOLEAN},
        {"IgnorePublicAcls", CFN_BOOLEAN},
        {"RestrictPublicBuckets", CFN_BOOLEAN},
        END,
};
static const CfnProperty versioning[] = {{"Status", CFN_TEXT, true}, END};
static const CfnProperty bucket[] = {
        {"AbacStatus", CFN_TEXT},
        {"AccelerateConfiguration", CFN_ANY},
        {"AccessControl", CFN_TEXT},
        {"AnalyticsConfigurations", CFN_ANY},
        {"BucketEncryption", CFN_OBJECT, .members = bucket_encryption},
        {"BucketName", CFN_TEXT},
        {"CorsConfiguration", CFN_ANY},
        {"IntelligentTieringConfigurations", CFN_ANY},
        {"InventoryConfigurations", CFN_ANY},
        {"LifecycleConfiguration", CFN_OBJECT, .members = lifecycle},
        {"LoggingConfiguration", CFN_ANY},
        {"MetadataConfiguration", CFN_ANY},
        {"MetadataTableConfiguration", CFN_ANY},
        {"MetricsConfigurations", CFN_ANY},
        {"NotificationConfiguration", CFN_ANY},
        {"ObjectLockConfiguration", CFN_ANY},
        {"ObjectLockEnabled", CFN_BOOLEAN},
        {"OwnershipControls", CFN_OBJECT, .members = ownership},
        {"PublicAccessBlockConfiguration", CFN_OBJECT, .members = public_access_block},
        {"ReplicationConfiguration", CFN_ANY},
        {"Tags", CFN_TAGS},
        {"VersioningConfiguration", CFN_OBJECT, .members = versioning},
        {"WebsiteConfiguration", CFN_ANY},
        END,
};
static const char *const bucket_attributes[] = {"Arn",
        "DomainName",
        "DualStackDomainName",
        "MetadataConfiguration.AnnotationTableConfiguration.TableArn",
        "MetadataConfiguration.AnnotationTableConfiguration.TableName",
        "MetadataConfiguration.Destination",
        "MetadataConfiguration.InventoryTableConfiguration.TableArn",
        "MetadataConfiguration.InventoryTableConfiguration.TableName",
        "MetadataConfiguration.JournalTableConfiguration.TableArn",
        "MetadataConfiguration.JournalTableConfiguration.TableName",
        "MetadataTableConfiguration.S3TablesDestination.TableArn",
        "MetadataTableConfiguration.S3TablesDestination.TableNamespace",
        "RegionalDomainName",
        "WebsiteURL",
        NULL};

static const CfnProperty bucket_policy[] = {
        {"Bucket", CFN_TEXT, true},
        {"PolicyDocument", CFN_OBJECT, true},
        END,
};

/* IAM. */
static const CfnProperty policy[] = {
        {"PolicyDocument", CFN_OBJECT, true},
        {"PolicyName", CFN_TEXT, true},
        END,
};
static const CfnProperty role[] = {
        {"AssumeRolePolicyDocument", CFN_OBJECT, true},
        {"Description", CFN_TEXT},
        {"ManagedPolicyArns", CFN_TEXTS},
        {"MaxSessionDuration", CFN_INTEGER},
        {"Path", CFN_TEXT},
        {"PermissionsBoundary", CFN_TEXT},
        {"Policies", CFN_OBJECTS, .members = policy},
        {"RoleName", CFN_TEXT},
        {"Tags", CFN_TAGS},
        END,
};
static const char *const role_attributes[] = {"Arn", "RoleId", NULL};

static const CfnProperty instance_profile[] = {
        {"InstanceProfileName", CFN_TEXT},
        {"Path", CFN_TEXT},
        {"Roles", CFN_TEXTS, true},
        END,
};
static const char *const arn_attribute[] = {"Arn", NULL};

/* Security groups. */
static const CfnProperty ingress_rule[] = {
        {"CidrIp", CFN_TEXT},
        {"CidrIpv6", CFN_TEXT},
        {"Description", CFN_TEXT},
        {"FromPort", CFN_INTEGER},
        {"IpProtocol", CFN_TEXT, true},
        {"SourcePrefixListId", CFN_TEXT},
        {"SourceSecurityGroupId", CFN_TEXT},
        {"SourceSecurityGroupName", CFN_TEXT},
        {"SourceSecurityGroupOwnerId", CFN_TEXT},
        {"ToPort", CFN_INTEGER},
        END,
};
static const CfnProperty egress_rule[] = {
        {"CidrIp", CFN_TEXT},
        {"CidrIpv6", CFN_TEXT},
        {"Description", CFN_TEXT},
        {"DestinationPrefixListId", CFN_TEXT},
        {"DestinationSecurityGroupId", CFN_TEXT},
        {"FromPort", CFN_INTEGER},
        {"IpProtocol", CFN_TEXT, true},
        {"ToPort", CFN_INTEGER},
        END,
};
static const CfnProperty security_group[] = {
        {"GroupDescription", CFN_TEXT, true},
        {"GroupName", CFN_TEXT},
        {"SecurityGroupEgress", CFN_OBJECTS, .members = egress_rule},
        {"SecurityGroupIngress", CFN_OBJECTS, .members = ingress_rule},
        {"Tags", CFN_TAGS},
        {"VpcId", CFN_TEXT},
        END,
};
static const char *const security_group_attributes[] = {"GroupId", "Id", "VpcId", NULL};

static const CfnProperty security_group_ingress[] = {
        {"CidrIp", CFN_TEXT},
        {"CidrIpv6", CFN_TEXT},
        {"Description", CFN_TEXT},
        {"FromPort", CFN_INTEGER},
        {"GroupId", CFN_TEXT},
        {"GroupName", CFN_TEXT},
        {"IpProtocol", CFN_TEXT, true},
        {"SourcePrefixListId", CFN_TEXT},
        {"SourceSecurityGroupId", CFN_TEXT},
        {"SourceSecurityGroupName", CFN_TEXT},
        {"SourceSecurityGroupOwnerId", CFN_TEXT},
        {"ToPort", CFN_INTEGER},
        END,
};
static const char *const id_attribute[] = {"Id", NULL};

/* EC2 instances and their launch templates. */
static const CfnProperty block_device[] = {
        {"DeleteOnTermination", CFN_BOOLEAN},
        {"EbsCardIndex", CFN_INTEGER},
        {"Encrypted", CFN_BOOLEAN},
        {"Iops", CFN_INTEGER},
        {"KmsKeyId", CFN_TEXT},
        {"SnapshotId", CFN_TEXT},
        {"Throughput", CFN_INTEGER},
        {"VolumeInitializationRate", CFN_INTEGER},
        {"VolumeSize", CFN_INTEGER},
        {"VolumeType", CFN_TEXT},
        END,
};
static const CfnProperty block_device_mapping[] = {
        {"DeviceName", CFN_TEXT, true},
        {"Ebs", CFN_OBJECT, .members = block_device},
        {"NoDevice", CFN_ANY}, /* an empty object, or an empty string */
        {"VirtualName", CFN_TEXT},
        END,
};
static const CfnProperty launch_block_device_mapping[] = {
        {"DeviceName", CFN_TEXT},
        {"Ebs", CFN_OBJECT, .members = block_device},
        {"NoDevice", CFN_TEXT},
        {"VirtualName", CFN_TEXT},
        END,
};
static const CfnProperty network_interface[] = {
        {"AssociateCarrierIpAddress", CFN_BOOLEAN},
        {"AssociatePublicIpAddress", CFN_BOOLEAN},
        {"DeleteOnTermination", CFN_BOOLEAN},
        {"Description", CFN_TEXT},
        {"DeviceIndex", CFN_TEXT, true},
        {"GroupSet", CFN_TEXTS},
        {"Ipv6AddressCount", CFN_INTEGER},
        {"Ipv6Addresses", CFN_ANY},
        {"NetworkInterfaceId", CFN_TEXT},
        {"PrivateIpAddress", CFN_TEXT},
        {"PrivateIpAddresses", CFN_ANY},
        {"SecondaryPrivateIpAddressCount", CFN_INTEGER},
        {"SubnetId", CFN_TEXT},
        END,
};
static const CfnProperty launch_template_choice[] = {
        {"LaunchTemplateId", CFN_TEXT},
        {"LaunchTemplateName", CFN_TEXT},
        {"Version", CFN_TEXT, true},
        END,
};
static const CfnProperty metadata_options[] = {
        {"HttpEndpoint", CFN_TEXT},
        {"HttpProtocolIpv6", CFN_TEXT},
        {"HttpPutResponseHopLimit", CFN_INTEGER},
        {"HttpTokens", CFN_TEXT},
        {"InstanceMetadataTags", CFN_TEXT},
        END,
};
static const CfnProperty instance[] = {
        {"AdditionalInfo", CFN_TEXT},
        {"Affinity", CFN_TEXT},
        {"AvailabilityZone", CFN_TEXT},
        {"BlockDeviceMappings", CFN_OBJECTS, .members = block_device_mapping},
        {"CpuOptions", CFN_ANY},
        {"CreditSpecification", CFN_ANY},
        {"DisableApiTermination", CFN_BOOLEAN},
        {"EbsOptimized", CFN_BOOLEAN},
        {"ElasticGpuSpecifications", CFN_ANY},
        {"ElasticInferenceAccelerators", CFN_ANY},
        {"EnclaveOptions", CFN_ANY},
        {"HibernationOptions", CFN_ANY},
        {"HostId", CFN_TEXT},
        {"HostResourceGroupArn", CFN_TEXT},
        {"IamInstanceProfile", CFN_TEXT},
        {"ImageId", CFN_TEXT},
        {"InstanceInitiatedShutdownBehavior", CFN_TEXT},
        {"InstanceType", CFN_TEXT},
        {"Ipv6AddressCount", CFN_INTEGER},
        {"Ipv6Addresses", CFN_ANY},
        {"KernelId", CFN_TEXT},
        {"KeyName", CFN_TEXT},
        {"LaunchTemplate", CFN_OBJECT, .members = launch_template_choice},
        {"LicenseSpecifications", CFN_ANY},
        {"MetadataOptions", CFN_OBJECT, .members = metadata_options},
        {"Monitoring", CFN_BOOLEAN},
        {"NetworkInterfaces", CFN_OBJECTS, .members = network_interface},
        {"PlacementGroupName", CFN_TEXT},
        {"PrivateDnsNameOptions", CFN_ANY},
        {"PrivateIpAddress", CFN_TEXT},
        {"PropagateTagsToVolumeOnCreation", CFN_BOOLEAN},
        {"RamdiskId", CFN_TEXT},
        {"SecurityGroupIds", CFN_TEXTS},
        {"SecurityGroups", CFN_TEXTS},
        {"SourceDestCheck", CFN_BOOLEAN},
        {"SsmAssociations", CFN_ANY},
        {"SubnetId", CFN_TEXT},
        {"Tags", CFN_TAGS},
        {"Tenancy", CFN_TEXT},
        {"UserData", CFN_TEXT},
        {"Volumes", CFN_ANY},
        END,
};
static const char *const instance_attributes[] = {"AvailabilityZone",
        "InstanceId",
        "PrivateDnsName",
        "PrivateIp",
        "PublicDnsName",
        "PublicIp",
        "State.Code",
        "State.Name",
        "VpcId",
        NULL};

static const CfnProperty tag_specification[] = {
        {"ResourceType", CFN_TEXT},
        {"Tags", CFN_TAGS},
        END,
};
static const CfnProperty launch_profile[] = {{"Arn", CFN_TEXT}, {"Name", CFN_TEXT}, END};
static const CfnProperty launch_template_data[] = {
        {"BlockDeviceMappings", CFN_OBJECTS, .members = launch_block_device_mapping},
        {"CapacityReservationSpecification", CFN_ANY},
        {"CpuOptions", CFN_ANY},
        {"CreditSpecification", CFN_ANY},
        {"DisableApiStop", CFN_BOOLEAN},
        {"DisableApiTermination", CFN_BOOLEAN},
        {"EbsOptimized", CFN_BOOLEAN},
        {"EnclaveOptions", CFN_ANY},
        {"HibernationOptions", CFN_ANY},
        {"IamInstanceProfile", CFN_OBJECT, .members = launch_profile},
        {"ImageId", CFN_TEXT},
        {"InstanceInitiatedShutdownBehavior", CFN_TEXT},
        {"InstanceMarketOptions", CFN_ANY},
        {"InstanceRequirements", CFN_ANY},
        {"InstanceType", CFN_TEXT},
        {"KernelId", CFN_TEXT},
        {"KeyName", CFN_TEXT},
        {"LicenseSpecifications", CFN_ANY},
        {"MaintenanceOptions", CFN_ANY},
        {"MetadataOptions", CFN_OBJECT, .members = metadata_options},
        {"Monitoring", CFN_ANY},
        {"NetworkInterfaces", CFN_ANY},
        {"NetworkPerformanceOptions", CFN_ANY},
        {"Placement", CFN_ANY},
        {"PrivateDnsNameOptions", CFN_ANY},
        {"RamDiskId", CFN_TEXT},
        {"SecurityGroupIds", CFN_TEXTS},
        {"SecurityGroups", CFN_TEXTS},
        {"TagSpecifications", CFN_OBJECTS, .members = tag_specification},
        {"UserData", CFN_TEXT},
        END,
};
static const CfnProperty launch_template[] = {
        {"LaunchTemplateData", CFN_OBJECT, true, launch_template_data},
        {"LaunchTemplateName", CFN_TEXT},
        {"TagSpecifications", CFN_OBJECTS, .members = tag_specification},
        {"VersionDescription", CFN_TEXT},
        END,
};
static const char *const launch_template_attributes[] = {
        "DefaultVersionNumber", "LatestVersionNumber", "LaunchTemplateId", NULL};

/* Secrets Manager. */
static const CfnProperty secret[] = {
        {"Description", CFN_TEXT},
        {"GenerateSecretString", CFN_ANY},
        {"KmsKeyId", CFN_TEXT},
        {"Name", CFN_TEXT},
        {"ReplicaRegions", CFN_ANY},
        {"SecretString", CFN_TEXT},
        {"Tags", CFN_TAGS},
        {"Type", CFN_TEXT},
        END,
};

/* CloudFormation's own. */
static const CfnProperty wait_condition_handle[] = {END};
static const CfnProperty wait_condition[] = {
        {"Count", CFN_INTEGER},
        {"Handle", CFN_TEXT},
        {"Timeout", CFN_TEXT}, /* seconds, as text */
        END,
};
static const char *const wait_condition_attributes[] = {"Data", "Id", NULL};
static const char *const no_attributes[] = {NULL};

const CfnResourceType resource_types[] = {
        {"AWS::CloudFormation::WaitCondition",
                CFN_REF_ARN,
                NULL,
                wait_condition,
                wait_condition_attributes},
        {"AWS::CloudFormation::WaitConditionHandle",
                CFN_REF_URL,
                NULL,
                wait_condition_handle,
                no_attributes},
        {"AWS::EC2::Instance", CFN_REF_ID, "i-", instance, instance_attributes},
        {"AWS::EC2::LaunchTemplate",
                CFN_REF_ID,
                "lt-",
                launch_template,
                launch_template_attributes},
        {"AWS::EC2::SecurityGroup", CFN_REF_ID, "sg-", security_group, security_group_attributes},
        {"AWS::EC2::SecurityGroupIngress",
                CFN_REF_ID,
                "sgr-",
                security_group_ingress,
                id_attribute},
        {"AWS::IAM::InstanceProfile", CFN_REF_NAME, NULL, instance_profile, arn_attribute},
        {"AWS::IAM::Role", CFN_REF_NAME, NULL, role, role_attributes},
        {"AWS::S3::Bucket", CFN_REF_NAME, NULL, bucket, bucket_attributes},
        {"AWS::S3::BucketPolicy", CFN_REF_NAME, NULL, bucket_policy, no_attributes},
        {"AWS::SecretsManager::Secret", CFN_REF_ARN, NULL, secret, id_attribute},
        END,
};
