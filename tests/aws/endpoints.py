"""The hosts of services, in each partition, with FIPS and dual-stack: as botocore names them from AWS's own rules."""

import os

import botocore.config
import botocore.exceptions
import botocore.session
from probe import EDOM, probe
from tap import expect, main

REGIONS = ("us-east-1", "eu-west-1", "ca-central-1", "us-gov-west-1", "us-gov-east-1", "cn-north-1", "us-iso-east-1", "us-isob-east-1")
SERVICES = ("ssm", "secretsmanager", "ec2", "sts")


class Intercepted(Exception):
    """A request that is not sent."""


def intercept(request, **_):
    raise Intercepted(request.url)


def theirs(service, region, fips, dualstack):
    """Their URL; None where they know of none."""
    os.environ["AWS_STS_REGIONAL_ENDPOINTS"] = "regional"
    config = botocore.config.Config(use_fips_endpoint=fips, use_dualstack_endpoint=dualstack, s3={"us_east_1_regional_endpoint": "regional"})
    client = botocore.session.Session().create_client(service, region_name=region, aws_access_key_id="a", aws_secret_access_key="b", config=config)
    if service != "s3":
        return client.meta.endpoint_url
    client.meta.events.register_first("before-send.s3", intercept)
    try:
        client.get_object(Bucket="bucket", Key="k")
    except Intercepted as seen:
        return seen.args[0]
    except botocore.exceptions.EndpointResolutionError:
        return None


def ours(service, region, fips, dualstack):
    return probe("endpoint", service, AWS_REGION=region, AWS_USE_FIPS_ENDPOINT=str(fips).lower(), AWS_USE_DUALSTACK_ENDPOINT=str(dualstack).lower())


def compare(service, regions, kinds):
    for region in regions:
        for kind in kinds:
            wanted, found = theirs(service, region, *kind), ours(service, region, *kind)
            expect(found.url if wanted else found.outcome, wanted or EDOM, f"{service} {region} {kind}: {found.error}")


def test_services_in_every_partition():
    for service in SERVICES:
        compare(service, REGIONS, [(False, False)])


def test_fips_and_dual_stack():
    """Not in the isolated partitions: nobody here has a document on theirs, and dual-stack is refused there."""
    for service in SERVICES:
        compare(service, REGIONS[:6], [(True, False), (False, True), (True, True)])
        expect(ours(service, "us-iso-east-1", False, True).outcome, EDOM)


def test_buckets_in_every_partition():
    compare("s3", REGIONS, [(False, False), (False, True)])


def test_buckets_with_fips():
    compare("s3", ("us-east-1", "us-gov-west-1", "us-gov-east-1", "cn-north-1"), [(True, False), (True, True)])


if __name__ == "__main__":
    main(globals())
