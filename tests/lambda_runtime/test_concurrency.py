"""Concurrency in one environment: the runtime client forks, and each process serves on its own."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path


def connections(pid, port):
    """Find the sockets of a process that are connected to a port: their inodes."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        if found := re.fullmatch(r"socket:\[(\d+)\]", str(link.readlink())):
            held.add(found[1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return held & {row[9] for row in rows if row[2].endswith(f":{port:04X}")}


def test_each_process_has_connections_of_its_own(drive, relay, relayed, event):
    """Six calls on three processes succeed, each process on the one connection that is its own."""
    api, runtime = drive("numbered.handler", relayed | {"AWS_LAMBDA_MAX_CONCURRENCY": "3"})

    outcomes = []
    for names in ("abc", "def"):
        outcomes += api.invoke(
            *[event("create_repo") | {"body": f'{{"name": "{n}"}}'} for n in names]
        )

    assert [outcome.value["result"]["statusCode"] for outcome in outcomes] == [201] * 6
    calls = Counter(outcome.value["pid"] for outcome in outcomes)
    assert sorted(calls.values()) == [2, 2, 2]
    assert runtime.pid not in calls
    assert len(relay.links) == 3
    sockets = [connections(pid, relay.port) for pid in calls]
    assert [len(inodes) for inodes in sockets] == [1, 1, 1]
    assert len(set.union(*sockets)) == 3
    assert connections(runtime.pid, relay.port) == set()
