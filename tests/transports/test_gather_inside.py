"""`gather()` inside `gather()`, as in a signal handler, wherever the outer one is."""

from __future__ import annotations

import faulthandler
import sys

import pytest
from support.faults.client import clones_at
from support.faults.server import FaultServer, good

from archal_lambda import Request, Response
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports.mock import MockTransport

BUDGET = 60.0
HANG = 90.0  # seconds until it is called one, and the stacks are shown
CALLS = [("svc", Request("GET", "/a"))] * 2


class Inside:
    """Calls a function at each instruction that certain files run on this thread, as a signal handler might."""

    def __init__(self, function, files):
        self.times = 0
        self._function = function
        self._files = files

    def __enter__(self):
        sys.settrace(self._entered)

    def __exit__(self, *_):
        sys.settrace(None)

    def _entered(self, frame, _event, _argument):
        if not frame.f_code.co_filename.endswith(self._files):
            return None
        frame.f_trace_opcodes = True
        return self._stepped

    def _stepped(self, _frame, event, _argument):
        if event == "opcode":
            self.times += 1
            self._function()
        return self._stepped


@pytest.mark.parametrize(
    "transport",
    [UrllibTransport, lambda: MockTransport(lambda _request: Response(200))],
    ids=["on sockets", "on threads"],
)
@pytest.mark.skipif(sys.gettrace() is not None, reason="somebody else is tracing")
def test_a_handler_gathers_at_any_instruction_of_the_gather_that_it_interrupts(transport):
    """Whatever that one holds, neither hangs."""
    faulthandler.dump_traceback_later(HANG, exit=True)
    seen = []
    try:
        with FaultServer(good) as server:
            clones = clones_at(server.origin, transport())

            def gather():
                outcomes = clones.gather(CALLS, timeout=BUDGET)
                seen.append([type(one) for one in outcomes])

            inside = Inside(gather, ("/_gather.py", "/_locks.py", "/threading.py"))
            with inside:
                gather()
            clones.close()
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert inside.times > 50
    assert seen == [[Response, Response]] * (inside.times + 1)
