"""TLS: certificates that are read once, sessions that are gone on with, and records that hold nothing."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.faults.client import clones_at

from archal_lambda import Deadline, Request
from archal_lambda.errors import RequestTimeout
from archal_lambda.testing.faulty_server import FaultServer, answer, hold, read, send, serve
from archal_lambda.transports import _tls, _urllib3
from archal_lambda.transports._connection import Connection
from archal_lambda.transports._steps import run
from archal_lambda.transports._tls import Once, Trust, tls_context
from archal_lambda.transports._urllib3 import UrllibTransport


def test_a_fan_out_reads_the_ca_certificates_once(plain_site, authority, monkeypatch):
    """Reading takes longer than all the calls, so they share one reading."""
    read = []
    load = _urllib3.tls_context

    def counted(ca_file):
        read.append(ca_file)
        time.sleep(0.05)
        return load(ca_file)

    monkeypatch.setattr(_urllib3, "tls_context", counted)
    here = plain_site([serve], tls=authority.trusted, ca_file=authority.file)
    answers = here.clones.gather([("svc", Request("GET", "/"))] * 16, max_concurrency=16)
    assert [one.status_code for one in answers] == [200] * 16
    assert read == [authority.file]


def test_a_failure_is_not_kept():
    """The next caller tries again."""
    outcomes = [OSError("once"), "made"]

    def make():
        outcome = outcomes.pop(0)
        if isinstance(outcome, OSError):
            raise outcome
        return outcome

    once = Once(make)
    with pytest.raises(OSError, match="once"):
        once.get(1.0)
    assert (once.get(1.0), once.get(0.0)) == ("made", "made")


def test_waiting_for_another_thread_ends_in_time():
    """A slow thread holds up others no longer than they allow."""
    release, begun = threading.Event(), threading.Event()

    def make():
        begun.set()
        release.wait(10.0)
        return "made"

    once = Once(make)
    thread = threading.Thread(target=once.get, args=(10.0,))
    thread.start()
    assert begun.wait(10.0)
    with pytest.raises(TimeoutError):
        once.get(0.01)
    release.set()
    thread.join()
    assert once.get(0.0) == "made"


def test_a_lock_that_is_never_given_back_does_not_block(monkeypatch):
    """The thread that has it may be very slow. The value is made all the same, and kept."""
    monkeypatch.setattr(_tls, "_PATIENCE", 0.01)
    once = Once(lambda: "made")
    holder = threading.Thread(target=once._lock.acquire)
    holder.start()
    holder.join()
    assert (once.get(0.02), once.get(0.0)) == ("made", "made")


def test_a_signal_handler_does_not_wait_for_the_call_that_it_interrupts():
    """It makes a value of its own; waiting for the thread that it runs on would take all its time."""
    made = []

    def make():
        made.append(len(made))
        if made == [0]:
            assert once.get(0.0) == 1
        return len(made) - 1

    once = Once(make)
    assert once.get(10.0) in {0, 1}
    assert made == [0, 1]


def test_a_new_connection_goes_on_with_the_session_of_the_last(plain_site, authority):
    """It saves the server's signature and most of the client's work (RFC 8446, section 2.2)."""
    resumed = []

    def note(conn):
        resumed.append(conn.sock.session_reused)

    steps = [
        note,
        read,
        send(answer(b"x")),
        read,
        send(answer(b"y", headers=["Connection: close"])),
    ]
    here = plain_site(steps, tls=authority.trusted, ca_file=authority.file)
    for _ in range(3):
        assert here.call().text == "x"
        assert here.call().text == "y"
    assert resumed == [False, True, True]


def test_a_flood_of_session_tickets_costs_the_budget_and_no_more(plain_site, authority):
    """OpenSSL reads as many as it is given before it returns."""
    authority.trusted.num_tickets = 2_000_000
    here = plain_site([hold], tls=authority.trusted, ca_file=authority.file)
    try:
        error = here.fail(error=RequestTimeout, timeout=0.5, within=0.5)
    finally:
        authority.trusted.num_tickets = 2
    assert error.phase == "headers"


def test_a_session_that_a_server_refuses_is_forgotten(authority):
    """The attempt fails, and the next begins anew."""
    trust = Trust(tls_context(authority.file))
    tls = authority.trusted

    def handshake(server, *, refuse=False):
        peer, _ = server.accept()
        with peer:
            if refuse:
                peer.recv(4096)
                peer.sendall(b"\x15\x03\x03\0\2\2\x28")  # alert: handshake_failure
                return None
            with tls.wrap_socket(peer, server_side=True) as secured:
                secured.sendall(b"x")
                return secured.session_reused

    def connect(port):
        connection = Connection(Deadline.after(5.0))
        try:
            run(connection.open("127.0.0.1", port))
            run(connection.secure(trust, "127.0.0.1", "origin"))
            connection.begin(Deadline.after(5.0), None)
            run(connection.receive(1))
            connection.leftover()  # where sessions are kept
        finally:
            connection.close()

    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        port = server.getsockname()[1]
        reused = []
        for refuse in (False, False, True, False):
            outcome = pool.submit(handshake, server, refuse=refuse)
            if refuse:
                with pytest.raises(ssl.SSLError):
                    connect(port)
            else:
                connect(port)
            reused.append(outcome.result(5.0))
    assert reused == [False, True, None, False]


def test_half_a_record_behind_a_response_ends_the_connection(authority):
    """What is in it belongs to no request: the next would get it for its response."""

    def script(conn, _index):
        plain = conn.sock
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = authority.trusted.wrap_bio(incoming, outgoing, server_side=True)

        def until(step):
            while True:
                try:
                    done = step()
                except ssl.SSLWantReadError:
                    plain.sendall(outgoing.read())
                    incoming.write(plain.recv(65536))
                else:
                    plain.sendall(outgoing.read())
                    return done

        until(tls.do_handshake)
        until(lambda: tls.read(65536))
        tls.write(answer(b"first"))
        whole = outgoing.read()
        tls.write(answer(b"of nobody"))
        rest = outgoing.read()
        plain.sendall(whole + rest[:20])
        plain.recv(65536)
        plain.sendall(rest[20:])

    with FaultServer(script, scheme="https") as server:
        clones = clones_at(server.origin, UrllibTransport(ca_file=authority.file))
        for _ in range(3):
            assert clones["svc"].get("/", timeout=5.0).text == "first"
        clones.close()
    assert server.connections == 3
