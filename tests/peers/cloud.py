"""The rehearsal's cloud, as tests/programs/cloud-probe runs it: a context manager that looks like the servers of servers.py."""

import json
import os
import subprocess
import types

import botocore.config
import botocore.session


class Cloud:
    region = "us-east-1"
    ca_file = None

    def __enter__(self):
        self.process = subprocess.Popen([os.environ["CLOUD_PROBE"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for name, value in self.read().items():
            setattr(self, name, value)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()

    def read(self):
        """The next object that the program prints: an answer, or a signal."""
        return json.loads(self.process.stdout.readline())

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.read()

    def policy(self, *statements):
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    def role(self, *statements, seconds=600):
        """The same cloud, seen by a role with these rights."""
        keys = self.ask("role", seconds, self.policy(*statements))
        return types.SimpleNamespace(**{"endpoint": self.endpoint, "region": self.region, "ca_file": None} | keys)

    def metadata_of(self, *statements, seconds=600):
        """The address of a metadata service that gives such a role's keys."""
        return self.ask("metadata", seconds, self.policy(*statements))["metadata"]


def client(server, service="s3", **config):
    """botocore's, which tries once."""
    return botocore.session.get_session().create_client(
        service, region_name=server.region, endpoint_url=server.endpoint, aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key, aws_session_token=server.token or None,
        config=botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, **config))
