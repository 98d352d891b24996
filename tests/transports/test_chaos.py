"""Everything at once: many calls share one client while peers fail, tasks are cancelled and signals come in."""

from __future__ import annotations

import asyncio
import collections
import gc
import itertools
import random
import signal
import threading
import time

import pytest
from support.faults.answers import chunk, chunked, head
from support.faults.client import LATE, ROUTE, open_sockets
from support.programs import outcome_of

from archal_lambda import AsyncClones, RetryPolicy, Settings
from archal_lambda.errors import TransportError
from archal_lambda.testing.faulty_server import FaultServer, answer

BUDGET = 0.25


def whole(conn, body):
    conn.send(answer(body))


def slow(conn, body):
    conn.pause(0.01)
    conn.send(answer(body))


def in_parts(conn, body):
    conn.send(chunked(chunk(body[:2])))
    conn.pause(0.005)
    conn.send(chunk(body[2:]) + b"0\r\n\r\n")


def hinted(conn, body):
    conn.send(head("Link: </a>", status="103 Early Hints") + answer(body))


def twice(conn, body):
    conn.send(answer(body) + answer(b"of another call"))


def closing(conn, body):
    conn.send(answer(body))
    conn.end()


def short(conn, body):
    conn.send(answer(body)[:-2])
    conn.close()


def garbage(conn, body):
    conn.send(chunked(chunk(body), b"zz\r\n"))


def broken(conn, _body):
    conn.reset()


def silent(conn, _body):
    conn.pause(BUDGET * 1.5)


def dripping(conn, body):
    conn.drip(answer(body * 9), 0.01)


# Good ones thrice, so that connections are kept, and found broken when they are used again.
FAULTS = [whole, slow, in_parts, hinted] * 3 + [
    twice, closing, short, garbage, broken, silent, dripping,
]  # fmt: skip


def chaos(conn, _index):
    """Script: answer every request by its target, with a fault that is drawn for it."""
    while True:
        received = conn.read_request()
        body = received.target.partition("?")[0].encode()
        random.Random(body).choice(FAULTS)(conn, body)  # noqa: S311 - the same in each run


@pytest.fixture
def sockets():
    """No socket is left when a test ends; where the system does not say, all is well."""
    gc.collect()
    before = open_sockets()
    yield
    gc.collect()
    assert open_sockets() == before


def test_threads_under_faults(sockets, site):
    """Each call ends in time, in its own response or in an error of ours, whatever happens to the others."""
    here = site(chaos)
    outcomes = collections.Counter()
    latest = []

    def work(worker):
        for number in range(20):
            path = f"/{worker}-{number}"
            started = time.monotonic()
            try:
                response = here.call(("POST", "GET")[number % 2], path, timeout=BUDGET)
            except TransportError:
                outcome = "failed"
            else:
                outcome = "answered" if response.text == f"/svc/api{path}" else response.text
            outcomes[outcome] += 1
            latest.append(time.monotonic() - started - BUDGET)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes) == {"answered", "failed"}
    assert outcomes["answered"] > outcomes["failed"] > 0
    assert max(latest) < LATE
    here.transport.close()
    here.server.__exit__()


def test_tasks_cancelled_under_faults(sockets, scheme, authority):
    """Awaited calls, a third of them given up at odd moments: no thread, task or connection is left over."""
    threads = threading.active_count()
    outcomes = collections.Counter()
    with FaultServer(chaos, tls=authority.trusted if scheme == "https" else None) as server:
        settings = Settings(
            clone_urls={"svc": f"{server.origin}/svc/api"}, token=ROUTE, ca_file=authority.file
        )

        async def one(clones, path):
            started = time.monotonic()
            try:
                response = await clones["svc"].get(path, timeout=BUDGET)
            except TransportError:
                outcome = "failed"
            else:
                outcome = "answered" if response.text == f"/svc/api{path}" else response.text
            outcomes[outcome] += 1
            assert time.monotonic() - started < BUDGET + LATE

        async def main():
            async with AsyncClones(settings, retry=RetryPolicy(attempts=1)) as clones:
                for turn in range(4):
                    tasks = [
                        asyncio.create_task(one(clones, f"/{turn}-{number}"))
                        for number in range(60)
                    ]
                    for number, task in enumerate(tasks):
                        if number % 3 == 0:
                            await asyncio.sleep(0.001 * (number % 5))
                            task.cancel()
                    for ended in await asyncio.gather(*tasks, return_exceptions=True):
                        assert ended is None or isinstance(ended, asyncio.CancelledError)
                assert asyncio.all_tasks() == {asyncio.current_task()}

        asyncio.run(main())
    assert set(outcomes) == {"answered", "failed"}
    assert outcomes["answered"] > outcomes["failed"] > 0
    until = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < until:
        time.sleep(0.005)
    assert threading.active_count() == threads


def cycle(conn):
    for play in itertools.cycle([whole, in_parts, hinted, whole]):
        play(conn, conn.read_request().target.partition("?")[0].encode())


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="POSIX alone has timers")
def test_a_call_interrupted_anywhere(scheme, authority):
    """An exception out of a signal handler may strike at any line: the next call still gets its own response."""
    with FaultServer([cycle], tls=authority.trusted if scheme == "https" else None) as server:
        outcomes = outcome_of("interrupted.py", server.origin, authority.file)
        assert not server.failures
    assert (outcomes["wrong"], outcomes["left"]) == (0, 0)
    assert min(outcomes["interrupted"], outcomes["answered"]) > 20
