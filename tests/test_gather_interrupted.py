"""An interruption of `gather()` is obeyed at once, whatever its calls wait for."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from support.faults.client import LATE, clones_at
from support.faults.server import SAFETY_SECONDS, FaultServer, blackhole, good, hold, in_turn, read
from support.threads import others_in

from archal_lambda import Clones, Request, Response, RetryPolicy, Settings, errors
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports.mock import MockTransport

BUDGET = 8.0
CALLS = [("svc", Request("GET", "/a"))] * 12


class InterruptError(Exception):
    """Raised by a signal handler; no BaseException, for those of programs are not always."""


@contextlib.contextmanager
def interrupted(after):
    """Interrupt the body so many seconds from now; it must not outlive that by much."""

    def interrupt(*_):
        raise InterruptError

    before = signal.signal(signal.SIGALRM, interrupt)
    started = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        with pytest.raises(InterruptError):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < after + 0.2 + LATE


def at(origin, **options):
    return clones_at(origin, UrllibTransport(), **options)


def gone():
    until = time.monotonic() + SAFETY_SECONDS
    while others_in("_gather.py") and time.monotonic() < until:
        time.sleep(0.01)
    return not others_in("_gather.py")


def test_calls_whose_server_is_silent_are_ended():
    """Their connections are closed, and none of those that wait for their turn is sent."""
    with FaultServer(in_turn([read, hold])) as server:
        clones = at(server.origin)
        with interrupted(0.2):
            clones.gather(CALLS, timeout=BUDGET, max_concurrency=4)
        assert gone()
        assert server.connections == 4
        clones.close()


def test_calls_that_wait_for_a_connection_are_ended():
    with blackhole() as address:
        clones = at(f"http://{address}")
        with interrupted(0.2):
            clones.gather(CALLS, timeout=BUDGET)
        assert gone()


def test_calls_that_wait_for_their_next_attempt_are_ended():
    """Nothing is sent any more."""
    with FaultServer(in_turn([read])) as server:
        clones = at(server.origin, retry=RetryPolicy(attempts=2, backoff=6.0))
        with interrupted(0.3):
            clones.gather(CALLS[:4], timeout=BUDGET)
        assert gone()
        assert len(server.requests) == 4


def test_what_cannot_be_told_is_not_waited_for():
    """A transport of the caller's, for instance, ends by itself."""
    release = threading.Event()

    def deaf(_request):
        release.wait(SAFETY_SECONDS)
        return Response(200)

    settings = Settings(clone_urls={"svc": "https://clone.test"}, token="t")
    clones = Clones(settings, transport=MockTransport(deaf))
    with interrupted(0.1):
        clones.gather(CALLS, timeout=BUDGET)
    release.set()
    assert gone()


def test_calls_after_an_interruption_are_as_before():
    """What was cancelled were those calls, not the clients."""
    with FaultServer(in_turn([read, hold])) as server:
        clones = at(server.origin)
        with interrupted(0.1):
            clones.gather(CALLS, timeout=BUDGET)
        (outcome,) = clones.gather(CALLS[:1], timeout=0.2)
        assert type(outcome) is errors.RequestTimeout
        clones.close()


PROGRAM = """
import sys
from archal_lambda import Clones, Request, Settings
clones = Clones(Settings(clone_urls={"svc": sys.argv[1]}, token="t"))
clones.gather([("svc", Request("GET", "/a"))] * 8, timeout=8.0)
"""


def test_a_program_ends_at_ctrl_c():
    """A process of its own, which nothing keeps from its exit."""
    with FaultServer(in_turn([read, hold])) as server:
        command = [sys.executable, "-c", PROGRAM, server.origin]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, env={**os.environ}, text=True
        ) as program:
            assert server.wait_for(lambda seen: len(seen.requests) == 8)
            started = time.monotonic()
            program.send_signal(signal.SIGINT)
            _, log = program.communicate(timeout=SAFETY_SECONDS)
        assert time.monotonic() - started < 2.0
    assert program.returncode == -signal.SIGINT
    assert log.strip().endswith("KeyboardInterrupt")


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


@pytest.mark.skipif(sys.gettrace() is not None, reason="somebody else is tracing")
def test_a_handler_gathers_at_any_instruction_of_the_gather_that_it_interrupts():
    """Whatever that one holds, neither hangs: also where a name is to be resolved, on a thread of its own."""
    faulthandler.dump_traceback_later(60, exit=True)
    try:
        with FaultServer(good) as server:
            clones = at(server.origin.replace("127.0.0.1", "localhost"))
            calls = [("svc", Request("GET", "/a"))] * 2
            seen = []

            def gather():
                outcomes = clones.gather(calls, timeout=BUDGET)
                seen.append([type(one) for one in outcomes])

            inside = Inside(gather, ("_gather.py", "_locks.py", "threading.py"))
            with inside:
                gather()
            clones.close()
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert inside.times > 100
    assert seen == [[Response, Response]] * (inside.times + 1)
