"""Responses that are not: each ends in one error, in time, and the connection is never used again."""

from __future__ import annotations

import gzip
import zlib

import pytest
from support.faults.answers import chunk, chunked, coded, head
from support.faults.client import BODY, ECHO, check_failed

from archal_lambda import Timeout
from archal_lambda.errors import ConnectionLost, ProtocolError, RequestTimeout, ResponseTooLarge
from archal_lambda.testing.faulty_server import (
    cut,
    drip,
    end,
    flood,
    hold,
    pause,
    reset,
    send,
)

LIMIT = 100_000
MEGABYTE = b"\0" * 1_000_000


SILENCES = {
    "silence": ([hold], "headers"),
    "silence in the status line": ([send(b"HTTP/1.1 2"), hold], "headers"),
    "silence in the headers": (
        [send(b"HTTP/1.1 200 OK\r\nX-Echo: " + ECHO.encode()), hold],
        "headers",
    ),
    "headers dripped": ([drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999)], "headers"),
    "100 dripped for ever": ([drip(head(status="100 Continue") * 99, 0.005)], "headers"),
    "103 dripped for ever": ([drip(head(status="103 Early Hints") * 99, 0.005)], "headers"),
    "silence after 103": ([send(head(status="103 Early Hints")), hold], "headers"),
    "silence in the body": ([send(head("Content-Length: 9") + b"{}"), hold], "body"),
    "body dripped": ([send(head("Content-Length: 999")), drip(ECHO.encode() * 99)], "body"),
    "body until close dripped": ([send(head()), drip(ECHO.encode() * 99)], "body"),
    "silence in a chunk": ([send(chunked(b"9\r\n{}")), hold], "body"),
    "silence in a chunk size": ([send(chunked(chunk(b"{}"), b"1")), hold], "body"),
    "chunks dripped": ([send(chunked()), drip(chunk(b"x") * 99)], "body"),
    "chunk size dripped": ([send(chunked()), drip(b"0" * 999)], "body"),
    "trailers dripped": ([send(chunked(b"0\r\n")), drip(b"X-Trailer: x\r\n" * 99)], "body"),
    "gzip dripped": (
        [send(head("Content-Encoding: gzip")), drip(gzip.compress(BODY.encode() * 99) * 99)],
        "body",
    ),
}

BREAKS = {
    "closed": [end],
    "cut": [cut],
    "reset": [reset],
    "closed in the status line": [send(b"HTTP/1.1 2"), end],
    "reset in the status line": [send(b"HTTP/1.1 2"), pause(0.02), reset],
    "closed in a header": [send(b"HTTP/1.1 200 OK\r\nContent-Le"), end],
    "closed between headers": [send(b"HTTP/1.1 200 OK\r\nX: 1\r\n"), end],
    "closed after the status line": [send(b"HTTP/1.1 200 OK\r\n"), end],
    "closed after an unfinished header": [send(b"HTTP/1.1 200 OK\r\nX: 1"), end],
    "reset in the headers": [send(b"HTTP/1.1 200 OK\r\nX: 1\r\n"), pause(0.02), reset],
    "closed after 103": [send(head(status="103 Early Hints")), end],
    "closed in the headers of 103": [send(b"HTTP/1.1 103 Early Hints\r\nX: 1\r\n"), end],
    "body short": [send(head("Content-Length: 9") + b"{}"), end],
    "body cut": [send(head("Content-Length: 9") + b"{}"), cut],
    "reset in the body": [send(head("Content-Length: 9") + b"{}"), pause(0.02), reset],
    "reset in a body until close": [send(head() + b"{}"), pause(0.02), reset],
    "closed in a chunk": [send(chunked(b"9\r\n{}")), end],
    "closed between chunks": [send(chunked(chunk(b"{}"))), end],
    "closed in a chunk size": [send(chunked(chunk(b"{}"), b"0")), end],
    "closed in the trailers": [send(chunked(b"0\r\nX: 1\r\n")), end],
    "closed before the end of the trailers": [send(chunked(chunk(b"{}"), b"0\r\n")), end],
    "reset in a chunk": [send(chunked(b"9\r\n{}")), pause(0.02), reset],
    "coded body whole, but short": [
        send(head("Content-Length: 99", "Content-Encoding: gzip") + gzip.compress(b"{}")),
        end,
    ],
    "coded body short": [send(head("Content-Length: 99", "Content-Encoding: gzip") + b"\x1f"), end],
}

GARBAGE = {
    "no HTTP": f"220 smtp.example {ECHO}\r\n".encode(),
    "a status line that quotes": f"{ECHO} 200 OK\r\n\r\n".encode(),
    "a status that is no number": f"HTTP/1.1 {ECHO}\r\n\r\n".encode(),
    "a status out of range": head(status="99 Low"),
    "HTTP/2": b"HTTP/2 200 OK\r\n\r\n",
    "HTTP/2 frames": b"\0\0\x06\x04\0\0\0\0\0" * 9 + b"\r\n",
    "only line ends": b"\r\n\r\n",
    "101": head("Upgrade: h2c", "Connection: upgrade", status="101 Switching Protocols"),
    "a status after two spaces": b"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
    "a NUL in the status line": head("Content-Length: 0", status="200 OK\0"),
    "a status line without end": b"HTTP/1.1 200 " + b"x" * 70_000,
    "a header line without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
    "a fold without end": b"HTTP/1.1 200 OK\r\nX: 1\r\n" + b" " * 70_000,
    "too many headers": head(*["X:1"] * 5001),
    "a header without colon": head(f"{ECHO}", "Content-Length: 0"),
    "a length behind a name and a space": head("Content-Length : 2") + b"{}",
    "a transfer coding behind a name and a tab": head("Transfer-Encoding\t: chunked")
    + b"0\r\n\r\n",
    "a transfer coding in a fold": head("Transfer-Encoding:\r\n chunked") + b"0\r\n\r\n",
    "a header without name": head(f": {ECHO}", "Content-Length: 0"),
    "a fold before the first header": head(f" {ECHO}", "Content-Length: 0"),
    "a bare CR in a header": head(f"X: {ECHO}\rSet-Cookie: a=b", "Content-Length: 0"),
    "a NUL in a header": head(f"X: {ECHO}\0", "Content-Length: 0"),
    "an envelope for a header": head(f"From {ECHO}", "Content-Length: 0"),
    "a bare CR for an empty line": head("X: 1\r\n\r", "Content-Length: 0"),
    "a negative length": head("Content-Length: -1"),
    "a signed length": head("Content-Length: +2") + b"{}",
    "a length in words": head(f"Content-Length: {ECHO}"),
    "an empty length": head("Content-Length:"),
    "a length with separators": head("Content-Length: 1_0") + b"x" * 10,
    "a length of five thousand digits": head("Content-Length: " + "1" * 5_000) + b"{}",
    "two lengths": head("Content-Length: 2", "Content-Length: 3") + b"{}",
    "two lengths in a list": head("Content-Length: 2, 2") + b"{}",
    "a coding of transfer nobody knows": head("Transfer-Encoding: gzip") + b"{}",
    "two codings of transfer": head("Transfer-Encoding: gzip, chunked") + b"0\r\n\r\n",
    "two fields of transfer coding": head("Transfer-Encoding: chunked", "Transfer-Encoding: gzip")
    + b"0\r\n\r\n",
    "chunked twice": head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")
    + b"0\r\n\r\n",
    "a chunk size that is no number": chunked(f"{ECHO}\r\n".encode()),
    "an empty chunk size": chunked(b"\r\n0\r\n\r\n"),
    "a negative chunk size": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size of -1": chunked(b"-1\r\nhello\r\n0\r\n\r\n"),
    "a signed chunk size": chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with prefix": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a chunk size with separators": chunked(b"1_0\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n"),
    "a chunk size line without end": chunked(b"0" * 70_000),
    "a chunk extension without end": chunked(b"2;" + b"x" * 70_000),
    "a chunk longer than its size": chunked(b"2\r\nhello\r\n0\r\n\r\n"),
    "a chunk without line end": chunked(b"2\r\n{}0\r\n\r\n"),
    "a NUL in a chunk extension": chunked(b"2;a\0\r\n{}\r\n0\r\n\r\n"),
    "a trailer without name": chunked(b"0\r\n: 1\r\n\r\n"),
    "a bare CR in a trailer": chunked(b"0\r\nX: 1\rY: 2\r\n\r\n"),
    "a trailer without end": chunked(b"0\r\nX: " + b"x" * 70_000),
    "too many trailers": chunked(b"0\r\n" + b"X:1\r\n" * 5001 + b"\r\n"),
    "trailers of 320 KB": chunked(b"0\r\n" + (b"X: " + b"x" * 64_000 + b"\r\n") * 5 + b"\r\n"),
    "gzip that is none": coded("gzip", ECHO.encode()),
    "gzip of another checksum": coded("gzip", gzip.compress(b"{}")[:-8] + b"\1" * 8),
    "gzip truncated": coded("gzip", gzip.compress(BODY.encode() * 9)[:-9]),
    "gzip and something else": coded("gzip", gzip.compress(b"{}") + ECHO.encode()),
    "gzip truncated in a chunk": head("Content-Encoding: gzip", "Transfer-Encoding: chunked")
    + chunk(gzip.compress(b"{}")[:-1])
    + b"0\r\n\r\n",
    "deflate that is none": coded("deflate", ECHO.encode()),
    "deflate truncated": coded("deflate", zlib.compress(BODY.encode())[:-5]),
    "deflate and something else": coded("deflate", zlib.compress(b"{}") + ECHO.encode()),
    "gzip within gzip truncated": coded("gzip, gzip", gzip.compress(gzip.compress(b"{}")[:-4])),
    "too many gzip streams": coded("gzip", gzip.compress(b"") * 1001),
    "more gzip streams than bytes": coded(
        "gzip, gzip", gzip.compress(gzip.compress(b"") * 200_000)
    ),
    "too many codings": coded(", ".join(["gzip"] * 9), b"x"),
}

TOO_LARGE = {
    "by length": head(f"Content-Length: {LIMIT + 1}") + ECHO.encode(),
    "by an absurd length": head("Content-Length: " + "9" * 18),
    "by chunks": chunked(*[chunk(MEGABYTE[:10_000])] * 11),
    "by one chunk": chunked(chunk(MEGABYTE[: LIMIT + 1])),
    "by an absurd chunk": chunked(b"f" * 16 + b"\r\n" + MEGABYTE),
    "until close": head() + MEGABYTE,
    "gzip bomb": coded("gzip", gzip.compress(MEGABYTE * 10)),
    "x-gzip bomb": coded("X-GZIP", gzip.compress(MEGABYTE * 10)),
    "gzip bomb in chunks": head("Content-Encoding: gzip", "Transfer-Encoding: chunked")
    + chunk(gzip.compress(MEGABYTE))
    + b"0\r\n\r\n",
    "gzip bomb in members": coded("gzip", gzip.compress(MEGABYTE[:50_000]) * 3),
    "gzip bomb until close": head("Content-Encoding: gzip") + gzip.compress(MEGABYTE),
    "deflate bomb": coded("deflate", zlib.compress(MEGABYTE * 10)),
    "nested bomb": coded("gzip, gzip", gzip.compress(gzip.compress(MEGABYTE * 50))),
    "nested bomb of two kinds": coded("deflate, gzip", gzip.compress(zlib.compress(MEGABYTE * 50))),
    "nested bomb that comes to nothing": coded(
        "deflate, gzip",
        gzip.compress(b"\x78\x9c" + b"\0\0\0\xff\xff" * 2_000_000),
    ),
}


@pytest.mark.parametrize("name", SILENCES)
def test_a_silent_peer_costs_the_budget_and_no_more(play, name):
    """Whatever drips or stays away, the call ends with RequestTimeout, which says in which phase."""
    fault, phase = SILENCES[name]
    here = play(*fault)
    error = here.fail(error=RequestTimeout, timeout=here.budget, within=here.budget)
    assert error.phase == phase
    check_failed(here, error)


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_answer_is_no_answer(play, name):
    """A connection that ends before the response does is ConnectionLost, at once."""
    here = play(*BREAKS[name])
    check_failed(here, here.fail(error=ConnectionLost))


@pytest.mark.parametrize("name", GARBAGE)
def test_a_malformed_answer_is_no_answer(play, name):
    """What is not HTTP, or not clear HTTP, is a ProtocolError, without waiting for more."""
    here = play(send(GARBAGE[name]), hold if name != "a length of five thousand digits" else end)
    check_failed(here, here.fail(error=ProtocolError, timeout=2.0, within=0.5))


@pytest.mark.parametrize("name", TOO_LARGE)
def test_an_answer_over_the_limit_is_given_up(play, name):
    """The limit counts decoded bytes and stops the reading, however the response is framed or coded."""
    here = play(send(TOO_LARGE[name]), hold, transport={"max_response_bytes": LIMIT})
    error = here.fail(error=ResponseTooLarge, timeout=2.0, within=0.5)
    assert error.limit == LIMIT
    check_failed(here, error)


def test_endless_headers_end_by_their_number(play):
    """Headers without end are given up when there are too many, long before the deadline."""
    here = play(send(b"HTTP/1.1 200 OK\r\n"), flood(b"X-Echo: " + ECHO.encode() + b"\r\n"))
    check_failed(here, here.fail(error=ProtocolError, timeout=5.0, within=2.0))


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_endless_interim_answers_end_by_their_size(play, status):
    """Interim responses without end are given up long before the deadline."""
    here = play(flood(head("Link: </a>", status=status) * 20))
    check_failed(here, here.fail(error=ProtocolError, timeout=5.0, within=2.0))


def test_endless_gzip_of_nothing_ends_by_its_number(play):
    """Empty gzip streams without end never reach the limit on the size."""
    here = play(send(head("Content-Encoding: gzip")), flood(gzip.compress(b"")))
    check_failed(here, here.fail(error=ProtocolError, timeout=5.0, within=2.0))


def test_endless_gzip_in_chunks_ends_at_the_limit(play):
    """A bomb that never ends is stopped by the limit, not by the deadline."""
    bomb = chunk(gzip.compress(MEGABYTE))
    here = play(
        send(head("Content-Encoding: gzip", "Transfer-Encoding: chunked")),
        flood(bomb),
        transport={"max_response_bytes": LIMIT},
    )
    check_failed(here, here.fail(error=ResponseTooLarge, timeout=5.0, within=2.0))


def test_a_body_until_close_needs_the_closing_alert_over_tls(play, scheme):
    """Over TLS, a body that ends without the closing alert may have been cut by anybody (RFC 9112, 9.8)."""
    here = play(send(head() + b'{"a":1}'), cut)
    if scheme == "https":
        check_failed(here, here.fail(error=ConnectionLost))
    else:
        assert here.call().content == b'{"a":1}'


def test_the_read_limit_ends_a_silence(play):
    """`Timeout(read=)` bounds the silence of the peer, far below the total."""
    here = play(send(b"HTTP/1.1 200 OK\r\n"), hold)
    error = here.fail(
        error=RequestTimeout, timeout=Timeout(5.0, read=here.budget), within=here.budget
    )
    assert error.phase == "headers"
    check_failed(here, error)
