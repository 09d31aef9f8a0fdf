"""Agents that wait for an object of a store, each a process with the program's own client (tests/programs/probe)."""

import collections
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
import types

from cloud import client
from probe import environment_of, finish, start

STORE = "s3://bucket/cluster"
ONLY_OTHERS = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket/other"}  # a poll is answered with 403


def trace_poll(server, seconds):
    """System calls of a poll, and connections in all, of one that waits for what does not come."""
    with tempfile.NamedTemporaryFile("r") as log:
        subprocess.run(["/usr/bin/strace", "-f", "-o", log.name, os.environ["PROBE"], "wait-object", STORE, "absent", str(seconds)],
                       env=environment_of(server), stdout=subprocess.DEVNULL)  # it ends without the object
        lines = log.read().splitlines()
    polls = [number for number, line in enumerate(lines) if re.search(r'send(to|msg)\(.*"GET /bucket', line)]
    return (polls[-1] - polls[1]) / (len(polls) - 2), sum(bool(re.search(r"connect\(.*AF_INET", line)) for line in lines)


def measure_poll(server, seconds):
    alone = finish(start("wait-object", STORE, "absent", seconds, server=server), seconds + 30)
    calls, connections = trace_poll(server, 8)
    return types.SimpleNamespace(cpu=alone.cpu_usec, calls=calls, connections=connections, memory=alone.peak_kib)


def gather(cloud, agents, seconds, settle=3):
    """So many wait; after a while the object appears. Times in milliseconds."""
    writer = client(cloud)  # ready before the object is due: making one takes long
    waiting = [start("wait-object", STORE, "late", 300, server=cloud) for _ in range(agents)]
    settled = int((time.time() + settle) * 1000)
    time.sleep(settle + seconds)
    appeared = int(time.time() * 1000)
    writer.put_object(Bucket="bucket", Key="cluster/late", Body=b"there")
    found = [finish(one, 120) for one in waiting]
    slots = collections.Counter((at - settled) // 100 for one in found for at in one.polled_at if settled <= at < appeared)
    counts = [slots[n] for n in range((appeared - settled) // 100)]
    late = sorted(one.ended_at - appeared for one in found)
    return types.SimpleNamespace(failed=[one.error for one in found if one.outcome != 0], counts=counts, mean=statistics.mean(counts),
                                 seen=late[max(0, int(len(late) * 0.99) - 1)], memory=max(one.peak_kib for one in found))
