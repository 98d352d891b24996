"""Requests that try to be two, or another: refused before a byte leaves, or one request at the peer."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.faults.client import ROUTE, Site

from archal_lambda import Request
from archal_lambda.testing.faulty_server import serve

SECOND = "GET /admin HTTP/1.1\r\nHost: x\r\n\r\n"
ATTEMPTS = {
    "a header in a value": {"headers": {"X-A": "1\r\nContent-Length: 0"}},
    "a request in a value": {"headers": {"X-A": f"1\r\n\r\n{SECOND}"}},
    "a bare LF in a value": {"headers": {"X-A": "1\nX-B: 2"}},
    "a bare CR in a value": {"headers": {"X-A": "1\rX-B: 2"}},
    "a NUL in a value": {"headers": {"X-A": "1\0"}},
    "a line separator of Unicode in a value": {"headers": {"X-A": "1\u2028X-B: 2"}},
    "letters that end in CR and LF when they are cut to a byte": {"headers": {"X-A": "\u010d\u010aX-B: 2"}},
    "a fold": {"headers": {"X-A": "1\r\n X-B: 2"}},
    "a header in a name": {"headers": {"X-A: 1\r\nX-B": "2"}},
    "a colon in a name": {"headers": {"Transfer-Encoding:": "chunked"}},
    "a space after a name": {"headers": {"Transfer-Encoding ": "chunked"}},
    "a space before a name": {"headers": {" Transfer-Encoding": "chunked"}},
    "an empty name": {"headers": {"": "chunked"}},
    "a transfer coding": {"headers": {"Transfer-Encoding": "chunked"}},
    "a length": {"headers": {"content-length": "5"}},
    "another host": {"headers": {"HOST": "evil.test"}},
    "an option of the connection": {"headers": {"Connection": "close, x-route-authorization"}},
    "another protocol": {"headers": {"Upgrade": "h2c"}},
    "another route": {"headers": {"X-Route-Authorization": "Bearer other"}},
    "another route for servers that speak CGI": {"headers": {"X_Route_Authorization": "Bearer other"}},
    "a header in a token": {"token": "t\r\nX-B: 2"},
    "a request in a path": {"path": f"/x HTTP/1.1\r\n\r\n{SECOND}"},
    "an encoded request in a path": {"path": "/x%20HTTP/1.1%0d%0aX-B:2"},
    "an encoded line end in a path, twice": {"path": "/x%250d%250a"},
    "a request in a query": {"path": f"/x?a=1 HTTP/1.1\r\n\r\n{SECOND}"},
    "a request for a method": {"method": f"GET / HTTP/1.1\r\n\r\n{SECOND}"},
    "a tunnel": {"method": "CONNECT"},
}  # fmt: skip


@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_at_smuggling_sends_nothing(site, warm, name):
    """It is a ValueError that shows no value. The connection stays as it was."""
    here = site([serve])
    if warm:
        here.call()
    attempt = {"method": "POST", "path": "/x", **ATTEMPTS[name]}
    with pytest.raises(ValueError, match=r"header|path|method|token") as caught:
        here.clone.request(attempt.pop("method"), attempt.pop("path"), json={}, **attempt)
    assert "X-B" not in str(caught.value)
    assert "admin" not in str(caught.value)
    assert len(here.server.requests) == here.server.connections == int(warm)
    assert here.call().status_code == 200
    assert here.server.connections == 1


ANY = st.text(max_size=12) | st.text("\r\n\t\0 :;,%?#/\\.\x85\xa0\u010a\u2028aA0", max_size=12)
FAIR = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="#%\\"))
NAMES = st.sampled_from(["X-A", "Accept", "Content-Type", "Cookie", "x-a", "TE"]) | ANY
FIELD = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\t\x20-\x7e\x80-\xff]*")
TARGET = re.compile(rb"(GET|POST|PUT) /svc/api/[\x21-\x7e]* HTTP/1\.1")


@pytest.fixture(scope="module")
def here():
    with Site([serve]) as site:
        yield site


@settings(deadline=None, max_examples=200)
@given(
    method=st.sampled_from(["GET", "POST", "put"]),
    path=FAIR.map("/a{}".format) | ANY,
    params=st.none() | st.lists(st.tuples(ANY, ANY), max_size=3),
    headers=st.lists(st.tuples(NAMES, FAIR | ANY), max_size=2),
    token=st.none() | FAIR | ANY,
    content=st.none() | st.binary(max_size=20) | ANY,
)
def test_whatever_is_accepted_is_one_request(here, method, path, params, headers, token, content):  # noqa: PLR0917 - drawn by name
    """The peer reads a request line, as many headers as were given, and the body."""
    try:
        request = Request(
            method, path, params=params, headers=headers, token=token, content=content
        )
    except ValueError:
        return
    here.server.requests.clear()
    assert here.clone.send(request).status_code == 200
    (received,) = here.server.requests
    line, *fields = received.head.split(b"\r\n")
    assert TARGET.fullmatch(line)
    assert all(FIELD.fullmatch(field) for field in fields)
    assert received.body == request.content
    assert received.header("x-route-authorization") == f"Bearer {ROUTE}"
    ours = {b"host", b"x-route-authorization", b"user-agent", b"accept-encoding", b"content-length"}
    names = [field.partition(b":")[0].lower() for field in fields]
    theirs = [name.lower().encode() for name, _ in request.headers.pairs]
    assert sorted(names) == sorted([*theirs, *[name for name in names if name in ours - {*theirs}]])
    assert here.server.connections == 1
