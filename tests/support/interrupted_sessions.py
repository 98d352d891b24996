"""Sessions whose opening is interrupted at each instruction in turn: prints what became of them, as JSON.

A process of its own, because an exception that a trace function raises may stay behind as the one being handled.
Arguments: `good` or `failing`, which is how the body ends, and `interrupt` or `ordinary`, what is raised.
"""

from __future__ import annotations

import json
import sys

from archal_lambda import ArchalClient, Response, Settings
from archal_lambda.transports.mock import MockTransport
from support.fakes import Clock, session
from support.programs import EachInstruction

FILES = ("clients/control.py", "core/control_plane.py", "contextlib.py")


class Archal:
    """A control plane that knows which sessions run."""

    def __init__(self):
        self.running = set()
        self.requests = []

    def __call__(self, request):
        self.requests.append(request.method)
        if request.method == "POST":
            self.running.add(request.headers["idempotency-key"])
            return session(sessionId=request.headers["idempotency-key"])
        session_id = request.path.rpartition("/")[2]
        if session_id not in self.running:
            return Response(404)
        if request.method == "DELETE":
            self.running.remove(session_id)
            return Response(204)
        return session(sessionId=session_id)


class Interrupt(BaseException):
    """As KeyboardInterrupt, but nobody else's."""


class OrdinaryError(Exception):
    """Raised by a signal handler that does not care, such as one that calls `pytest.exit()`."""


def interruption(number, kind=Interrupt):
    """Raise once, at a given one of the instructions; 0 is none of them."""

    def act(count):
        if count == number:
            raise kind

    return EachInstruction(FILES, act)


def opened(archal, interrupted, body):
    """Open a session and interrupt that; give the kind of error it ended with."""
    clock = Clock()
    client = ArchalClient(
        Settings(token="t"), transport=MockTransport(archal), clock=clock, sleep=clock.sleep
    )
    try:
        with interrupted, client.sessions.open(clones=["a"]):
            body()
    except (Interrupt, Exception) as error:  # noqa: BLE001 - whatever it is, it is told
        return type(error)
    return None


def main():
    body = {"good": lambda: None, "failing": lambda: 1 / 0}[sys.argv[1]]
    kind = {"interrupt": Interrupt, "ordinary": OrdinaryError}[sys.argv[2]]
    whole = interruption(0)
    opened(Archal(), whole, body)
    left, swallowed = [], []
    for number in range(1, whole.count + 1):
        archal = Archal()
        outcome = opened(archal, interruption(number, kind), body)
        # An ordinary error may become a note, as any that comes while a session is stopped.
        if kind is Interrupt and outcome is not Interrupt:
            swallowed.append(number)
        if archal.running:
            left.append(number)
    sys.stdout.write(
        json.dumps({"instructions": whole.count, "left": left, "swallowed": swallowed})
    )


if __name__ == "__main__":
    main()
