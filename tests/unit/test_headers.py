"""Header fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import repickled

from archal_lambda import Headers, Request, Secret
from archal_lambda.core.headers import check_header, check_headers, reserved_reason

NAMES = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!", min_size=1)
SHOWN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]))


def test_lookup_ignores_case():
    """The field keeps its own case."""
    headers = Headers({"Content-Type": "text/plain"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "text/plain"
    assert "cOnTeNt-TyPe" in headers
    assert "accept" not in headers
    assert 5 not in headers
    assert headers.pairs == (("Content-Type", "text/plain"),)
    with pytest.raises(KeyError):
        headers["accept"]


def test_repeated_fields_are_kept():
    """They are joined on lookup. `get_all` gives them apart, in order."""
    headers = Headers([("Link", "a"), ("X", "1"), ("link", "b")])
    assert headers["link"] == "a, b"
    assert headers.get_all("LINK") == ["a", "b"]
    assert headers.get_all("none") == []
    assert headers.get("none") is None
    assert (len(headers), list(headers)) == (2, ["link", "x"])


def test_headers_survive_pickling():
    """Order and repetition are kept."""
    headers = Headers([("A", "1"), ("a", "2"), ("B", "3")])
    assert repickled(headers).pairs == headers.pairs


def test_headers_show_names_only():
    assert repr(Headers({"Accept": "hunter2", "X-Note": "hunter3"})) == "<Headers Accept, X-Note>"
    assert repr(Headers()) == "<Headers none>"


@given(st.lists(st.tuples(NAMES, SHOWN)))
def test_headers_keep_every_pair(pairs):
    headers = check_headers([(f"q-{name}", value) for name, value in pairs])
    assert headers.pairs == tuple((f"q-{name}", value) for name, value in pairs)
    for name in headers:
        assert ", ".join(headers.get_all(name)) == headers[name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "a b",
        "a:",
        "a\r\n",
        "a\n",
        "a\x00",
        "é",
        "a\t",
        "(a)",
        'a"b',
        "Name: value\r\nX",
        5,
        None,
        b"a",
    ],
)
def test_a_name_that_is_not_a_token_is_refused(name):
    """Only tokens of RFC 9110 are names. The name is not shown, because it may be a secret put in the wrong place."""
    with pytest.raises(ValueError, match="a header name is not an HTTP token") as caught:
        check_header(name, "value")
    assert str(caught.value) == "a header name is not an HTTP token (RFC 9110, section 5.6.2)"
    with pytest.raises(ValueError, match="a header name is not an HTTP token"):
        Request("GET", "/", headers=[(name, "value")])


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nX: y",
        "a\nb",
        "a\rb",
        "a\x00b",
        "\x1b[0m",
        "a\x7f",
        "a\x0b",
        "snow\u2603",
        "\U0001f600",
        "\ud800",
        5,
        None,
        b"a",
        ["a"],
    ],
)
@pytest.mark.parametrize("wrap", [lambda value: value, Secret])
def test_a_value_that_breaks_framing_is_refused(value, wrap):
    """These are CR, LF, NUL, other controls and anything outside Latin-1. The value is not shown."""
    with pytest.raises(ValueError, match=r"header X-Note: the value (must|contains)") as caught:
        check_header("X-Note", wrap(value))
    assert not isinstance(value, str) or value not in str(caught.value)
    with pytest.raises(ValueError, match="header X-Note"):
        Request("GET", "/", headers={"X-Note": wrap(value)})


@pytest.mark.parametrize(
    "value", ["", "plain", "tab\tinside", "caf\xe9", "\xff", 'quoted "text"', "a, b; c=d"]
)
def test_a_valid_value_is_accepted(value):
    """Printable ASCII, tabs and obs-text pass unchanged."""
    assert Request("GET", "/", headers={"X-Note": value}).headers["x-note"] == value


CONNECTION = [
    "Connection", "Content-Length", "Expect", "Host", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
    "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
]  # fmt: skip
ROUTE = ["x-route-authorization", "X-Route-Anything", "X-ARCHAL-TOKEN", "x-archal-"]


@pytest.mark.parametrize("change", [str, str.lower, str.upper])
@pytest.mark.parametrize("name", CONNECTION + ROUTE)
def test_a_reserved_header_is_refused(name, change):
    """A caller may not set the connection's headers or the route's, in any case."""
    reason = "comes from the settings alone" if name in ROUTE else "is set by the transport"
    with pytest.raises(ValueError, match=f"header {change(name)} .*{reason}"):
        Request("GET", "/", headers={change(name): "x"})


@pytest.mark.parametrize(
    "name", ["Authorization", "X-Router", "X-Request-Id", "Cookie", "Accept", "Hostname", "Archal"]
)
def test_other_headers_are_accepted(name):
    assert reserved_reason(name) is None


def test_none_means_no_headers():
    assert check_headers(None).pairs == check_headers({}).pairs == ()


def test_a_secret_is_sent_in_the_clear():
    assert check_headers([("X-Api-Key", Secret("k"))]).pairs == (("X-Api-Key", "k"),)
