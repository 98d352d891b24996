"""Lookups that hang or fail for many at once."""

from __future__ import annotations

import os
import socket
import threading
import time

import pytest
from support.faults.client import LATE, clones_at
from support.threads import others_in

from archal_lambda import Request
from archal_lambda.errors import RequestTimeout
from archal_lambda.transports import _resolve
from archal_lambda.transports._resolve import resolve as steps
from archal_lambda.transports._steps import run
from archal_lambda.transports._urllib3 import UrllibTransport

BUDGET = 0.15
FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 9))]


def resolve(host, port, seconds):
    return run(steps(host, port, lambda: seconds))


class Resolver:
    """Answers when it is let."""

    def __init__(self):
        self.open = threading.Event()
        self.asked = []
        self.answer = FOUND

    def __call__(self, host, *_args, **_options):
        self.asked.append(host)
        self.open.wait(10.0)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def resolver(monkeypatch):
    resolver = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    yield resolver
    resolver.open.set()


def test_a_resolver_that_hangs_holds_one_thread_for_all(resolver):
    """A fan-out to a name that does not resolve ends in time. It leaves one thread behind, not one for each call."""
    clones = clones_at("https://nowhere.invalid", UrllibTransport())
    started = time.monotonic()
    calls = [("svc", Request("POST", "/"))] * 12
    outcomes = clones.gather(calls, max_concurrency=12, timeout=BUDGET)
    assert time.monotonic() - started < BUDGET + LATE
    assert [type(one) for one in outcomes] == [RequestTimeout] * 12
    assert {(one.phase, one.sent) for one in outcomes} == {("resolve", False)}
    assert others_in("_resolve.py") == len(resolver.asked) == 1


def test_a_slow_lookup_is_not_shared_with_later_calls(resolver, monkeypatch):
    """Its question may be lost, so a later call asks again. Other names are asked for at once."""
    monkeypatch.setattr(_resolve, "_SHARED_SECONDS", 0.05)
    for host, asked in (("a.invalid", 1), ("b.invalid", 2)):
        with pytest.raises(TimeoutError):
            resolve(host, 443, 0.01)
        assert len(resolver.asked) == asked
    time.sleep(0.06)
    with pytest.raises(TimeoutError):
        resolve("a.invalid", 443, 0.01)
    resolver.open.set()
    assert resolve("a.invalid", 443, 5.0) == FOUND
    assert resolver.asked[:3] == [b"a.invalid", b"b.invalid", b"a.invalid"]


def test_a_lookup_that_fails_fails_for_each_by_itself(resolver):
    """Each call that shared it gets its own error, and the next call asks anew."""
    resolver.answer = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
    failures = []

    def ask():
        with pytest.raises(socket.gaierror, match="Temporary failure") as caught:
            resolve("a.invalid", 443, 5.0)
        failures.append(caught.value)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)
    resolver.open.set()
    for thread in threads:
        thread.join()
    assert len(resolver.asked) == 1
    assert len({id(failure) for failure in failures}) == 4
    resolver.answer = FOUND
    assert resolve("a.invalid", 443, 5.0) == FOUND


@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # 3.12 warns of threads and fork
def test_a_forked_process_asks_for_itself(resolver):
    """The thread that asks belongs to the parent."""
    with pytest.raises(TimeoutError):
        resolve("a.invalid", 443, 0.01)
    resolver.open.set()  # too late for the thread, which the child does not have
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if resolve("a.invalid", 443, 5.0) == FOUND else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def test_without_a_thread_to_ask_on_there_is_no_connection(resolver, monkeypatch):
    """The process may be unable to start a thread. The call says so, and the next one tries again."""

    def full(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(_resolve, "start_new_thread", full)
        with pytest.raises(OSError, match="no thread could be started"):
            resolve("a.invalid", 443, 5.0)
    resolver.open.set()
    assert resolve("a.invalid", 443, 5.0) == FOUND
