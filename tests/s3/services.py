"""Secrets Manager, SSM, EC2 and STS against moto."""

import json
import types

from front import Front
from probe import EPROTO, probe
from servers import Moto, run_aws
from tap import expect, expect_in, main

setup = Moto


def test_a_secret_is_read(moto):
    run_aws(moto, "secretsmanager", "create-secret", "--name", "prod/keys", "--secret-string", '{"a": "ü"}')
    found = probe("call", "secretsmanager", "GetSecretValue", json.dumps({"SecretId": "prod/keys"}), server=moto)
    expect(found.outcome, 0)
    expect(found.answer["SecretString"], '{"a": "ü"}')


def test_a_missing_secret_is_named(moto):
    found = probe("call", "secretsmanager", "GetSecretValue", json.dumps({"SecretId": "nope"}), server=moto)
    expect(found.outcome, 1)
    expect(found.code, "ResourceNotFoundException")
    expect_in("cannot call secretsmanager:GetSecretValue: 404 ResourceNotFoundException", found.error)


def test_a_parameter_is_read(moto):
    run_aws(moto, "ssm", "put-parameter", "--name", "/images/one", "--type", "String", "--value", "ami-1")
    found = probe("call", "ssm", "GetParameter", json.dumps({"Name": "/images/one"}), server=moto)
    expect(found.answer["Parameter"]["Value"], "ami-1")


def test_pages_of_parameters_are_followed(moto):
    for n in range(23):
        run_aws(moto, "ssm", "put-parameter", "--name", f"/many/{n}", "--type", "String", "--value", "x")
    expect(probe("pages", "/many", server=moto).count, 23)


def test_the_query_form(moto):
    found = probe("query", "GetCallerIdentity", "Account", server=moto)
    expect(found.value, "123456789012")
    found = probe("query", "DescribeRegions", "regionName", server=moto)
    expect(found.outcome, 0)
    expect_in("-", found.value)


def test_pages_of_the_query_form_are_followed(moto):
    image = run_aws(moto, "ec2", "describe-images", "--max-items", "1")["Images"][0]["ImageId"]
    for _ in range(7):
        run_aws(moto, "ec2", "run-instances", "--image-id", image, "--count", "1")
    found = probe("query-pages", "5", server=moto)
    expect((found.outcome, found.pages, found.count), (0, 2, 7), found.error)


def test_a_token_that_repeats_is_no_endless_loop(moto):
    with Front(moto.endpoint) as front:
        server = types.SimpleNamespace(**vars(moto) | {"endpoint": front.endpoint, "region": moto.region, "ca_file": None})
        again = "<R><nextToken>same</nextToken></R>".encode()
        front.add("POST", "/", lambda h, b: h.answer(200, [], again), times=9)
        found = probe("query-pages", "5", server=server)
        expect(found.outcome, EPROTO)
        expect_in("cannot call ec2:DescribeInstances: its pages do not end", found.error)
        expect(len(front.seen), 2, "calls")


def test_calls_are_tried_again_like_requests_to_s3(moto):
    with Front(moto.endpoint) as front:
        server = types.SimpleNamespace(**vars(moto) | {"endpoint": front.endpoint, "region": moto.region, "ca_file": None})
        front.fail("POST", "/", 500, "InternalError")
        front.reset("POST", "/")
        expect(probe("query", "GetCallerIdentity", "Account", server=server).value, "123456789012")
        expect(len(front.seen), 3, "tries")


def test_a_wrong_secret_is_refused(moto):
    found = probe("query", "GetCallerIdentity", "Account", server=moto, AWS_SECRET_ACCESS_KEY="wrong")
    expect(found.outcome, 1)
    expect_in("cannot call sts:GetCallerIdentity: 403", found.error)


if __name__ == "__main__":
    main(globals())
