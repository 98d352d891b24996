"""A client whose signal handler raises, at any line: prints what became of its calls, as JSON.

A process of its own, because a program that is interrupted just anywhere may hold a lock for ever: coverage's, for
instance. Arguments: the origin to call, and the CA file.
"""

from __future__ import annotations

import collections
import gc
import json
import random
import signal
import statistics
import sys
import time

from archal_lambda.transports._urllib3 import UrllibTransport
from support.faults.client import clones_at, open_sockets

CALLS = 400


class Interrupt(BaseException):
    """As KeyboardInterrupt, but nobody else's."""


def interrupt(*_args):
    raise Interrupt


def usual(clone):
    """Give the seconds that a call takes which needs a connection, as nearly all to come will."""
    took = []
    for number in range(20):
        started = time.perf_counter()
        clone.get(f"/{number}", timeout=10.0)
        took.append(time.perf_counter() - started)
    return statistics.quantiles(took[1:], n=10)[-1]  # the first reads the certificates


def main():
    origin, ca_file = sys.argv[1:]
    before = open_sockets()
    transport = UrllibTransport(ca_file=ca_file)
    clone = clones_at(origin, transport)["svc"]
    outcomes = collections.Counter(interrupted=0, answered=0, wrong=0)
    draw = random.Random(5)  # noqa: S311 - the same in each run
    longest = 2 * usual(
        clone
    )  # so that about half of the calls are interrupted, however busy the machine is
    signal.signal(signal.SIGALRM, interrupt)
    for number in range(CALLS):
        try:
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, longest))
            response = clone.get(f"/{number}", timeout=10.0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except Interrupt:
            outcomes["interrupted"] += 1
        else:
            outcomes["answered" if response.text == f"/svc/api/{number}" else "wrong"] += 1
    transport.close()
    gc.collect()
    sys.stdout.write(
        json.dumps({**outcomes, "left": 0 if before is None else open_sockets() - before})
    )


if __name__ == "__main__":
    main()
