"""Requests that are never read, not read to their end, or responded to before they are."""

from __future__ import annotations

import socket

import pytest
from support.faults.client import check_next

from archal_lambda import Timeout
from archal_lambda.errors import ConnectionLost, RequestTimeout
from archal_lambda.testing.faulty_server import (
    answer,
    by_connection,
    cut,
    end,
    hold,
    read,
    reset,
    send,
    serve,
)

BODY = b'{"a": 1}'
BUDGET = 0.4
LARGE = b"x" * 8_000_000  # more than the buffers of both ends hold


def read_some(conn):
    conn.sock.recv(1000)


def read_slowly(conn):
    while conn.sock.recv(1):
        conn.pause(0.01)


def drain(conn):
    conn.drain()


def half_close(conn):
    """Step: send FIN and read on; over TLS without the closing alert."""
    socket.socket.shutdown(conn.sock, socket.SHUT_WR)


@pytest.fixture
def play(warm, site):
    """Open a site whose first connection plays this to the request's first bytes, perhaps after a good response."""

    def open_site(*fault):
        first = [read, send(answer(b"warm"))] if warm else []
        here = site(by_connection([*first, *fault], [serve]))
        if warm:
            assert here.call().content == b"warm"
        return here

    return open_site


@pytest.mark.parametrize("ending", [drain, cut], ids=["body read on", "closed at once"])
def test_an_early_answer_is_not_lost(play, ending):
    """A response that comes while the body is still being sent is returned, and the connection dropped."""
    early = answer(BODY, status="413 Too Large", headers=["Connection: close"])
    here = play(read_some, send(early), ending)
    assert here.call(content=LARGE).status_code == 413
    check_next(here, reused=False)


@pytest.mark.parametrize("step", [hold, read_slowly], ids=["never", "slowly"])
def test_a_body_nobody_reads_costs_the_budget_and_no_more(play, step):
    """A peer that stops reading and says nothing holds the call for its budget."""
    here = play(read_some, step)
    error = here.fail(error=RequestTimeout, content=LARGE, timeout=BUDGET, within=BUDGET)
    assert (error.phase, error.sent, error.attempts) == ("send", True, 1)
    check_next(here, reused=False)


BREAKS = {
    "reset": [reset],
    "closed": [end],
    "cut": [cut],
    "half closed": [half_close, drain],
    "reset after an interim answer": [send(b"HTTP/1.1 100 Continue\r\n\r\n"), reset],
    "reset after half an answer": [send(answer(BODY)[:-4]), reset],
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("size", [100_000, len(LARGE)])
def test_a_connection_that_breaks_while_writing_is_lost(play, name, size):
    """Whatever ends it in the middle of the request, it is ConnectionLost, and the request counts as sent."""
    here = play(read_some, *BREAKS[name])
    error = here.fail(error=ConnectionLost, content=LARGE[:size], timeout=Timeout(5.0), within=3.0)
    assert (error.sent, error.attempts) == (True, 1)
    check_next(here, reused=False)


def test_a_put_that_breaks_while_writing_is_sent_again(play):
    """A request that may be repeated is, whole and on a new connection."""
    here = play(read_some, reset)
    assert here.call("PUT", content=LARGE).attempts == 2
    assert here.server.requests[-1].body == LARGE


@pytest.mark.parametrize("ending", [hold, end, reset], ids=["open", "closed", "reset"])
def test_an_answer_nobody_asked_for_is_never_the_next_calls(site, ending):
    """Bytes on an idle connection end it, whatever they say and however it ends; the POST goes out once."""
    told = []
    unasked = answer(b"unasked")
    here = site(
        by_connection(
            [read, send(answer(BODY)), send(unasked), lambda _: told.append(1), ending], [serve]
        )
    )
    assert here.call().content == BODY
    assert here.server.wait_for(lambda _: told)
    check_next(here, reused=False)
    assert len(here.server.requests) == 2


def test_a_large_body_arrives_whole(play, warm):
    """A body of many segments arrives as it was sent."""
    here = play(read, send(answer(BODY)), serve)
    assert here.call(content=LARGE).content == BODY
    assert here.server.requests[-1].body == LARGE
    check_next(here, reused=True)
