"""Links and pages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import DecodeError, Response, Timeout
from archal_lambda.core.headers import next_link
from archal_lambda.core.pagination import Pages
from archal_lambda.core.url import BaseUrl

BASE = BaseUrl("https://clone.test/github/api")


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("", None),
        ('<https://h/a?page=2>; rel="next"', "https://h/a?page=2"),
        ("<https://h/a?page=2>; rel=next", "https://h/a?page=2"),
        ('<a>; rel="prev", <b>; rel="next", <c>; rel="last"', "b"),
        ('<a>; rel="prev",<b>; rel="next"', "b"),
        ('<a>; rel="last next"', "a"),
        ('<a>; REL="NEXT"', "a"),
        ('<a> ; rel = "next"', "a"),
        ('<a>; title="x, <b>; rel=next"; rel="next"', "a"),
        ('<a>; title="say \\"hi\\""; rel="next"', "a"),
        ('<a>; rel="prev"; rel="next"', None),
        ('<a>; rel="prev", <b>; rel="first"', None),
        ('<a>; flag; rel="next"', "a"),
        ("<a>; rel=", None),
        ("<a>; rel", None),
        ("<a>", None),
        ("<a>, <b>; rel=next", "b"),
        ("<a,b;c>; rel=next", "a,b;c"),
        ("a; rel=next", None),
        ("<a; rel=next", None),
        ('<a>; rel="nextpage"', None),
        ('<>; rel="next"', ""),
        (', , <a>; rel="next"', "a"),
    ],
)
def test_the_next_link_is_found(value, link):
    """RFC 8288 allows quoted and bare values, and several relations. The first `rel` counts."""
    assert next_link(value) == link


@given(st.text('<>;,="\\ arelnxt', max_size=60))
def test_no_link_header_raises(value):
    assert next_link(value) is None or isinstance(next_link(value), str)


@pytest.mark.parametrize(
    "piece", ["<", "<a>", "<a>;", '<a>; rel="', '\\"', " ", ";", ",<a>;x", '<a>; x="\\']
)
def test_next_link_takes_linear_time(piece):
    """A hostile header does not use up the time budget."""
    started = time.perf_counter()
    next_link("<a>;x=" + piece * (60_000 // len(piece)))
    assert time.perf_counter() - started < 0.5


def turn(pages, link):
    pages.turn(Response(200, headers={} if link is None else {"Link": link}))


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("https://clone.test/github/api/issues?page=2", "/issues?page=2"),
        ("https://api.github.com/issues?page=2", "/issues?page=2"),
        ("https://evil.test/github/api/issues?page=2", "/issues?page=2"),
        ("/github/api/issues?page=2", "/issues?page=2"),
        ("/issues?page=2", "/issues?page=2"),
        ("?page=2", "/issues?page=2"),
        ("issues?page=2", "/issues?page=2"),
        ("//evil.test/issues?page=2", "/issues?page=2"),
        ("https://clone.test/github/api?page=2", "/?page=2"),
        ("https://clone.test/github/api/a%20b?q=c%26d", "/a%20b?q=c%26d"),
    ],
)
def test_the_next_page_is_at_this_clone(link, target):
    """The host of the link does not matter. A relative link counts from its page."""
    pages = Pages("/issues", BASE, {"params": {"per_page": 5}})
    assert pages.request.target == "/issues?per_page=5"
    turn(pages, f'<{link}>; rel="next"')
    assert pages.request.target == target
    turn(pages, None)
    assert pages.request is None
    turn(pages, f'<{link}>; rel="next"')
    assert pages.request is None


@pytest.mark.parametrize(
    "link",
    [
        "https://x.test//evil/",
        "https://x.test/a/../b",
        "/%2e%2e/a",
        "/a%5cb",
        "/a%00",
        "https://[x/a",
        "https://x.test/%",
        "/issues?per_page=5",
        "?per_page=5",
        "",
    ],
)
def test_a_link_that_leads_astray_is_a_decode_error(link):
    """It leads out of the clone, nowhere, or back to an earlier page. The error does not show the link."""
    pages = Pages("/issues", BASE, {"params": {"per_page": 5}})
    with pytest.raises(DecodeError, match="malformed or leads back at Link") as caught:
        turn(pages, f'<{link}>; rel="next"')
    assert caught.value.path == "Link"
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    assert pages.request is None


def test_a_loop_is_found():
    """A page that comes up again ends the walk, in any spelling."""
    pages = Pages("issues", BASE, {})
    turn(pages, "</issues?page=2>; rel=next")
    turn(pages, "</issues?page=3>; rel=next")
    with pytest.raises(DecodeError):
        turn(pages, "<https://clone.test/github/api/issues>; rel=next")


def test_every_page_has_the_same_options():
    """Headers, token and timeout go with each page, params with the first. Iterators are read once."""
    options = {
        "headers": iter([("X-Note", "n")]),
        "token": "t",
        "timeout": 3,
        "params": iter([("a", "b")]),
    }
    pages = Pages("/issues", BASE, options)
    first = pages.request
    turn(pages, "</issues?page=2>; rel=next")
    assert (
        pages.request.headers.pairs
        == first.headers.pairs
        == (("X-Note", "n"), ("Authorization", "Bearer t"))
    )
    assert pages.request.timeout == Timeout(3)
    assert (first.query, pages.request.query) == ("a=b", "page=2")
