"""Faults of connecting that strike a client which had a good connection before, and clocks that jump."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

import pytest
from support.faults.client import assert_clean, clones_at
from support.faults.tls import dripped_handshake

from archal_lambda import Deadline, Timeout
from archal_lambda.errors import (
    CertificateError,
    ConnectError,
    ConnectionLost,
    RequestTimeout,
    TransportError,
)
from archal_lambda.testing.faulty_server import (
    answer,
    blackhole,
    by_connection,
    good,
    handshake,
    hold,
    read,
    reset,
    send,
    serve,
)

BUDGET = 0.2


def hanging(*_args, **_options):
    time.sleep(BUDGET * 2)
    return []


def unknown(*_args, **_options):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def resolving(lookup):
    """Make the name resolve no more as it did."""
    return lambda _here, patch: patch.setattr(socket, "getaddrinfo", lookup)


def refusing(here, _patch):
    """Let nobody listen any more."""
    here.server.refuse()
    here.server._listener.close()


def swallowing(_here, patch):
    """Let the address be one whose queue is full, for as long as the patch holds."""
    stack = contextlib.ExitStack()
    port = int(stack.enter_context(blackhole()).partition(":")[2])
    address = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))
    patch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [address])
    return stack


AFTERWARDS = {
    "the name is gone": (resolving(unknown), ConnectError, "Name or service not known"),
    "the resolver hangs": (resolving(hanging), RequestTimeout, "resolve"),
    "the port refuses": (refusing, ConnectError, "Connection refused"),
    "nobody accepts": (swallowing, RequestTimeout, "connect"),
}


@pytest.mark.parametrize("name", AFTERWARDS)
def test_what_was_there_once_may_be_gone(site, monkeypatch, name):
    """An old connection that has ended shields from nothing: the error says what happened, and nothing was sent."""
    happen, cls, words = AFTERWARDS[name]
    closed = threading.Event()

    def script(conn, _index):
        read(conn)
        conn.send(answer(b"{}"))
        conn.end()
        closed.set()

    here = site(script)
    here.clones = clones_at(here.server.origin.replace("127.0.0.1", "localhost"), here.transport)
    assert here.call().content == b"{}"
    assert closed.wait(5.0)
    with happen(here, monkeypatch) or contextlib.nullcontext():
        error = here.fail(error=cls, timeout=BUDGET, within=BUDGET)
    assert (error.sent, len(here.server.requests)) == (False, 1)
    assert words in str(error)


def closed_after(*steps):
    """Script: steps, then an end that the client is told of."""

    def script(conn, _index):
        for step in steps:
            step(conn)
        conn.end()
        conn.server.over = True

    return script


@pytest.mark.parametrize("certificate", ["wrong_host", "expired", "untrusted"])
def test_a_certificate_counts_for_its_own_connection(plain_site, authority, certificate):
    """Once a good one was seen, the next connection is looked at as strictly, and nothing is sent on it."""
    here = plain_site(
        by_connection(
            closed_after(handshake(authority.trusted), read, send(answer(b"{}"))),
            [handshake(getattr(authority, certificate)), serve],
        ),
        scheme="https",
        ca_file=authority.file,
    )
    here.server.over = False
    here.call()
    assert here.server.wait_for(lambda server: server.over)
    error = here.fail(error=CertificateError)
    assert (error.sent, len(here.server.requests)) == (False, 1)
    assert "certificate not accepted" in str(error)


@pytest.mark.parametrize("dripped", [False, True], ids=["silent", "dripped"])
def test_a_later_handshake_may_stall(plain_site, authority, dripped):
    """It costs the budget and no more."""
    stall = dripped_handshake(authority.trusted) if dripped else [hold]
    here = plain_site(
        by_connection(closed_after(handshake(authority.trusted), read, send(answer(b"{}"))), stall),
        scheme="https",
        ca_file=authority.file,
    )
    here.server.over = False
    here.call()
    assert here.server.wait_for(lambda server: server.over)
    error = here.fail(error=RequestTimeout, timeout=BUDGET, within=BUDGET)
    assert (error.phase, error.sent) == ("tls", False)


def test_a_peer_that_closes_whatever_it_accepts(site):
    """Each call fails for itself, at once, and leaves nothing that the next one trips over."""
    here = site(by_connection(*[[reset]] * 30, [serve]))
    for _ in range(15):
        with pytest.raises(TransportError) as caught:
            here.call("GET")
        assert_clean(caught.value)
        assert caught.value.attempts == 2
        # The reset may come before connect() has returned: then nothing was sent.
        assert type(caught.value) in {ConnectionLost, ConnectError}
        assert caught.value.sent or type(caught.value) is ConnectError
    assert here.call().status_code == 200
    assert here.server.connections == 31


def test_an_alert_that_comes_slowly(plain_site, authority):
    """Half an alert after the handshake is a silence, a whole one is an end: the request may have been read."""

    def alerting(data):
        # Not through the socket's own encryption, so that it is the transport's garbage.
        return lambda conn: socket.socket.send(conn.sock, data)

    record = b"\x17\x03\x03\x00\x13" + b"\0" * 19
    for data, cls in ((record[:9], RequestTimeout), (record, ConnectionLost)):
        here = plain_site(
            [read, alerting(data), hold], tls=authority.trusted, ca_file=authority.file
        )
        error = here.fail(error=cls, timeout=BUDGET, within=BUDGET)
        assert (error.sent, error.attempts) == (True, 1)


@pytest.mark.parametrize("family", [socket.AF_INET6, socket.AF_UNIX, 12345])
def test_an_address_of_a_family_that_is_dead_is_passed_over(site, monkeypatch, family):
    """Where IPv6 is announced and does not work, IPv4 is tried within the same budget."""
    here = site(good)
    port = here.server.port
    dead = (family, socket.SOCK_STREAM, 0, "", ("::1", 9, 0, 0))
    alive = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_options: [dead, alive])
    here.clones = clones_at(here.server.origin.replace("127.0.0.1", "localhost"), here.transport)
    assert here.call(timeout=2.0).attempts == 1


def answer_late(conn):
    """Step: answer every request by its target, after a while."""
    while True:
        received = conn.read_request()
        conn.pause(0.03)
        conn.send(answer(received.target.encode()))


@pytest.mark.parametrize("seconds", [1e-9, 1e-6, 1e-4, 1e-3, 1e-2])
def test_a_tiny_budget_is_a_budget(site, warm, seconds):
    """It ends as a RequestTimeout like any other, and the response that it cut off is never the next call's."""
    here = site([answer_late])
    if warm:
        here.call()
    for number in range(3):
        error = here.fail(error=RequestTimeout, timeout=seconds, within=seconds)
        assert error.attempts <= 1
        path = f"/after-{number}"
        assert here.call(path=path).text.startswith(f"/svc/api{path}?")


class Clock:
    """A clock that stands still but for one jump, at one of its readings."""

    def __init__(self, before, jump):
        self.now = 1000.0
        self.before, self.jump = before, jump

    def __call__(self):
        self.before -= 1
        if self.before == 0:
            self.now += self.jump
        return self.now


@pytest.mark.parametrize("before", range(1, 25))
def test_a_clock_that_jumps_ahead_ends_the_call(site, before):
    """Wherever it jumps, the call ends as a RequestTimeout, unless it was over already."""
    here = site([read, send(answer(b"{}")), hold])
    clock = Clock(before, 1e9)
    view = here.clone.with_deadline(Deadline(clock.now + 5, clock=clock))
    with contextlib.suppress(RequestTimeout):
        assert view.post("/", timeout=Timeout(5.0)).content == b"{}"
    assert here.server.connections <= 1


@pytest.mark.parametrize("before", range(1, 25))
def test_a_clock_that_is_set_back_spoils_no_answer(site, before):
    """The call gets its response; how long it would have waited is for that clock to say."""
    here = site([read, send(answer(b"{}")), hold])
    clock = Clock(before, -300.0)
    view = here.clone.with_deadline(Deadline(clock.now + 5, clock=clock))
    assert view.post("/", timeout=Timeout(5.0)).content == b"{}"
