"""A response that is refused has an error of its own, with the status, and the call is not repeated."""

from __future__ import annotations

import time
import tracemalloc
import zlib

import pytest
from support.faults.answers import chunk, chunked, coded, head
from support.faults.client import check_next

from archal_lambda import Headers, RetryPolicy
from archal_lambda.errors import ConnectionLost, ProtocolError
from archal_lambda.testing.faulty_server import answer, by_connection, end, hold, read, send, serve

LIMIT = 100_000
FIELD = "a header field is malformed"
STATUS = "401 Unauthorized"


def unauthorized(*lines):
    return head(*lines, status=STATUS)


REFUSED = {
    "a field without colon": (unauthorized("X-A"), 401, FIELD),
    "a field without name": (unauthorized(": b"), 401, FIELD),
    "a fold before the first field": (unauthorized(" b"), 401, FIELD),
    "a length behind a space": (unauthorized("Content-Length : 2") + b"{}", 401, "frames the body"),
    "a length in a fold": (unauthorized("Content-Length:\r\n 2") + b"{}", 401, "frames the body"),
    "two lengths": (unauthorized("Content-Length: 2", "Content-Length: 3"), 401, "content length"),
    "an unknown framing": (unauthorized("Transfer-Encoding: gzip"), 401, "transfer coding"),
    "too many fields": (unauthorized(*["X:"] * 5001), 401, "more than 5000 header fields"),
    "a line too long": (unauthorized("X: " + "x" * 70_000), 401, "longer than 65536 bytes"),
    "a chunk of no size": (chunked(b"x\r\n"), 200, "a chunk size is malformed"),
    "a chunk with a tail": (chunked(b"2\r\n{} \r\n"), 200, "does not end where its size says"),
    "a trailer without colon": (chunked(b"0\r\nX\r\n\r\n"), 200, "a trailer is malformed"),
    "a body of another coding": (coded("gzip", b"plain"), 200, "its content coding"),
    "a coded body that stops": (coded("deflate", zlib.compress(b"{}")[:-1]), 200, "incomplete"),
    "a switch of protocols": (head(status="101 Switching Protocols"), 101, "switched protocols"),
    "a hint with a malformed field": (head("X", status="103 Hints") + answer(b"{}"), 103, FIELD),
    "another protocol": (b"SSH-2.0-OpenSSH_9.9\r\n", None, "not HTTP/1.1"),
    "an alert of TLS": (b"\x15\x03\x01\x00\x02\x02\x16", None, "not HTTP/1.1"),
    "a status of two digits": (head(status="20 OK"), None, "the status line is malformed"),
}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "POST"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_response_is_told_and_never_asked_for_again(plain_site, name, method):
    """The error says which rule was broken and what the status was, if it could be read."""
    said, status, reason = REFUSED[name]
    here = plain_site([read, send(said), end], retry=RetryPolicy(attempts=3))
    error = here.fail(method, error=ProtocolError)
    assert (error.sent, error.attempts, error.status_code) == (True, 1, status)
    assert reason in str(error)
    assert len(here.server.requests) == here.server.connections == 1


# Those that end in between: the end may come anywhere in one that is whole.
WHOLE = {
    "a length": answer(b'{"a": 1}', headers=["X-Long: a\r\n b"]),
    "chunks": chunked(chunk(b"{}"), b"0\r\nX: 1\r\n\r\n"),
    "a hint before": head("X: 1", status="103 Early Hints") + answer(b"{}"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_response_that_breaks_off_is_lost_wherever_that_is(plain_site, name):
    """A lost connection, and so repeated where the method allows it; one byte more may make the response whole."""
    whole = WHOLE[name]
    for size in range(len(whole)):
        here = plain_site(by_connection([read, send(whole[:size]), end], [serve]))
        assert here.call("GET").attempts == 2, whole[:size]
        here = plain_site([read, send(whole[:size]), end], retry=RetryPolicy(attempts=1))
        here.fail(error=ConnectionLost)


def test_a_coded_body_that_ends_with_the_connection_may_be_cut(plain_site):
    """Nothing but its coding tells, and it is taken for what it is most often."""
    said = head("Content-Encoding: deflate") + zlib.compress(b"{}")[:-1]
    here = plain_site([read, send(said), end])
    assert here.fail("GET", error=ConnectionLost).attempts == 2


@pytest.mark.parametrize("count", [101, 1000, 4999])
def test_a_response_may_have_many_fields(play, count):
    """Debug headers, for instance. RFC 9110 sets no number."""
    said = answer(b"{}", headers=[f"X-{number}: {number}" for number in range(count)])
    here = play(send(said), *[serve])
    response = here.call()
    assert (response.content, response.attempts) == (b"{}", 1)
    assert len(response.headers) == count + 1
    check_next(here, reused=True)


SPACED = {
    "behind the name": ("X-A : b", {"x-a": "b", "x-z": "z"}),
    "blanks behind the name": ("X-A \t : \tb", {"x-a": "b", "x-z": "z"}),
    "within the name": ("X A: b", {"x-z": "z"}),
    "within and behind": ("X A : b", {"x-z": "z"}),
    "within, and folded": ("X A: b\r\n c", {"x-z": "z"}),
    "behind, and folded": ("X-A : b\r\n c", {"x-a": "b c", "x-z": "z"}),
}


@pytest.mark.parametrize("name", SPACED)
def test_a_field_with_a_blank_in_its_name_does_not_cost_the_response(plain_site, name):
    """Behind the name it is removed (RFC 9112, section 5.1), within it the field is dropped; so is the connection."""
    line, expected = SPACED[name]
    said = answer(b"{}", status=STATUS, headers=[line, "X-Z: z"])
    here = plain_site(by_connection([read, send(said), hold], [serve]))
    response = here.call("GET")
    assert (response.status_code, response.content, response.attempts) == (401, b"{}", 1)
    assert response.headers == {**expected, "content-length": "2"}
    assert len(here.server.requests) == 1
    check_next(here, reused=False)


def test_a_fold_is_one_space(plain_site):
    """Also where the value begins with it (RFC 9112, section 5.2)."""
    said = answer(b"{}", headers=["X-A:\r\n \tb", "X-B: a \r\n\tb", "X-C: a\r\n \r\n b"])
    here = plain_site([read, send(said), hold])
    headers = here.call().headers
    assert (headers["x-a"], headers["x-b"]) == ("b", "a b")
    assert headers["x-c"].split() == ["a", "b"]


@pytest.mark.parametrize("wbits", [15, -15], ids=["wrapped", "bare"])
@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("body", [b"", b"{}", b"x" * 50_000, bytes(range(256)) * 200], ids=len)
def test_deflate_is_read_with_and_without_its_wrapper(plain_site, body, level, wbits):
    """At every level of compression, from stored blocks on."""
    packed = zlib.compress(body, level, wbits)
    here = plain_site([read, send(coded("deflate", packed)), hold])
    assert here.call().content == body


MANY = {
    "tiny fields": head(*["X:"] * 4999, "Content-Length: 0"),
    "folds": head("X: 1", *[" x" + "y" * 40] * 4990, "Content-Length: 0"),
    "folds of nothing": head("X: 1", *[" "] * 4990, "Content-Length: 0"),
    "fields of another name each": head(*[f"{n}:" for n in range(4990)], "Content-Length: 0"),
    "spaces": head(*["X" + " " * 25 + ": 1"] * 4990, "Content-Length: 0"),
    "spaces that lead to nothing": head(*["X" + " " * 60_000] * 4),
    "interim responses": head(status="103 A") * 12_000 + answer(b""),
}


@pytest.mark.parametrize("name", MANY)
def test_many_tiny_fields_cost_little(plain_site, name):
    """A head of 256 KB takes a fraction of a second and a few megabytes, however it is made up."""
    here = plain_site(by_connection([serve], [read, send(MANY[name]), end]))
    here.call()  # what is loaded once
    here.transport.close()
    tracemalloc.start()
    started = time.process_time()
    try:
        assert here.call().headers["content-length"] == "0"
    except ProtocolError:
        assert name in {"spaces that lead to nothing", "interim responses"}
    finally:
        took = time.process_time() - started
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert took < 2.0
    assert peak < 4_000_000


def test_thousands_of_fields_of_one_name_are_joined_at_once():
    """Not one after the other, which takes time by the square of their number."""
    value = "x" * 100
    started = time.process_time()
    joined = Headers([("X", value)] * 20_000)["x"]
    assert time.process_time() - started < 1.0
    assert len(joined) == 20_000 * 102 - 2
