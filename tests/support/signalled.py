"""A client whose signal handler makes calls of its own, in the middle of others: prints what became of all, as JSON.

A process of its own, because the timer would strike whatever else runs. Arguments: the origin to call, the CA file.
"""

from __future__ import annotations

import collections
import faulthandler
import json
import random
import signal
import sys
import time

from archal_lambda.errors import TransportError
from archal_lambda.transports._urllib3 import UrllibTransport
from support.faults.client import clones_at

SECONDS = 2.0
HANG = 20.0  # seconds until it is called one, and the stacks are shown
BUDGET = 2.0  # seconds; each call takes a few ms


def main():
    origin, ca_file = sys.argv[1:]
    faulthandler.dump_traceback_later(HANG, exit=True)
    outcomes = collections.Counter(calls=0, handled=0, wrong=0, failed=0)
    draw = random.Random(7)  # noqa: S311 - the same in each run
    # One of them has a name to resolve, and both a context to read and connections to open again and again.
    origins = [origin, origin.replace("127.0.0.1", "localhost")]
    transports = [UrllibTransport(ca_file=ca_file)]

    def call(kind):
        path = f"/{kind}-{outcomes[kind]}"
        outcomes[kind] += 1
        if draw.random() < 0.3:
            transports[0].close()
        if draw.random() < 0.1:
            transports[0] = UrllibTransport(ca_file=ca_file)
        clone = clones_at(draw.choice(origins), transports[0])["svc"]
        try:
            response = clone.get(path, timeout=BUDGET)
        except TransportError:
            outcomes["failed"] += 1
        else:
            outcomes["wrong"] += response.text != f"/svc/api{path}"

    def handle(*_args):
        call("handled")
        signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, 4e-3))

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 1e-3)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        call("calls")
    signal.setitimer(signal.ITIMER_REAL, 0)
    transports[0].close()
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()
