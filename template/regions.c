#include "template/regions.h"

#include "base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Those that an account has without asking for them (AWS General Reference, "AWS Regions", where
 * "opt-in status" is "not required"); by partition. */
static const struct {
        const char *partition;
        const char *regions;
} built_in[] = {
        {"aws",
                "ap-northeast-1,ap-northeast-2,ap-northeast-3,ap-south-1,ap-southeast-1,"
                "ap-southeast-2,ca-central-1,eu-central-1,eu-north-1,eu-west-1,eu-west-2,eu-west-3,"
                "sa-east-1,us-east-1,us-east-2,us-west-1,us-west-2"},
        {"aws-cn", "cn-north-1,cn-northwest-1"},
        {"aws-us-gov", "us-gov-east-1,us-gov-west-1"},
        {"aws-eusc", "eusc-de-east-1"},
};

bool regions_have(const RegionList *list, const char *region)
{
        for (size_t i = 0; i < list->count; i++)
                if (text_equal(list->names[i], region))
                        return true;
        return false;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(a, b);
}

static int add(RegionList *list, const char *region, Error *ret_error)
{
        int r;

        r = aws_region_check(region, ret_error);
        if (r < 0)
                return r;
        if (regions_have(list, region))
                return error_set(ret_error, -EINVAL, "cannot use the region %s twice", region);
        if (list->count == ELEMENTS(list->names) ||
                text_put(list->names[list->count], sizeof(list->names[0]), region) < 0)
                return error_set(ret_error, -EINVAL, "cannot use so many regions");
        list->count++;
        return 0;
}

int regions_parse(const char *text, RegionList *ret, Error *ret_error)
{
        _cleanup_(free) char *copy = text_copy(text);
        RegionList list = {};
        char *name, *comma;
        int r = 0;

        if (!copy)
                return error_set(ret_error, -ENOMEM, "cannot read regions: %m");
        for (name = copy; r == 0 && name; name = comma) {
                comma = strchr(name, ',');
                if (comma)
                        *comma++ = '\0';
                r = add(&list, text_strip(name), ret_error);
        }
        if (r < 0)
                return r;
        qsort(list.names, list.count, sizeof(list.names[0]), by_name);
        *ret = list;
        return 0;
}

/* One question to EC2 in the account's region. */
static int ask_ec2(const Account *account,
        const char *action,
        const char *const *parameters,
        XmlElement **ret,
        Error *ret_error)
{
        _cleanup_(free) char *endpoint = NULL;
        int r;

        r = account_endpoint(account, "ec2", &endpoint, ret_error);
        if (r == 0)
                r = aws_call_query(account->session,
                        &aws_service_ec2,
                        endpoint,
                        action,
                        parameters,
                        clock_deadline(&clock_system, ACCOUNT_TIME),
                        ret,
                        NULL,
                        ret_error);
        return r > 0 ? -EACCES : r;
}

static int ask_regions(const Account *account, RegionList *ret, Error *ret_error)
{
        const AwsPartition *partition =
                aws_partition_of_region(aws_session_region(account->session));
        _cleanup_(xml_free) XmlElement *answer = NULL;
        RegionList list = {};
        int r;

        r = ask_ec2(account, "DescribeRegions", NULL, &answer, ret_error);
        if (r < 0)
                return r;
        for (const XmlElement *item = xml_child(xml_child(answer, "regionInfo"), "item");
                r == 0 && item;
                item = xml_next(item)) {
                const char *name = xml_child_text(item, "regionName");

                /* Of the account's own partition: others want other credentials. */
                if (aws_partition_of_region(name ? name : "") == partition)
                        r = add(&list, name ? name : "", ret_error);
        }
        if (r == 0 && list.count == 0)
                r = error_set(ret_error, -EPROTO, "cannot call ec2:DescribeRegions: it names none");
        if (r < 0)
                return r;
        qsort(list.names, list.count, sizeof(list.names[0]), by_name);
        *ret = list;
        return 0;
}

void regions_of_account(const Account *account, RegionList *ret, Error *ret_note)
{
        const char *partition = aws_partition_of_region(aws_session_region(account->session))->name;
        size_t i = 0;

        if (ask_regions(account, ret, ret_note) == 0)
                return;
        while (!text_equal(built_in[i].partition, partition))
                i++;
        (void)regions_parse(built_in[i].regions, ret, NULL);
        (void)error_append(ret_note,
                0,
                "; the %zu regions that every account of partition %s has are taken",
                ret->count,
                partition);
}

int regions_latest_image(const Account *account,
        const Distribution *distribution,
        const char *architecture,
        char ret[32],
        Error *ret_error)
{
        _cleanup_(free) char *name = distribution_parameter(distribution, architecture);
        _cleanup_(free) char *endpoint = NULL;
        _cleanup_(json_free) Json *parameters = json_new_object(), *answer = NULL;
        const char *region = aws_session_region(account->session), *image;
        AwsFault fault = {};
        int r;

        if (!name || json_set_text(parameters, "Name", name) < 0)
                return error_set(ret_error, -ENOMEM, "cannot ask for an image: %m");
        r = account_endpoint(account, "ssm", &endpoint, ret_error);
        if (r == 0)
                r = aws_call_json(account->session,
                        &aws_service_ssm,
                        endpoint,
                        "GetParameter",
                        parameters,
                        clock_deadline(&clock_system, ACCOUNT_TIME),
                        &answer,
                        &fault,
                        ret_error);
        if (r < 0)
                return r;
        if (r > 0)
                return error_prefix(ret_error,
                        text_equal(fault.code, "ParameterNotFound") ? -ENOENT : -EACCES,
                        "cannot find the newest %s for %s in %s (%s)",
                        distribution->name,
                        architecture,
                        region,
                        name);
        image = json_text(json_member(json_member(answer, "Parameter"), "Value"));
        if (!image || !image_map_is_image(image) || text_put(ret, 32, image) < 0)
                return error_set(ret_error,
                        -EPROTO,
                        "cannot find the newest %s in %s: expected an image in %s, found '%.60s'",
                        distribution->name,
                        region,
                        name,
                        image ? image : "");
        return 0;
}

int regions_root_device(const Account *account, const char *image, char ret[32], Error *ret_error)
{
        const char *const parameters[] = {"ImageId.1", image, NULL};
        _cleanup_(xml_free) XmlElement *answer = NULL;
        const char *device;
        int r;

        r = ask_ec2(account, "DescribeImages", parameters, &answer, ret_error);
        if (r < 0)
                return r;
        device =
                xml_child_text(xml_child(xml_child(answer, "imagesSet"), "item"), "rootDeviceName");
        if (!device || text_put(ret, 32, device) < 0)
                return error_set(ret_error,
                        -ENOENT,
                        "cannot find the root device of %s in %s: there is no such image",
                        image,
                        aws_session_region(account->session));
        return 0;
}
