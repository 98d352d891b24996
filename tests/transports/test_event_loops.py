"""Awaited calls on the event loops that there are: each waits for sockets in its own way."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import socket
import threading
import time
from pathlib import Path

import anyio
import pytest
import uvloop
from support.faults.client import LATE, open_sockets

from archal_lambda import AsyncClones, Request, RetryPolicy, Settings, Timeout, errors
from archal_lambda.testing.faulty_server import (
    FaultServer,
    answer,
    blackhole,
    drip,
    good,
    hold,
    read,
    send,
)
from archal_lambda.transports import _watch
from archal_lambda.transports._steps import Wait

BUDGET = 0.3  # seconds


class WithoutReaders(asyncio.SelectorEventLoop):
    """An event loop that cannot watch sockets, as the one that Windows has by default."""

    def add_reader(self, fd, callback, *args):
        if callback.__module__.startswith("archal_lambda"):
            raise NotImplementedError
        return super().add_reader(fd, callback, *args)

    def add_writer(self, fd, callback, *args):
        if callback.__module__.startswith("archal_lambda"):
            raise NotImplementedError
        return super().add_writer(fd, callback, *args)


LOOPS = {
    "asyncio": asyncio.SelectorEventLoop,
    "uvloop": uvloop.new_event_loop,
    "without readers": WithoutReaders,
}
WITHOUT_EPOLL = "asyncio without epoll"  # as on macOS


@pytest.fixture(params=[*LOOPS, WITHOUT_EPOLL])
def run(request, monkeypatch):
    """Run a coroutine function on a loop of its own; no task is left."""
    if request.param == WITHOUT_EPOLL:
        monkeypatch.setattr(_watch, "_HAS_EPOLL", False)
    loop = LOOPS.get(request.param, asyncio.SelectorEventLoop)

    def run_on(main):
        with asyncio.Runner(loop_factory=loop) as runner:
            return runner.run(main())

    return run_on


def descriptors():
    """Count the files that are open; one is the folder that tells of them."""
    return len(list(Path("/proc/self/fd").iterdir()))


def clones_at(origin, ca_file=None, **options):
    settings = Settings(clone_urls={"svc": f"{origin}/svc/api"}, token="t", ca_file=ca_file)
    return AsyncClones(settings, **options)


@pytest.fixture
def server(scheme, authority):
    with FaultServer(good, tls=authority.trusted if scheme == "https" else None) as server:
        yield server
        assert not server.failures


def test_calls_are_made_on_the_loop_itself(run, server, authority):
    """No thread is started, and connections are kept for the next loop, which may be of another kind."""
    clones = clones_at(server.origin, authority.file)
    before = set(threading.enumerate())

    async def main():
        calls = [("svc", Request("GET", f"/{number}")) for number in range(8)]
        found = await clones.gather(calls, max_concurrency=8)
        assert [one.status_code for one in found] == [200] * 8
        ours = {one.name for one in set(threading.enumerate()) - before}
        assert not {name for name in ours if name.startswith("archal-lambda")}

    run(main)
    for loop in LOOPS.values():
        with asyncio.Runner(loop_factory=loop) as runner:
            assert runner.run(clones["svc"].get("/again")).status_code == 200
    asyncio.run(clones.close())
    assert server.connections <= 8


def test_a_closed_loop_and_a_fork_leave_a_client_that_works(run, server, authority):
    clones = clones_at(server.origin, authority.file)

    async def call():
        return (await clones["svc"].get("/", timeout=20)).status_code

    assert run(call) == 200
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0 if run(call) == 200 else 1
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run(call) == 200
    asyncio.run(clones.close())


@pytest.mark.parametrize(
    ("steps", "phase"),
    [
        ([hold], "headers"),
        ([read, hold], "headers"),
        ([read, send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), hold], "body"),
        ([read, drip(answer(b"x" * 5000), 0.01)], "headers"),
    ],
    ids=["unread", "silent", "half", "dripped"],
)
def test_no_fault_holds_a_call_longer_than_its_budget(run, scheme, authority, steps, phase):
    """Over TLS the same: each record that comes is a reason to look at the clock."""
    tls = authority.trusted if scheme == "https" else None
    with FaultServer([*steps], tls=tls) as server:
        clones = clones_at(server.origin, authority.file, retry=RetryPolicy(attempts=1))

        async def main():
            started = time.monotonic()
            with pytest.raises(errors.RequestTimeout) as caught:
                await clones["svc"].get("/", timeout=BUDGET)
            assert time.monotonic() - started < BUDGET + LATE
            assert (caught.value.phase, caught.value.sent) == (phase, True)

        run(main)


def test_an_address_that_is_silent_costs_the_budget(run):
    with blackhole() as address:
        clones = clones_at(f"http://{address}")

        async def main():
            started = time.monotonic()
            with pytest.raises(errors.RequestTimeout) as caught:
                await clones["svc"].get("/", timeout=Timeout(BUDGET, connect=None))
            assert time.monotonic() - started < BUDGET + LATE
            assert (caught.value.phase, caught.value.sent) == ("connect", False)

        run(main)


def test_a_hanging_resolver_holds_no_loop(run, monkeypatch):
    """Other tasks go on, and a cancelled call is over at once."""
    release = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_args, **_options: release.wait(20) and [])
    clones = clones_at("https://nowhere.invalid")

    async def main():
        call = asyncio.create_task(clones["svc"].get("/", timeout=30))
        await asyncio.sleep(0.05)
        started = time.monotonic()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert time.monotonic() - started < LATE
        with pytest.raises(errors.RequestTimeout) as caught:
            await clones["svc"].get("/", timeout=BUDGET)
        assert caught.value.phase == "resolve"

    try:
        run(main)
    finally:
        release.set()


def test_calls_cancelled_at_odd_moments_leave_nothing(run, scheme, authority):
    """No socket, no task, and no response that another call gets."""
    draw = random.Random(3)  # noqa: S311 - the same in each run
    before = open_sockets()
    with FaultServer(good, tls=authority.trusted if scheme == "https" else None) as server:
        clones = clones_at(server.origin, authority.file, retry=RetryPolicy(attempts=1))

        async def main():
            tasks = [asyncio.create_task(clones["svc"].get(f"/{number}")) for number in range(120)]
            for task in draw.sample(tasks, 80):
                await asyncio.sleep(draw.choice([0, 0, 0.0005]))
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for number, outcome in enumerate(outcomes):
                if not isinstance(outcome, asyncio.CancelledError):
                    assert outcome.text.endswith(f" /svc/api/{number}")
            assert asyncio.all_tasks() == {asyncio.current_task()}
            await clones.close()

        run(main)
    gc.collect()
    assert open_sockets() == before


def test_anyios_cancel_scopes_end_a_call():
    with FaultServer([read, hold]) as server:
        clones = clones_at(server.origin)

        async def main():
            started = time.monotonic()
            with anyio.move_on_after(0.1) as scope:
                await clones["svc"].get("/", timeout=30)
            assert scope.cancelled_caught
            assert time.monotonic() - started < 0.1 + LATE
            await clones.close()

        anyio.run(main)


def test_loops_that_come_and_go_leave_no_descriptor(run, server, authority):
    """Each invocation of a function may have a loop of its own, and the collector may come late."""
    clones = clones_at(server.origin, authority.file)

    async def call():
        assert (await clones["svc"].get("/", timeout=20)).status_code == 200

    run(call)
    before = descriptors()
    gc.disable()
    try:
        for _ in range(5):
            run(call)
        assert descriptors() <= before
    finally:
        gc.enable()
    asyncio.run(clones.close())


def test_each_call_ends_at_its_own_time_whichever_is_due_first(run):
    with FaultServer([read, hold]) as server:
        clones = clones_at(server.origin, retry=RetryPolicy(attempts=1))
        budgets = [0.9, 0.3, 0.6, 0.3, 0.9]

        async def main():
            async def late(budget):
                started = time.monotonic()
                with pytest.raises(errors.RequestTimeout):
                    await clones["svc"].get("/", timeout=budget)
                return time.monotonic() - started - budget

            for one in await asyncio.gather(*map(late, budgets)):
                assert -0.01 < one < LATE

        run(main)


def test_a_request_that_the_socket_does_not_take_at_once_is_sent_and_answered(
    run, server, authority
):
    """The same socket is waited for to be written to, and then to be read."""
    clones = clones_at(server.origin, authority.file)

    async def main():
        for _ in range(3):
            response = await clones["svc"].post("/", content=b"x" * 5_000_000, timeout=20)
            assert response.status_code == 200
        await clones.close()

    run(main)


def test_loops_of_several_threads_share_a_client(server, authority):
    clones = clones_at(server.origin, authority.file)
    outcomes = []

    async def main():
        for number in range(20):
            response = await clones["svc"].get(f"/{number}", timeout=20)
            outcomes.append(response.status_code)

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [200] * 80
    asyncio.run(clones.close())


def test_an_interrupted_timer_takes_no_other_calls_time_away():
    """As by a signal handler that raises, in the middle of it."""
    with FaultServer([read, hold]) as server:
        clones = clones_at(server.origin, retry=RetryPolicy(attempts=1))

        async def main():
            async def late():
                started = time.monotonic()
                with pytest.raises(errors.RequestTimeout):
                    await clones["svc"].get("/", timeout=BUDGET)
                assert time.monotonic() - started < BUDGET + LATE

            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda *_: None)
            await late()
            watch = _watch.watch_of(loop)
            watch._due = (
                loop.time() - 1.0
            )  # what is left of one that was to set the next and did not
            await late()

        asyncio.run(main())


def test_short_waits_beside_a_long_one_leave_no_timers():
    with FaultServer([read, hold]) as server:
        clones = clones_at(server.origin, retry=RetryPolicy(attempts=1))

        async def main():
            long = asyncio.create_task(clones["svc"].get("/long", timeout=900))
            loop = asyncio.get_running_loop()
            for _ in range(20):
                with pytest.raises(errors.RequestTimeout):
                    await clones["svc"].get("/short", timeout=0.02)
            assert len([one for one in loop._scheduled if not one.cancelled()]) < 5
            long.cancel()
            await asyncio.gather(long, return_exceptions=True)
            await clones.close()

        asyncio.run(main())


def test_a_socket_that_cannot_be_watched_leaves_nothing_behind(monkeypatch):
    """An error of the kernel is the call's, and the loop does not spin."""

    async def main():
        watch = _watch.watch_of(asyncio.get_running_loop())
        ours, theirs = socket.socketpair()
        with ours, theirs:
            monkeypatch.setattr(watch, "_arm", fails)
            with pytest.raises(OSError, match="no space"):
                await watch.ready(Wait((ours, theirs), 5.0))
        assert not watch._waiting

    def fails(*_args):
        raise OSError("no space")

    asyncio.run(main())
