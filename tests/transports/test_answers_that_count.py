"""Responses that are whole: what they hold, and whether their connection may be used again."""

from __future__ import annotations

import gzip
import os
import zlib

import pytest
from support.faults.answers import chunked, coded
from support.faults.client import QUERY, ROUTE, TOKEN, check_next

from archal_lambda.errors import DecodeError
from archal_lambda.testing.faulty_server import (
    answer,
    by_connection,
    drip,
    end,
    pause,
    read,
    send,
    serve,
)

LIMIT = 100_000
NOISE = os.urandom(70_000)  # does not compress
BODY = b'{"a": 1}'
HINT = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"
LATE = "of another call"
BUDGET = 0.3


PLAIN = {
    "with a length": answer(BODY),
    "after 100": GO_ON + answer(BODY),
    "after 103": HINT + answer(BODY),
    "after several interim answers": GO_ON + HINT + HINT + GO_ON + answer(BODY),
    "with a length said twice": answer(BODY, headers=["Content-Length: 8"]),
    "with spaces after the length": b"HTTP/1.1 200 OK\r\nContent-Length: 8 \t\r\n\r\n" + BODY,
    "with bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 8\n\n" + BODY,
    "without a reason": b"HTTP/1.1 200\r\nContent-Length: 8\r\n\r\n" + BODY,
    "in parts": answer(BODY, headers=['Content-Type: multipart/mixed; boundary="x"']),
    "in parts without boundary": answer(BODY, headers=["Content-Type: multipart/mixed"]),
    "a message": answer(BODY, headers=["Content-Type: message/http"]),
    "HTTP/1.0 kept alive": answer(BODY, version="HTTP/1.0", headers=["Connection: keep-alive"]),
    "in one chunk": chunked(b"8\r\n", BODY, b"\r\n0\r\n\r\n"),
    "in chunks": chunked(b'4\r\n{"a"\r\n04 \r\n: 1}\r\n00\r\n\r\n'),
    "in chunks with extensions": chunked(b"8;a=b;c\r\n", BODY, b"\r\n0;d\r\n\r\n"),
    "in chunks with trailers": chunked(b"8\r\n", BODY, b"\r\n0\r\nX: 1\r\nY: 2\r\n\r\n"),
    "identity": coded("identity", BODY),
    "gzip": coded("gzip", gzip.compress(BODY)),
    "x-gzip": coded("X-Gzip", gzip.compress(BODY)),
    "gzip in members": coded("gzip", gzip.compress(BODY[:3]) + gzip.compress(BODY[3:])),
    "deflate": coded("deflate", zlib.compress(BODY)),
    "gzip in gzip": coded("gzip, gzip", gzip.compress(gzip.compress(BODY))),
    "gzip in deflate, in two fields": answer(
        zlib.compress(gzip.compress(BODY)),
        headers=["Content-Encoding: gzip", "Content-Encoding: deflate"],
    ),
    "gzip in chunks": chunked(
        *[b"1\r\n%c\r\n" % byte for byte in gzip.compress(BODY)],
        b"0\r\n\r\n",
        headers=["Content-Encoding: gzip"],
    ),
}

CLOSING = {
    "told to close": answer(BODY, headers=["Connection: close"]),
    "HTTP/1.0": answer(BODY, version="HTTP/1.0"),
    "length and chunks": chunked(b"8\r\n", BODY, b"\r\n0\r\n\r\n", headers=["Content-Length: 3"]),
    "chunks in HTTP/1.0": chunked(
        b"8\r\n", BODY, b"\r\n0\r\n\r\n", version="HTTP/1.0", headers=["Connection: keep-alive"]
    ),
    "body long": answer(BODY) + b"XY",
    "an empty line more": answer(BODY) + b"\r\n",
    "chunks and more": chunked(b"8\r\n", BODY, b"\r\n0\r\n\r\n") + b"0\r\n\r\n",
    "gzip and more": coded("gzip", gzip.compress(BODY)) + b"\0",
    "an interim answer too late": answer(BODY) + GO_ON,
    "two answers": answer(BODY) + answer(LATE.encode()),
}

BODILESS = {
    "200 of length 0": ("GET", answer(b""), True),
    "200 of no chunk": ("GET", chunked(b"0\r\n\r\n"), True),
    "200 of no chunk, spaced": (
        "GET",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n",
        True,
    ),
    "200 of length 0, coded": ("GET", coded("gzip", b""), True),
    "204": ("DELETE", answer(status="204 No Content", body=b"", length=False), True),
    "204 with a body": ("DELETE", answer(BODY, status="204 No Content"), False),
    "304": ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 8\r\n\r\n", True),
    "304 with a body": ("GET", answer(BODY, status="304 Not Modified"), False),
    "HEAD": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", True),
    "HEAD of a large one": ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", True),
    "HEAD of chunks": ("HEAD", chunked(), False),
    "204 of chunks": (
        "DELETE",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
        False,
    ),
    "204 of length 0": ("DELETE", answer(b"", status="204 No Content"), True),
    "204 of length 5": ("DELETE", b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", False),
    "closing in the second field": (
        "GET",
        answer(b"", headers=["Connection: keep-alive", "Connection: close"]),
        False,
    ),
    "closing in a list": ("GET", answer(b"", headers=["Connection: foo, Close"]), False),
    "HEAD with a body": ("HEAD", answer(BODY), False),
}


@pytest.fixture
def play(warm, site):
    """Open a site whose first connection gives this response, at once or after another, and then good ones."""

    def open_site(*fault, **options):
        warm_up = [read, send(answer(b"warm"))] if warm else []
        here = site(by_connection([*warm_up, read, *fault, serve], [serve]), **options)
        if warm:
            assert here.call().content == b"warm"
            here.server.requests.clear()
        return here

    return open_site


@pytest.mark.parametrize("name", PLAIN)
def test_a_whole_answer_leaves_its_connection_usable(play, name):
    """Every allowed framing and coding gives the same body, and the connection serves the next call."""
    here = play(send(PLAIN[name]))
    response = here.call()
    assert (response.status_code, response.content, response.attempts) == (200, BODY, 1)
    check_next(here, reused=True)


@pytest.mark.parametrize("name", PLAIN)
def test_an_answer_may_come_byte_by_byte(play, name):
    """How a response is cut into segments does not matter."""
    here = play(drip(PLAIN[name], 0))
    assert here.call().content == BODY
    check_next(here, reused=True)


@pytest.mark.parametrize("name", CLOSING)
def test_an_answer_out_of_step_costs_its_connection(play, name):
    """With bytes left over, unclear framing or a wish to close, the response counts and the connection goes."""
    here = play(send(CLOSING[name]))
    assert here.call().content == BODY
    check_next(here, reused=False)


@pytest.mark.parametrize("name", BODILESS)
def test_an_answer_without_body_is_empty(play, name):
    """HEAD, 204 and 304 have no body; one that comes nevertheless is never the next call's response."""
    method, data, reused = BODILESS[name]
    here = play(send(data))
    assert here.call(method).content == b""
    check_next(here, reused=reused)


@pytest.mark.parametrize("size", [10, 9_000, 16_384, 20_000, 40_000, 70_000])
@pytest.mark.parametrize("framing", ["length", "chunks", "gzip"])
def test_a_second_answer_is_never_the_next_calls(play, framing, size):
    """Two responses in one write: whatever their size, the second one is seen and its connection dropped."""
    body = NOISE[:size]
    first = {
        "length": answer(body),
        "chunks": chunked(b"%x\r\n" % size, body, b"\r\n0\r\n\r\n"),
        "gzip": coded("gzip", gzip.compress(body)),
    }[framing]
    here = play(send(first + answer(LATE.encode())))
    assert here.call().content == body
    check_next(here, reused=False)


def test_a_late_second_answer_is_never_the_next_calls(play):
    """A second response that comes when its connection is idle already ends that connection."""
    late = []
    here = play(
        send(answer(BODY)), pause(0.05), send(answer(LATE.encode())), lambda _: late.append(1)
    )
    assert here.call().content == BODY
    assert here.server.wait_for(lambda _: late)
    check_next(here, reused=False)


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1"])
def test_a_body_may_end_with_its_connection(play, version):
    """Without length and chunks, an orderly close ends the body."""
    here = play(send(answer(BODY, length=False, version=version)), end)
    assert here.call().content == BODY
    check_next(here, reused=False)


@pytest.mark.parametrize(
    "data",
    [
        answer(NOISE[:50_000] * 2),
        chunked(b"%x\r\n" % LIMIT, NOISE[:50_000] * 2, b"\r\n0\r\n\r\n"),
        coded("gzip", gzip.compress(NOISE[:50_000] * 2)),
    ],
    ids=["length", "chunks", "gzip"],
)
def test_an_answer_as_large_as_the_limit_is_accepted(play, data):
    """The limit itself is allowed."""
    here = play(send(data), transport={"max_response_bytes": LIMIT})
    assert len(here.call().content) == LIMIT
    check_next(here, reused=True)


# Ten megabytes of zeros each: one repeated copy (RFC 7932), and 80 blocks of one repeated byte (RFC 8878).
BR_BOMB = bytes.fromhex("cbffff3ff82700e2b14020f7fe2fff2c31f04f00c46111808e2306")
ZSTD_BOMB = b"\x28\xb5\x2f\xfd\x00\x58" + b"\x02\x00\x10\x00" * 79 + b"\x03\x00\x10\x00"
LEFT_ALONE = {
    "br": BR_BOMB,
    "zstd": ZSTD_BOMB,
    "br, gzip": gzip.compress(BR_BOMB),
    "gzip, zstd": ZSTD_BOMB,
    "compress": b"\x1f\x9d\x90",
}


@pytest.mark.parametrize("coding", LEFT_ALONE)
def test_a_coding_nobody_asked_for_is_left_alone(play, coding):
    """Identity is asked for; a coding other than gzip and deflate stays as it came: no bomb of it goes off."""
    here = play(send(coded(coding, LEFT_ALONE[coding])))
    response = here.call()
    assert (response.content, response.headers["content-encoding"]) == (LEFT_ALONE[coding], coding)
    assert here.server.requests[0].header("accept-encoding") == "identity"
    check_next(here, reused=True)


def test_header_values_are_latin_1_and_unfolded(play):
    """Values keep their Latin-1 characters, repeated fields all their values, and folds become spaces."""
    lines = ["X-Name:caf\xe9 \t", "X-Long: a\r\n\tb\r\n   c", "Set-Cookie: a=1", "Set-Cookie: b=2"]
    here = play(send(answer(BODY, headers=lines)))
    headers = here.call().headers
    assert (headers["x-name"], headers["x-long"]) == ("caf\xe9", "a b c")
    assert headers.get_all("set-cookie") == ["a=1", "b=2"]
    check_next(here, reused=True)


def test_the_request_is_one_request(play):
    """Exactly one request goes out, with the route, the service token and the body as they were given."""
    here = play(send(answer(BODY)))
    here.call()
    (received,) = here.server.requests
    assert received.method == "POST"
    assert received.target == f"/svc/api/things?q={QUERY}"
    assert received.header("host") == here.server.origin.partition("//")[2]
    assert received.header("x-route-authorization") == f"Bearer {ROUTE}"
    assert received.header("authorization") == f"Bearer {TOKEN}"
    assert received.body.startswith(b'{"body":"body-sentinel')


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(play, plain_site, status):
    """A redirect is a response like any other; the host it names sees nothing."""
    other = plain_site([serve])
    here = play(
        send(answer(b"", status=f"{status} X", headers=[f"Location: {other.server.origin}/"]))
    )
    assert here.call().status_code == status
    check_next(here, reused=True)
    assert other.server.connections == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_clones_failure_is_returned_at_once(play, status):
    """A clone's status is data: one request, no wait, whatever Retry-After says."""
    here = play(send(answer(b"", status=f"{status} X", headers=["Retry-After: 3600"])))
    response = here.call("GET")
    assert (response.status_code, response.retry_after, response.attempts) == (status, 3600.0, 1)
    assert len(here.server.requests) == 1
    check_next(here, reused=True)


BAD_BODIES = {
    "5 MB of nesting": b"[" * 5_000_000,
    "nesting of objects": b'{"a":' * 1_000_000,
    "invalid UTF-8": b'"\xff\xfe\xfd"',
    "empty": b"",
    "HTML": b"<html>Bad Gateway</html>",
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_is_no_json_is_a_decode_error(play, name):
    """A whole response whose body makes no sense is data until it is decoded."""
    here = play(send(answer(BAD_BODIES[name], headers=["Content-Type: text/html"])))
    response = here.call()
    with pytest.raises(DecodeError):
        response.json()
    with pytest.raises(DecodeError):
        response.decode(dict[str, int])
    check_next(here, reused=True)
