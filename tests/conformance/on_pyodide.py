"""Runs the checks inside Pyodide, and tells what came of each as one line of JSON."""

from __future__ import annotations

import json
import sys

BEFORE = set(sys.modules)

from conformance import checks  # noqa: E402 - what it loads is looked at
from conformance.host import Host  # noqa: E402 - the same

# What a Worker must not have to load for a call.
HEAVY = {"urllib3", "aws_lambda_powertools", "http.client", "random", "concurrent.futures.thread"}


def tell(name, failure):
    print(json.dumps({"name": name, "failure": failure}), flush=True)  # noqa: T201 - read by the test


async def main(given):
    """Run the checks of one kind of client."""
    order = json.loads(given)
    host = Host(**order)
    await checks.run(host, "check_the_target_arrives_as_it_was_encoded")
    loaded = sorted(HEAVY & (set(sys.modules) - BEFORE))
    tell("modules", f"loaded: {', '.join(loaded)}" if loaded else None)
    for name in checks.names(order["kind"]):
        tell(name, await checks.run(host, name))
