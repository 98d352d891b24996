"""Servers that answer while a request is still on its way (RFC 9112, section 9.5)."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from support.faults.client import LATE, clones_at

from archal_lambda import AsyncClones, Request, Settings, errors
from archal_lambda.testing.faulty_server import FaultServer, answer, by_connection, hold, serve
from archal_lambda.transports._urllib3 import UrllibTransport

LARGE = b"x" * 20_000_000  # more than any buffer on the way holds
ENOUGH = 5.0  # seconds


def half_close(conn):
    """Step: say no more, and read no more either."""
    conn.sock.shutdown(socket.SHUT_WR)


def part(conn):
    """Step: read the beginning of a request, and no more."""
    conn.sock.recv(4096)


def refusal(conn):
    """Step: answer that this is too large."""
    conn.send(answer(b'{"message": "too large"}', status="413 X", headers=["Connection: close"]))


@pytest.mark.parametrize("end", [hold, half_close], ids=["open", "half closed"])
def test_a_refusal_of_a_large_body_is_read_at_once(site, end):
    """The rest is not sent: nobody reads it."""
    here = site([part, refusal, end, hold])
    started = time.monotonic()
    response = here.call(content=LARGE, timeout=ENOUGH)
    assert (response.status_code, response.json()) == (413, {"message": "too large"})
    assert time.monotonic() - started < LATE


def test_many_large_bodies_are_refused_side_by_side(site):
    here = site([part, refusal, hold])
    calls = [("svc", Request("POST", "/", content=LARGE))] * 3
    outcomes = here.clones.gather(calls, timeout=ENOUGH, max_concurrency=3)
    assert [one.status_code for one in outcomes] == [413] * 3
    assert max(one.elapsed for one in outcomes) < 3 * LATE


def test_an_awaited_call_reads_a_refusal_at_once(site, authority):
    here = site([part, refusal, hold])

    async def main():
        settings = Settings(
            clone_urls={"svc": here.server.origin}, token="t", ca_file=authority.file
        )
        async with AsyncClones(settings) as clones:
            return await clones["svc"].post("/", content=LARGE, timeout=ENOUGH)

    response = asyncio.run(main())
    assert response.status_code == 413
    assert response.elapsed < LATE


def test_an_interim_response_does_not_stop_the_request(site):
    """It says that the rest is waited for."""

    def hints(conn):
        conn.sock.recv(4096)
        conn.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")

    received = []

    def rest(conn):
        left = len(LARGE) - 8192  # what came with the head is not counted here
        while left > 0:
            left -= len(conn.sock.recv(1_000_000))
        received.append(left)
        conn.send(answer(b"all of it"))

    here = site([hints, rest, hold])
    assert here.call(content=LARGE, timeout=2 * ENOUGH).content == b"all of it"
    assert len(received) == 1


@pytest.mark.parametrize("together", [True, False])
def test_a_refusal_behind_an_interim_response_is_read_at_once(site, together):
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    final = answer(b"{}", status="413 X", headers=["Connection: close"])

    def both(conn):
        for said in [interim + final] if together else [interim, final]:
            conn.send(said)

    here = site([part, both, hold])
    started = time.monotonic()
    assert here.call(content=LARGE, timeout=ENOUGH).status_code == 413
    assert time.monotonic() - started < LATE


def test_a_peer_that_takes_all_at_once_leaves_others_their_time(authority):
    """Encrypting much takes long, and the clock is looked at in between."""

    def swallow(conn, _index):
        # Ciphertext is thrown away as it comes, as a fast peer would; nothing is ever answered.
        while conn.sock.recv(1_000_000):
            pass

    with FaultServer(swallow, tls=authority.trusted) as server:
        clones = clones_at(server.origin, UrllibTransport(ca_file=authority.file))
        started = time.monotonic()
        with pytest.raises(errors.RequestTimeout):
            clones["svc"].post("/", content=bytes(300_000_000), timeout=0.3)
        assert time.monotonic() - started < 0.3 + LATE
        clones.close()


def test_a_peer_that_ends_while_it_is_sent_to_is_lost(site):
    here = site([part, half_close, hold])
    error = here.fail(content=LARGE, error=errors.ConnectionLost, timeout=ENOUGH, within=1.0)
    assert error.sent


def test_the_next_call_is_in_step(site):

    here = site(by_connection([part, refusal, hold], [serve]))
    assert here.call(content=LARGE, timeout=ENOUGH).status_code == 413
    assert here.call(path="/after").status_code == 200
