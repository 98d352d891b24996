"""A host with several addresses of which some are silent: the next is tried besides, and the one that answers stays."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import threading
import time

import pytest
from support.faults.client import LATE, clones_at, open_sockets

from archal_lambda import AsyncClones, Settings, Timeout
from archal_lambda.errors import ConnectError, RequestTimeout
from archal_lambda.testing.faulty_server import FaultServer, blackhole, good
from archal_lambda.transports import _dial
from archal_lambda.transports._dial import connect as steps
from archal_lambda.transports._steps import run
from archal_lambda.transports._urllib3 import UrllibTransport

PAUSE = 0.25  # seconds until the next address is tried


def connect(*args):
    return run(steps(*args))


def tcp(port, family=socket.AF_INET, host="127.0.0.1"):
    """Make one address as the resolver gives it."""
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch):
    monkeypatch.setattr(_dial, "_answered", {})


@pytest.fixture
def sockets():
    """Make sure that no socket is left."""
    before = open_sockets()
    yield
    if before is not None:
        assert open_sockets() == before


@pytest.fixture
def server():
    with FaultServer(good) as server:
        yield server


@pytest.fixture
def silent():
    """A port that neither accepts nor refuses."""
    with blackhole() as dead:
        yield int(dead.partition(":")[2])


@pytest.fixture
def closed():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound but not listening
        yield sock.getsockname()[1]


@pytest.fixture
def resolver(monkeypatch):
    """Let every name have these addresses."""

    def let(*addresses):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: list(addresses))

    return let


def at(port, transport):
    """Make a clone whose addresses are the resolver's, whatever the port: plain HTTP is for this name only."""
    return clones_at(f"http://localhost:{port}", transport)["svc"]


@pytest.mark.parametrize("before", [1, 3])
def test_a_silent_address_costs_a_quarter_of_a_second_once(server, silent, resolver, before):
    """The next is tried besides; the one that answered is the first to be tried for the next connection."""
    resolver(*[tcp(silent)] * before, tcp(server.port))
    transport = UrllibTransport()
    took = []
    for _ in range(2):
        started = time.monotonic()
        response = at(1, transport).get("/", timeout=5.0)
        took.append(time.monotonic() - started)
        assert (response.status_code, response.attempts) == (200, 1)
        transport.close()  # so that the next call needs a connection
    assert PAUSE * before <= took[0] + 0.05
    assert took[0] < PAUSE * before + LATE
    assert took[1] < PAUSE
    assert server.connections == 2


def test_each_host_remembers_its_own(server, silent, resolver):
    resolver(tcp(silent), tcp(server.port))
    transport = UrllibTransport()
    for port in (1, 2):
        started = time.monotonic()
        at(port, transport).get("/", timeout=5.0)
        assert time.monotonic() - started > PAUSE - 0.05
    transport.close()
    assert set(_dial._answered) == {("localhost", 1), ("localhost", 2)}


def test_the_remembered_address_may_fail(server, silent, closed, resolver):
    """Then another answers, and is remembered; one that the name no longer has is not asked."""
    transport = UrllibTransport()
    with FaultServer(good) as other:
        gone = tcp(other.port)
        resolver(tcp(silent), gone)
        at(1, transport).get("/", timeout=5.0)
    transport.close()
    for addresses in (
        [tcp(silent), gone, tcp(server.port)],
        [tcp(closed), tcp(server.port)],
        [tcp(server.port)],
    ):
        resolver(*addresses)
        assert at(1, transport).get("/", timeout=5.0).attempts == 1
        transport.close()
    assert server.connections == 3


def test_the_memory_is_bounded(closed):
    with socket.create_server(("127.0.0.1", 0), backlog=300) as listener:
        addresses = [tcp(closed), tcp(listener.getsockname()[1])]
        for number in range(260):
            connect((f"{number}.test", 80), addresses, lambda: 5.0).close()
    assert len(_dial._answered) <= 256


def test_the_families_take_turns(monkeypatch):
    """Where one of them is broken, all of its addresses are."""
    asked = []
    six = [tcp(9, socket.AF_INET6, f"::{number}") for number in range(1, 4)]
    four = [tcp(9, socket.AF_INET, f"127.0.0.{number}") for number in range(1, 3)]

    def begin(address, _trying):
        asked.append(address)
        raise OSError("down")

    monkeypatch.setattr(_dial, "_begin", begin)
    with pytest.raises(OSError, match="down"):
        connect(("six.test", 9), [*six, *four], lambda: 1.0)
    assert asked == [six[0], four[0], six[1], four[1], six[2]]


def test_an_address_that_fails_is_not_waited_for(server, closed, resolver):
    resolver(*[tcp(closed)] * 20, tcp(server.port))
    transport = UrllibTransport()
    started = time.monotonic()
    assert at(1, transport).get("/", timeout=10.0).attempts == 1
    assert time.monotonic() - started < LATE
    transport.close()


def test_a_slow_first_address_may_still_win(silent, sockets):
    """It is waited for while the next is tried; whichever answers first counts, and the other socket is closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as slow, contextlib.ExitStack() as stack:
        # The queue is full until something is accepted; then the kernel's next try, after a second, succeeds.
        fill = [stack.enter_context(socket.socket()) for _ in range(8)]
        for sock in fill:
            sock.settimeout(0)
            sock.connect_ex(slow.getsockname())

        def accept():
            with contextlib.suppress(OSError):  # closed when the test is over
                while True:
                    stack.enter_context(slow.accept()[0])

        accepting = threading.Timer(0.4, accept)
        accepting.start()
        ends = time.monotonic() + 10.0
        addresses = [tcp(slow.getsockname()[1]), tcp(silent)]
        with connect(("slow.test", 1), addresses, lambda: ends - time.monotonic()) as winner:
            assert winner.getpeername() == slow.getsockname()
        slow.shutdown(socket.SHUT_RDWR)  # wakes accept()
        accepting.join()


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize(
    ("timeout", "attempts"), [(Timeout(0.3), 1), (Timeout(0.6, connect=0.3), 2)]
)
def test_the_limits_hold_whatever_is_silent(silent, resolver, sockets, count, timeout, attempts):  # noqa: PLR0917 - fixtures
    """All sockets are closed at the end."""
    resolver(*[tcp(silent)] * count)
    transport = UrllibTransport()
    started = time.monotonic()
    with pytest.raises(RequestTimeout) as caught:
        at(1, transport).post("/", timeout=timeout)
    assert time.monotonic() - started < timeout.total + LATE
    assert (caught.value.phase, caught.value.sent) == ("connect", False)
    assert caught.value.attempts <= attempts


def test_all_addresses_that_refuse_are_a_connect_error(closed, resolver, sockets):
    resolver(tcp(closed), tcp(closed))
    with pytest.raises(ConnectError, match="refused"):
        at(1, UrllibTransport()).get("/", timeout=5.0)


@pytest.mark.parametrize("delay", [0.05, 0.4])
def test_a_call_interrupted_while_addresses_are_tried_ends_at_once(
    silent, resolver, sockets, delay
):
    """Whether one or several are under way, and all of their sockets are closed."""

    class Interrupt(BaseException):
        pass

    def interrupt(*_args):
        raise Interrupt

    resolver(*[tcp(silent)] * 3)
    clone = at(1, UrllibTransport())
    before = signal.signal(signal.SIGALRM, interrupt)
    started = time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, delay)
        with pytest.raises(Interrupt):
            clone.get("/", timeout=Timeout(20, connect=20))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - started < delay + LATE


def test_a_task_cancelled_while_addresses_are_tried_ends_at_once(silent, resolver, sockets):
    resolver(*[tcp(silent)] * 3)

    async def main():
        settings = Settings(clone_urls={"svc": "http://localhost:1"}, token="t")
        async with AsyncClones(settings) as clones:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(
                    clones["svc"].get("/", timeout=Timeout(20, connect=20)), timeout=0.4
                )

    started = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - started < 0.4 + LATE
