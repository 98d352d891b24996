"""Peers that break no rule of HTTP where they can cost more than they send: time, memory, a connection out of step."""

from __future__ import annotations

import gzip
import socket
import time
import tracemalloc
import zlib

import pytest
from support.faults.answers import chunk, chunked, coded, head
from support.faults.client import ECHO, check_failed, check_next

from archal_lambda.errors import ConnectionLost, ProtocolError, RequestTimeout, ResponseTooLarge
from archal_lambda.testing.faulty_server import (
    answer,
    by_connection,
    cut,
    drip,
    end,
    flood,
    hold,
    pause,
    read,
    send,
    serve,
)

LIMIT = 200_000
WIDE = b"X: " + ECHO.encode() * 2_000 + b"\r\n"
EMPTY_BLOCKS = (
    b"\x78\x9c" + b"\0\0\0\xff\xff" * 1_000_000
)  # deflate that goes on for ever, and comes to nothing


def half_close(conn):
    """Step: send FIN and read on; over TLS without the closing alert."""
    socket.socket.shutdown(conn.sock, socket.SHUT_WR)


REFUSED = {
    "headers of 64 KB": send(b"HTTP/1.1 200 OK\r\n" + WIDE * 99 + b"\r\n"),
    "headers of 64 KB in interim answers": flood(
        b"HTTP/1.1 103 Early Hints\r\n" + WIDE * 9 + b"\r\n"
    ),
    "folded lines of 64 KB": send(b"HTTP/1.1 200 OK\r\nX: 1\r\n" + b" " + WIDE * 99),
    "a hundred thousand headers": send(head(*["X: 1"] * 100_000)),
    "spaces for a status line": flood(b" " * 1000),
    "empty lines for a status line": flood(b"\r\n" * 1000),
    "an interim answer with a body": send(
        head("Content-Length: 5", status="103 Early Hints") + b"hello" + answer(b"{}")
    ),
    "HTTP/0.9": send(b"<html></html>\r\n"),
    "the preface of HTTP/2": send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    "a request": send(b"POST /svc/api HTTP/1.1\r\nContent-Length: 0\r\n\r\n"),
    "a status that only Python takes for a number": send(
        head("Content-Length: 0", status="2_00 OK")
    ),
    "a status with a sign": send(head("Content-Length: 0", status="+200 OK")),
    "a status of four digits": send(head("Content-Length: 0", status="0200 OK")),
    "a version of its own": send(b"HTTP/1.9 200 OK\r\nContent-Length: 0\r\n\r\n"),
    "a status line held together by other spaces": send(b"HTTP/1.1\x0b200\xa0OK\r\n\r\n"),
    "a length behind a space that is none": send(head("Content-Length: \x0b2") + b"{}"),
    "a coding behind a space that is none": send(head("Transfer-Encoding: \x0bchunked")),
    "a length in a fold": send(head("Content-Length:\r\n 2") + b"{}"),
    "a list of codings with nothing in it": send(head("Transfer-Encoding: chunked,")),
    "a length beyond any integer": send(head("Content-Length: " + "9" * 60_000)),
    "trailers without end": lambda conn: (conn.send(chunked(b"0\r\n")), conn.flood(b"X: 1\r\n")),
    "an extension without end": lambda conn: (conn.send(chunked(b"1;")), conn.flood(b"a" * 999)),
    "frames of HTTP/2": send(b"\0\0\x12\x04\0\0\0\0\0\0\3\0\0\0\x80\0\4"),
    "half a greeting of another protocol": send(b"220 "),
    "blocks that come to nothing": send(
        coded("deflate, gzip, gzip", gzip.compress(gzip.compress(EMPTY_BLOCKS)))
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_cost_more_than_it_sends_is_given_up(play, name):
    """Long before the deadline, though the connection stays open and more could come."""
    here = play(REFUSED[name], hold)
    check_failed(here, here.fail(error=ProtocolError, timeout=5.0, within=1.0))


SLOW = {
    "extensions dripped": ([send(chunked(b"1;")), drip(b"a" * 999)], "body"),
    "leading zeros dripped": ([send(chunked()), drip(b"0" * 15 + b"1\r\nx\r\n" * 99)], "body"),
    "tiny chunks without end": ([send(chunked()), flood(chunk(b"x") * 2000)], "body"),
    "chunks of gzip that come to nothing": (
        [
            send(head("Transfer-Encoding: chunked", "Content-Encoding: gzip")),
            send(chunk(gzip.compress(b"")[:10])),
            flood(chunk(b"\0\0\0\xff\xff") * 1000),
        ],
        "body",
    ),
}


@pytest.mark.parametrize("name", SLOW)
def test_what_goes_on_for_ever_costs_the_budget_and_no_more(play, name):
    """Peers that always have one byte more."""
    fault, phase = SLOW[name]
    here = play(*fault)
    error = here.fail(error=RequestTimeout, timeout=here.budget, within=here.budget)
    assert error.phase == phase
    check_failed(here, error)


@pytest.mark.parametrize("data", [b"", head("Content-Length: 9") + b"{}", chunked(b"9\r\n{}")])
def test_half_a_close_is_an_end(play, data):
    """A peer that sends FIN and reads on has ended the response all the same."""
    here = play(send(data), half_close, hold)
    check_failed(here, here.fail(error=ConnectionLost, timeout=5.0, within=1.0))


@pytest.mark.parametrize("ending", [half_close, cut, end])
def test_a_whole_answer_before_a_close_counts(play, ending):
    """With a length, a response does not need the end of its connection, nor its closing alert."""
    ended = []
    here = play(send(answer(b"{}")), ending, lambda _: ended.append(1), hold)
    assert here.call().content == b"{}"
    assert here.server.wait_for(lambda _: ended)
    check_next(here, reused=False)


def test_records_of_one_byte(play):
    """Over TLS each byte may be a record of its own."""
    here = play(*[send(bytes([byte])) for byte in answer(b"x" * 500)], hold)
    assert here.call().content == b"x" * 500


# What reads headers as if they were e-mail looks for the parts of a body, by rules that took seconds for a line.
LABELS = {
    "a boundary in quotes that never end": b'multipart/mixed; "' + b";" * 60_000,
    "quotes that end at once": b"multipart/mixed; " + b'";' * 30_000,
    "a long boundary": b"multipart/mixed; boundary=" + b"x" * 60_000,
    "a boundary in a part of a large number": b"multipart/mixed; boundary*" + b"9" * 5000 + b"=x",
    "a boundary of a charset": b"multipart/mixed; boundary*=punycode''" + b"%61" * 20_000,
    "parameters without end": b"text/html" + b"; charset=a" * 5000,
    "a report": b"message/delivery-status",
}


@pytest.mark.parametrize("name", LABELS)
def test_a_content_type_costs_no_time(play, name):
    """It is a line of text, until somebody asks for it."""
    label = b"Content-Type: " + LABELS[name]
    here = play(send(b"HTTP/1.1 200 OK\r\n" + label + b"\r\nContent-Length: 2\r\n\r\n{}"), hold)
    started = time.monotonic()
    response = here.call(timeout=5.0)
    assert (response.content, response.text) == (b"{}", "{}")
    assert time.monotonic() - started < 1.0


def test_an_answer_in_time_is_not_too_late(play):
    """A peer that uses up most of the budget is still heard."""
    here = play(pause(0.1), send(answer(b"{}")), hold)
    assert here.call(timeout=2.0).content == b"{}"


TWO_BYTES = chunk(b"xy")
LEAN = {
    "chunks of two bytes": chunked(TWO_BYTES * (LIMIT // 2), b"0\r\n\r\n"),
    "chunks of two bytes without end": chunked(TWO_BYTES * LIMIT),
    "gzip": coded("gzip", gzip.compress(b"\0" * LIMIT)),
    "gzip bomb": coded("gzip", gzip.compress(b"\0" * LIMIT * 200)),
    "gzip bomb in deflate": coded(
        "gzip, deflate", zlib.compress(gzip.compress(b"\0" * LIMIT * 200))
    ),
    "until close": head() + b"x" * LIMIT,
    "by length": answer(b"x" * LIMIT),
    "headers": head(*["X: " + "x" * 60_000] * 99),
}


@pytest.mark.parametrize("name", LEAN)
def test_memory_stays_within_a_few_times_the_limit(plain_site, name):
    """However a response is cut up, nothing is kept for each of its pieces."""
    here = plain_site(
        by_connection([serve], [read, send(LEAN[name]), end]),
        transport={"max_response_bytes": LIMIT},
    )
    here.call()  # what is loaded once
    here.transport.close()
    tracemalloc.start()
    try:
        size = len(here.call(timeout=60.0).content)  # being traced takes most of it
    except (ResponseTooLarge, ProtocolError):
        size = LIMIT
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert size == LIMIT
    assert peak < 6 * LIMIT
