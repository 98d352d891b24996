"""`gather()` at each instruction of another on the same thread, as a signal handler might: prints what became of all.

A process of its own, because a trace function sees every instruction, and only one at a time can be set. Arguments:
`sockets` or `threads`, and the origin to call.
"""

from __future__ import annotations

import faulthandler
import json
import sys

from archal_lambda import Request, Response
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports.mock import MockTransport
from support.faults.client import clones_at
from support.programs import EachInstruction

BUDGET = 60.0
HANG = 90.0  # seconds until it is called one, and the stacks are shown
CALLS = [("svc", Request("GET", "/a"))] * 2
FILES = ("/_gather.py", "/_locks.py", "/threading.py")


def main():
    kind, origin = sys.argv[1:]
    faulthandler.dump_traceback_later(HANG, exit=True)
    made = {"sockets": UrllibTransport, "threads": lambda: MockTransport(lambda _: Response(200))}
    clones = clones_at(origin, made[kind]())
    wrong = []

    def gather(_count=0):
        outcomes = clones.gather(CALLS, timeout=BUDGET)
        if [type(one) for one in outcomes] != [Response, Response]:
            wrong.append(repr(outcomes))

    inside = EachInstruction(FILES, gather)
    with inside:
        gather()
    clones.close()
    sys.stdout.write(json.dumps({"times": inside.count, "wrong": wrong}))


if __name__ == "__main__":
    main()
