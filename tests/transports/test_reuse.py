"""Which connection a call gets, when it is tried again, and what bounds it from outside."""

from __future__ import annotations

import inspect
import os
import threading
import time

import pytest
from support.faults.client import LATE, ROUTE

from archal_lambda import Clones, Deadline, Request, Response, RetryPolicy, Secret, Settings
from archal_lambda.core.environment import TokenSecret
from archal_lambda.errors import ConnectError, ConnectionLost, RequestTimeout, ResponseTooLarge
from archal_lambda.testing.faulty_server import (
    FaultServer,
    answer,
    by_connection,
    cut,
    end,
    good,
    hold,
    read,
    reset,
    send,
    serve,
)
from archal_lambda.transports._platform import extension
from archal_lambda.transports._urllib3 import UrllibTransport

BUDGET = 0.3


class Clock:
    """A wall clock that is set by hand."""

    def __init__(self):
        self.now = 1_800_000_000.0
        self.step = 0.0

    def __call__(self):
        self.now += self.step
        return self.now


def closing_after(*steps):
    """Script: steps, then a note that the server's end is closed."""

    def note(conn):
        conn.close()
        conn.server.closed = True

    return [*steps, note]


@pytest.mark.parametrize("leave", [end, cut, reset], ids=["closed", "cut", "reset"])
def test_a_connection_that_died_idle_is_noticed(site, leave):
    """A connection the peer has left between two calls is not used: the POST goes out once, on a new one."""
    here = site(by_connection(closing_after(read, send(answer(b"1")), leave), [serve]))
    here.server.closed = False
    assert here.call().content == b"1"
    assert here.server.wait_for(lambda server: server.closed)
    response = here.call(path="/after")
    assert (response.content[:2], response.attempts) == (b"1 ", 1)
    assert len(here.server.requests) == 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("leave", [end, reset], ids=["closed", "reset"])
def test_an_idempotent_call_that_was_lost_is_tried_once_more(site, method, leave):
    """When the peer leaves as the request arrives, a request that may be repeated is, on a new connection."""
    here = site(by_connection([read, send(answer(b"")), read, leave], [serve]))
    here.call()
    response = here.call(method)
    assert (response.status_code, response.attempts) == (200, 2)
    assert [one.connection for one in here.server.requests] == [0, 0, 1]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("leave", [end, reset], ids=["closed", "reset"])
def test_a_post_that_was_sent_is_never_tried_again(site, method, leave):
    """When the peer leaves as the request arrives, nobody knows whether it counted."""
    here = site(by_connection([read, send(answer(b"")), read, leave], [serve]))
    here.call()
    error = here.fail(method, error=ConnectionLost)
    assert (error.sent, error.attempts) == (True, 1)
    assert len(here.server.requests) == 2


def test_a_post_with_an_idempotency_key_is_tried_once_more(site):
    """The key makes it safe, and both tries carry the same one."""
    here = site(by_connection([read, reset], [serve]))
    request = Request("POST", "/things", json={}, headers={"Idempotency-Key": "k1"})
    response = here.clone.send(request)
    assert response.attempts == 2
    assert [one.header("idempotency-key") for one in here.server.requests] == ["k1", "k1"]


def test_a_call_that_is_lost_twice_is_lost(site):
    """Two attempts are all a call gets by default."""
    here = site([read, reset])
    error = here.fail("GET", error=ConnectionLost)
    assert (error.sent, error.attempts, here.server.connections) == (True, 2, 2)


@pytest.mark.parametrize("attempts", [1, 4])
def test_the_policy_says_how_many_attempts(site, attempts):
    """A policy of one attempt means no retry."""
    here = site([read, reset], retry=RetryPolicy(attempts=attempts))
    assert here.fail("GET", error=ConnectionLost).attempts == attempts


def test_an_answer_too_large_is_not_fetched_again(site):
    """It would be as large the second time."""
    here = site([read, send(answer(b"x" * 99))], transport={"max_response_bytes": 9})
    assert here.fail("GET", error=ResponseTooLarge).attempts == 1


def test_what_was_sent_once_stays_sent(site):
    """An error says that the request may have arrived if any of its attempts did."""

    def refuse(conn):
        conn.server.refuse()

    here = site([read, refuse, reset])
    error = here.fail("GET", error=ConnectError)
    assert (error.sent, error.attempts, here.server.connections) == (True, 2, 1)


def test_an_invocations_deadline_caps_a_call(site):
    """The earlier of deadline and timeout ends the call."""
    here = site([read, hold])
    view = here.clone.with_deadline(Deadline.after(BUDGET))
    started = time.monotonic()
    with pytest.raises(RequestTimeout) as caught:
        view.get("/", timeout=30.0)
    assert time.monotonic() - started < BUDGET + LATE
    assert (caught.value.phase, caught.value.attempts) == ("headers", 1)


@pytest.mark.parametrize("warm", [False, True], ids=["fresh", "reused"])
def test_a_deadline_that_has_passed_sends_nothing(site, warm):
    """Not even a connection is made."""
    here = site(good)
    if warm:
        here.call()
    view = here.clone.with_deadline(Deadline.after(-1))
    with pytest.raises(RequestTimeout) as caught:
        view.post("/")
    assert (caught.value.sent, caught.value.attempts, caught.value.phase) == (False, 0, "connect")
    assert here.server.connections == len(here.server.requests) == int(warm)


def test_a_budget_spent_before_the_first_byte_is_not_sent(site):
    """Time that runs out with the connection open and nothing written leaves `sent` False."""
    clock = Clock()
    here = site(good, transport={"wall_clock": clock})
    here.call()
    clock.step = 99.0  # the time runs out as the idle connection is looked up
    view = here.clone.with_deadline(Deadline(clock.now + 1, clock=lambda: clock.now))
    clock.now -= 98.0
    with pytest.raises(RequestTimeout) as caught:
        view.post("/", timeout=200.0)
    assert (caught.value.phase, caught.value.sent) == ("send", False)
    assert len(here.server.requests) == 1


def test_what_ages_does_so_by_the_time_of_day():
    """By default, too: the monotonic clock stands still while Lambda freezes the process."""
    transport = UrllibTransport()
    assert inspect.signature(UrllibTransport).parameters["wall_clock"].default is time.time
    secret = TokenSecret("name", Secret("s"))
    assert extension(transport)("X-A", secret)._wall_clock is time.time


@pytest.mark.parametrize(
    ("passed", "connections"), [(0.0, 1), (3.9, 1), (4.0, 2), (400.0, 2), (-0.1, 2)]
)
def test_an_idle_connection_ages_by_the_wall_clock(site, passed, connections):
    """After 4 s, or when the clock was set back, a new connection is made."""
    clock = Clock()
    here = site(good, transport={"wall_clock": clock})
    here.call()
    clock.now += passed
    here.call()
    assert here.server.connections == connections


def test_closing_is_not_the_end(site):
    """Closed clones open a new connection when they are called again."""
    here = site(good)
    here.call()
    here.clones.close()
    assert here.call().content.startswith(b"1 ")


def test_calls_in_turn_share_one_connection(site):
    """One connection serves any number of calls."""
    here = site(good)
    for number in range(20):
        assert here.call(path=f"/{number}").content.startswith(f"0 /svc/api/{number}".encode())
    assert here.server.connections == 1


def test_gather_keeps_order_and_connections(site):
    """Side by side, every call gets its own response, on as many connections as there are threads at most."""
    here = site(good)
    calls = [("svc", Request("POST", f"/{number}")) for number in range(40)]
    before = threading.active_count()
    for _ in range(2):
        results = here.clones.gather(calls, max_concurrency=4)
        assert [result.content.split(b"/")[-1] for result in results] == [
            str(number).encode() for number in range(40)
        ]
    assert here.server.connections <= 4
    # what is there now besides before: the server's own threads
    assert threading.active_count() - before == here.server.connections
    assert here.server.requests[0].header("x-route-authorization") == f"Bearer {ROUTE}"


def test_gather_returns_errors_in_place(site):
    """One call that fails, by its own timeout or by the peer, does not touch the others."""

    def script(conn, _index):
        while True:
            received = conn.read_request()
            if received.target.endswith("/silent"):
                conn.hold()
            if received.target.endswith("/reset"):
                conn.reset()
            conn.send(answer(b"{}"))

    here = site(script)
    results = here.clones.gather(
        [
            ("svc", Request("POST", "/1")),
            ("svc", Request("POST", "/silent", timeout=BUDGET)),
            ("svc", Request("POST", "/reset")),
            ("svc", Request("POST", "/2")),
        ]
    )
    assert [type(result) for result in results] == [
        Response,
        RequestTimeout,
        ConnectionLost,
        Response,
    ]


def test_gather_ends_with_its_budget(site):
    """Calls that wait for a thread are under the same deadline: those not begun are not sent."""
    here = site([read, hold])
    started = time.monotonic()
    results = here.clones.gather(
        [("svc", Request("GET", f"/{number}")) for number in range(20)],
        max_concurrency=2,
        timeout=BUDGET,
    )
    assert time.monotonic() - started < BUDGET + LATE
    assert [type(result) for result in results] == [RequestTimeout] * 20
    assert [result.attempts for result in results] == [1, 1, *[0] * 18]


def test_threads_never_get_each_others_answers(site):
    """Many threads on one client: each response is the one to its request."""
    here = site(good)
    wrong = []

    def work(worker):
        for number in range(25):
            path = f"/{worker}-{number}"
            if not here.call(path=path).content.split(b"?")[0].endswith(path.encode()):
                wrong.append(path)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(here.server.requests) == 200
    assert here.server.connections <= 8


@pytest.mark.filterwarnings(
    "ignore:This process:DeprecationWarning"
)  # 3.12 warns of threads and fork
def test_a_forked_process_opens_its_own_connection():
    """The child leaves the parent's idle connection alone, and the parent goes on using it."""
    with FaultServer(good) as server:
        settings = Settings(clone_urls={"github": f"{server.origin}/api"}, token="t")
        with Clones(settings) as clones:
            clones["github"].get("/before")
            child = os.fork()
            if child == 0:
                answered = clones["github"].get("/child").status_code == 200
                os._exit(0 if answered else 1)
            _, status = os.waitpid(child, 0)
            clones["github"].get("/after")
            connections = server.connections

    assert os.waitstatus_to_exitcode(status) == 0
    assert connections == 2
