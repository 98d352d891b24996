"""Awaited calls on CPython: threads that end with their calls, and connections that go with a cancelled one."""

from __future__ import annotations

import asyncio
import gc
import threading
import time

import pytest
from support.faults.client import open_sockets

from archal_lambda import AsyncClones, Request, RetryPolicy, Settings
from archal_lambda.core.timeouts import Deadline
from archal_lambda.testing import faulty_server as faults
from archal_lambda.testing.faulty_server import FaultServer
from archal_lambda.transports import _asyncio
from archal_lambda.transports._asyncio import Threads


def clones_at(server, ca_file=None, **options):
    settings = Settings(clone_urls={"svc": f"{server.origin}/svc/api"}, token="t", ca_file=ca_file)
    return AsyncClones(settings, **options)


def our_threads():
    return [one for one in threading.enumerate() if one.name.startswith("archal-lambda-call")]


async def settled(condition):
    """Wait for something that happens soon; tell whether it did."""
    until = time.monotonic() + 5
    while not condition() and time.monotonic() < until:  # noqa: ASYNC110 - other threads set no event of asyncio's
        await asyncio.sleep(0.005)
    return condition()


def test_calls_run_side_by_side_and_reuse_connections():
    """Ten run at once, and the next ten use the same connections. Closing ends threads and connections."""
    with FaultServer(faults.good) as server:

        async def main():
            async with clones_at(server) as clones:
                calls = [("svc", Request("GET", f"/{number}")) for number in range(10)]
                for _ in range(2):
                    answers = await clones.gather(calls, max_concurrency=10)
                    assert [one.status_code for one in answers] == [200] * 10
                assert len(our_threads()) <= 10
            assert await settled(lambda: not our_threads())
            assert (await clones["svc"].get("/again")).status_code == 200
            await clones.close()
            assert await settled(lambda: not our_threads())

        asyncio.run(main())
        assert server.connections <= 11
        assert not server.failures


def test_one_object_serves_several_event_loops():
    """A function may run a loop per invocation. The connection is kept."""
    with FaultServer(faults.good) as server:
        clones = clones_at(server)
        for _ in range(3):
            assert asyncio.run(clones["svc"].get("/")).status_code == 200
        asyncio.run(clones.close())
        assert server.connections == 1


@pytest.mark.parametrize(
    "steps",
    [
        [faults.read, faults.hold],
        [faults.read, faults.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), faults.hold],
        [faults.read, faults.drip(faults.answer(b"x" * 5000), 0.02)],
    ],
    ids=["headers", "body", "drip"],
)
def test_a_cancelled_call_frees_its_connection(scheme, authority, steps):
    """The peer sees it closed at once, the thread is free, and nothing is sent again."""
    tls = authority.trusted if scheme == "https" else None
    gone = threading.Event()

    def script(conn, _index):
        try:
            for step in steps[:-1]:
                step(conn)
            if steps[-1] is faults.hold:
                conn.drain()
            else:
                steps[-1](conn)
        finally:
            gone.set()

    with FaultServer(script, tls=tls) as server:

        async def main():
            clones = clones_at(server, authority.file if tls else None)
            task = asyncio.create_task(clones["svc"].get("/", timeout=60))
            assert await settled(lambda: server.requests)
            await asyncio.sleep(0.05)
            started = time.monotonic()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert time.monotonic() - started < 0.5
            assert await settled(gone.is_set)
            assert time.monotonic() - started < 1.0
            await clones.close()
            assert await settled(lambda: not our_threads())

        asyncio.run(main())
        assert (server.connections, len(server.requests)) == (1, 1)
        assert not server.failures


def test_cancellation_under_load_leaves_nothing_over():
    """Of hundreds of calls most are cancelled at odd moments. No connection, thread or task is left."""

    def script(conn, _index):
        while True:
            received = conn.read_request()
            number = int(received.target.rpartition("/")[2])
            conn.pause(0.002 * (number % 7))
            conn.send(faults.answer(received.target.encode()))

    before = open_sockets()
    with FaultServer(script) as server:

        async def main():
            async with clones_at(server, retry=RetryPolicy(attempts=1)) as clones:
                tasks = [
                    asyncio.create_task(clones["svc"].get(f"/{number}")) for number in range(400)
                ]
                for number, task in enumerate(tasks):
                    if number % 8:
                        await asyncio.sleep(0.0005)
                        task.cancel()
                outcomes = await asyncio.gather(*tasks, return_exceptions=True)
                for number, outcome in enumerate(outcomes):
                    if isinstance(outcome, asyncio.CancelledError):
                        assert number % 8
                    else:  # no answer goes to another call
                        assert outcome.text == f"/svc/api/{number}"
                assert all(not isinstance(one, BaseException) for one in outcomes[::8])
                # What is left works, and no call was lost its connection by another's end.
                more = await asyncio.gather(*(clones["svc"].get(f"/{n}") for n in range(100)))
                assert [one.text for one in more] == [f"/svc/api/{n}" for n in range(100)]
                assert asyncio.all_tasks() == {asyncio.current_task()}
            assert await settled(lambda: not our_threads())

        asyncio.run(main())
        assert not server.failures
        assert len(our_threads()) == 0
    gc.collect()
    assert open_sockets() == before


def test_the_loops_own_threads_stay_free():
    """Calls that hang do not keep the program's own work in threads from running."""
    with FaultServer([faults.read, faults.hold]) as server:

        async def main():
            clones = clones_at(server)
            tasks = [
                asyncio.create_task(clones["svc"].get(f"/{number}", timeout=30))
                for number in range(_asyncio.MAX_THREADS)
            ]
            assert await settled(lambda: len(server.requests) == len(tasks))
            assert await asyncio.wait_for(asyncio.to_thread(lambda: 5), 2) == 5
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await clones.close()
            assert await settled(lambda: not our_threads())

        asyncio.run(main())


def test_an_event_loop_that_ends_leaves_no_call_behind():
    """asyncio.run() cancels what is running at its end."""
    with FaultServer([faults.read, faults.hold]) as server:
        clones = clones_at(server)

        async def main():
            call = asyncio.create_task(clones["svc"].get("/", timeout=30))
            assert await settled(lambda: server.requests)
            return call

        call = asyncio.run(main())
        assert call.cancelled()
        asyncio.run(clones.close())
        assert asyncio.run(settled(lambda: not our_threads()))


def test_an_error_nobody_waits_for_is_not_logged_by_asyncio():
    """The waiting task is cancelled in the moment in which its thread fails."""

    async def main():
        complaints = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: complaints.append(context))
        threads = Threads()

        def fail():
            raise ZeroDivisionError

        for delay in (0, 0.0005, 0.001, 0.002):
            waiting = asyncio.create_task(threads.run(fail, Deadline.after(5)))
            await asyncio.sleep(0)
            time.sleep(delay)  # noqa: ASYNC251 - so that the thread ends while the loop does not look
            waiting.cancel()
            await asyncio.wait([waiting])
            await asyncio.sleep(0)
        threads.close()
        del waiting
        gc.collect()
        assert complaints == []

    asyncio.run(main())
