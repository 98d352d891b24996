"""A call inside another on one thread, as signal handlers make them, and calls of a process that forked."""

from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest
from support.programs import outcome_of

from archal_lambda import AsyncClones, Clones, Deadline, Secret, Settings
from archal_lambda.core.environment import TokenSecret
from archal_lambda.testing.faulty_server import FaultServer, answer, good
from archal_lambda.transports._locks import SharedLock
from archal_lambda.transports._platform import extension
from archal_lambda.transports._resolve import _Lookup, _under_way, resolve
from archal_lambda.transports._steps import run
from archal_lambda.transports._tls import Once
from archal_lambda.transports._urllib3 import UrllibTransport

AT_ONCE = 2.0  # seconds; far from the budgets below
BUDGET = 20.0

# 3.12 and later warn of threads and fork.
forks = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def cycle(conn):
    """Step: answer twice on each connection."""
    for _ in range(2):
        received = conn.read_request()
        conn.send(answer(received.target.encode()))
    conn.end()


def in_child(task):
    """Run a task in a forked process; tell whether it returned something true, and how long it took."""
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if task() else 1
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0, time.monotonic() - started


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_calls_in_signal_handlers_are_calls_like_any(scheme, authority):
    """Whatever step of a call they interrupt, neither hangs, and each gets its own response."""
    with FaultServer([cycle], tls=authority.trusted if scheme == "https" else None) as server:
        outcomes = outcome_of("signalled.py", server.origin, authority.file)
    assert outcomes["wrong"] == 0
    assert outcomes["failed"] == 0
    assert min(outcomes["calls"], outcomes["handled"]) > 20


def test_a_handler_takes_the_lock_of_the_call_that_it_interrupts():
    """Other threads wait, and no longer than they allow."""
    lock = SharedLock()
    got = []
    assert lock.acquire(timeout=0.0)
    assert lock.acquire(timeout=0.0)
    other = threading.Thread(target=lambda: got.append(lock.acquire(timeout=0.01)))
    other.start()
    other.join()
    lock.release()
    lock.release()
    other = threading.Thread(target=lambda: got.append(lock.acquire(timeout=0.01)))
    other.start()
    other.join()
    assert got == [False, True]


def test_a_lookup_that_this_thread_has_yet_to_start_is_not_waited_for():
    """The handler would wait for itself."""
    begun = _under_way["localhost", 9] = _Lookup("localhost", 9)
    assert run(resolve("localhost", 9, lambda: BUDGET))
    assert not begun.is_over


@forks
def test_a_child_has_the_locks_that_other_threads_of_its_parent_held():
    lock = SharedLock()
    held, done = threading.Event(), threading.Event()

    def hold():
        lock.acquire()
        held.set()
        done.wait(BUDGET)
        lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(BUDGET)
    works, took = in_child(lambda: lock.acquire(timeout=BUDGET))
    done.set()
    thread.join()
    assert works
    assert took < AT_ONCE


@forks
def test_a_child_of_the_thread_that_holds_a_lock_may_let_go_of_it():
    lock = SharedLock()
    lock.acquire()

    def let_go():
        lock.release()
        return lock.acquire(timeout=BUDGET)

    assert in_child(let_go)[0]
    lock.release()


@forks
def test_a_child_reads_the_certificates_that_its_parent_was_reading():
    begun, done = threading.Event(), threading.Event()
    parent = os.getpid()

    def make():
        if os.getpid() == parent:
            begun.set()
            done.wait(BUDGET)
        return "made"

    once = Once(make)
    thread = threading.Thread(target=once.get, args=(BUDGET,))
    thread.start()
    assert begun.wait(BUDGET)
    works, took = in_child(lambda: once.get(BUDGET) == "made")
    done.set()
    thread.join()
    assert works
    assert took < AT_ONCE / 2  # less than another thread is waited for


@forks
def test_a_child_reads_the_secret_that_its_parent_was_reading():
    """The thread that reads it is not in the child."""
    asked, release = threading.Event(), threading.Event()

    def script(conn, index):
        conn.read_request()
        if index == 0:
            asked.set()
            release.wait(BUDGET)
        conn.send(answer(b'{"SecretString": "token"}'))

    with FaultServer(script) as server:
        transport = UrllibTransport()
        secret = TokenSecret("archal", Secret("s"), str(server.port))
        credentials = extension(transport)("X-A", secret)
        thread = threading.Thread(target=lambda: credentials.headers(Deadline.after(BUDGET)))
        thread.start()
        assert asked.wait(BUDGET)
        works, took = in_child(
            lambda: credentials.headers(Deadline.after(BUDGET))["x-a"] == "Bearer token"
        )
        release.set()
        thread.join()
        transport.close()
    assert works
    assert took < AT_ONCE


@forks
def test_a_child_awaits_calls_on_threads_of_its_own():
    """Those of the parent are not there; the parent goes on with its own."""
    with FaultServer(good) as server:
        settings = Settings(clone_urls={"github": f"{server.origin}/api"}, token="t")
        clones = AsyncClones(settings)

        async def call():
            return (await clones["github"].get("/", timeout=BUDGET)).status_code == 200

        assert asyncio.run(call())
        works, took = in_child(lambda: asyncio.run(call()))
        assert asyncio.run(call())
        asyncio.run(clones.close())
    assert works
    assert took < AT_ONCE


@forks
def test_a_child_forked_in_the_middle_of_many_calls_works_at_once():
    with FaultServer(good) as server:
        settings = Settings(clone_urls={"github": f"{server.origin}/api"}, token="t")
        over = threading.Event()

        with Clones(settings) as clones:

            def work():
                while not over.is_set():
                    clones["github"].get("/parent", timeout=BUDGET)

            threads = [threading.Thread(target=work) for _ in range(4)]
            for thread in threads:
                thread.start()
            outcomes = [
                in_child(lambda: clones["github"].get("/child", timeout=BUDGET).status_code == 200)
                for _ in range(10)
            ]
            over.set()
            for thread in threads:
                thread.join()
    assert all(works for works, _ in outcomes)
    assert max(took for _, took in outcomes) < AT_ONCE
