"""Secrets Manager, SSM, EC2 and STS against moto."""

import json

from probe import REFUSED, probe
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


def test_a_wrong_secret_is_refused(moto):
    found = probe("query", "GetCallerIdentity", "Account", server=moto, AWS_SECRET_ACCESS_KEY="wrong")
    expect(found.outcome, 1)
    expect_in("cannot call sts:GetCallerIdentity: 403", found.error)


if __name__ == "__main__":
    main(globals())
