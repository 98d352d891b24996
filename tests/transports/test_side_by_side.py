"""Many calls at once on one thread: interrupted, inside each other, and beside a secret that is slow to come."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from support.faults.client import LATE, SAFETY_SECONDS, clones_at
from support.threads import others_in

from archal_lambda import Clones, Request, Response, RetryPolicy, Secret, Settings, errors
from archal_lambda.core.environment import TokenSecret
from archal_lambda.testing.faulty_server import (
    FaultServer,
    answer,
    blackhole,
    good,
    hold,
    in_turn,
    read,
)
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports.mock import MockTransport

BUDGET = 8.0
CALLS = [("svc", Request("GET", "/a"))] * 12


class Interrupt(Exception):  # noqa: N818 - says what it is
    """Raised by a signal handler; no BaseException, for those of programs are not always."""


@contextlib.contextmanager
def interrupted(after):
    """Interrupt the body so many seconds from now; it must not outlive that by much."""

    def interrupt(*_):
        raise Interrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    started = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        with pytest.raises(Interrupt):
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < after + 0.2 + LATE


def own_clones_at(origin, **options):
    return clones_at(origin, UrllibTransport(), **options)


def gone():
    until = time.monotonic() + SAFETY_SECONDS
    while others_in("_gather.py") and time.monotonic() < until:
        time.sleep(0.01)
    return not others_in("_gather.py")


def test_a_peer_that_never_pauses_keeps_no_other_call_from_its_end():
    """Whoever waits for many must look at the clock though somebody is always ready."""

    def script(conn, _index):
        if conn.read_request().target.endswith("/silent"):
            conn.drain()
        conn.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        conn.flood(b"1\r\nx\r\n" * 100)

    with FaultServer(script) as server:
        clones = own_clones_at(server.origin, retry=RetryPolicy(attempts=1))
        calls = [("svc", Request("GET", f"/{name}")) for name in ("silent", "busy", "busy")]
        outcomes = clones.gather(calls, timeout=0.4, max_concurrency=3)
        assert [type(one) for one in outcomes] == [errors.RequestTimeout] * 3
        assert max(one.elapsed for one in outcomes) < 0.4 + LATE
        clones.close()


def test_calls_whose_server_is_silent_are_ended():
    """Their connections are closed, and none of those that wait for their turn is sent."""
    with FaultServer(in_turn([read, hold])) as server:
        clones = own_clones_at(server.origin)
        with interrupted(0.2):
            clones.gather(CALLS, timeout=BUDGET, max_concurrency=4)
        assert gone()
        assert server.connections == 4
        clones.close()


def test_calls_that_wait_for_a_connection_are_ended():
    with blackhole() as address:
        clones = own_clones_at(f"http://{address}")
        with interrupted(0.2):
            clones.gather(CALLS, timeout=BUDGET)
        assert gone()


def test_calls_that_wait_for_their_next_attempt_are_ended():
    """Nothing is sent any more."""
    with FaultServer(in_turn([read])) as server:
        clones = own_clones_at(server.origin, retry=RetryPolicy(attempts=2, backoff=6.0))
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
        clones = own_clones_at(server.origin)
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


def test_calls_to_sockets_take_no_thread():
    with FaultServer(good) as server:
        seen = []
        clones = own_clones_at(
            server.origin, on_call=lambda _record: seen.append(threading.current_thread())
        )
        outcomes = clones.gather(CALLS, max_concurrency=5)
        assert [one.status_code for one in outcomes] == [200] * len(CALLS)
        assert set(seen) == {threading.current_thread()}
        assert server.connections == 5
        clones.close()


def test_a_transport_of_the_callers_is_asked_on_threads():
    """All of a fan-out are in it at once."""
    together = threading.Barrier(4)

    def handler(_request):
        together.wait(SAFETY_SECONDS)
        return Response(200)

    settings = Settings(clone_urls={"svc": "https://clone.test"}, token="t")
    outcomes = Clones(settings, transport=MockTransport(handler)).gather(
        CALLS[:4], max_concurrency=4
    )
    assert [one.status_code for one in outcomes] == [200] * 4
    assert gone()


def test_calls_may_be_gathered_inside_others():
    """As a signal handler does that ends several things at once."""
    with FaultServer(good) as server:
        clones = own_clones_at(server.origin)
        inner = []

        def handle(*_):
            inner.append(clones.gather(CALLS, timeout=BUDGET))
            signal.setitimer(signal.ITIMER_REAL, 0.003)

        before = signal.signal(signal.SIGALRM, handle)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            for _ in range(20):
                outcomes = clones.gather(CALLS, timeout=BUDGET)
                assert [one.status_code for one in outcomes] == [200] * len(CALLS)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert inner
        assert {one.status_code for outcomes in inner for one in outcomes} == {200}
        clones.close()


def test_a_secret_that_is_slow_to_come_holds_up_no_other_call():
    """It is read on a thread, once for all who were refused."""
    slow = 0.6
    tokens = iter(["old", "new"])

    def script(conn, _index):
        while True:
            received = conn.read_request()
            if received.target.startswith("/secretsmanager"):
                token = next(tokens)
                conn.pause(slow if token == "new" else 0)
                conn.send(answer(b'{"SecretString": "%s"}' % token.encode()))
            elif b"Bearer old" in received.head and received.target == "/refused":
                body = b'{"error": "unauthorized", "code": "token_expired", "message": "expired"}'
                conn.send(answer(body, status="401 X"))
            else:
                conn.send(answer(received.target.encode()))

    with FaultServer(script) as server:
        secret = TokenSecret("archal", Secret("s"), str(server.port))
        clones = Clones(Settings(clone_urls={"svc": server.origin}, token_secret=secret))
        refused = [("svc", Request("GET", "/refused"))] * 3
        outcomes = clones.gather([*refused, *CALLS[:4]], timeout=BUDGET, max_concurrency=7)
        assert [one.status_code for one in outcomes] == [200] * 7
        assert min(one.elapsed for one in outcomes[:3]) >= slow - 0.05
        assert max(one.elapsed for one in outcomes[3:]) < slow / 2
        clones.close()


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
