"""Requests."""

from __future__ import annotations

import datetime as dt
import enum
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import repickled

from archal_lambda import Headers, Request, Secret, Timeout, __version__
from archal_lambda.core.url import BaseUrl

BASE = BaseUrl("https://clone.test/github/api")


class Color(enum.Enum):
    RED = "red"


class Issue(msgspec.Struct, rename="camel", omit_defaults=True):
    issue_title: str
    due: dt.datetime | None = None


@dataclass
class Plain:
    a: int


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
def test_usual_methods_are_accepted_in_any_case(method):
    assert Request(method, "/").method == Request(method.lower(), "/").method == method


@pytest.mark.parametrize(
    "method", ["", "TRACE", "CONNECT", "GET ", "GET / HTTP/1.1\r\nX: y", "G\xcbT", "BREW"]
)
def test_other_methods_are_refused(method):
    """Above all those that would break the request line."""
    with pytest.raises(ValueError, match="method must be one of DELETE, GET"):
        Request(method, "/")


@pytest.mark.parametrize(
    ("method", "headers", "idempotent"),
    [
        ("GET", {}, True),
        ("HEAD", {}, True),
        ("PUT", {}, True),
        ("DELETE", {}, True),
        ("OPTIONS", {}, True),
        ("POST", {}, False),
        ("PATCH", {}, False),
        ("POST", {"idempotency-key": "k"}, True),
        ("PATCH", {"Idempotency-Key": "k"}, True),
    ],
)
def test_a_request_is_idempotent_by_method_or_key(method, headers, idempotent):
    """The methods are those of RFC 9110."""
    assert Request(method, "/", headers=headers).idempotent is idempotent


MOMENT = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ({"name": "x"}, {"name": "x"}),
        ([1, None, True], [1, None, True]),
        ({}, {}),
        ([], []),
        (0, 0),
        (False, False),
        ("", ""),
        (Issue("t"), {"issueTitle": "t"}),
        ([Issue("t", due=MOMENT)], [{"issueTitle": "t", "due": "2026-01-02T03:04:05Z"}]),
        ({"when": MOMENT, "day": dt.date(2026, 1, 2)}, {"when": "2026-01-02T03:04:05Z", "day": "2026-01-02"}),
        (Plain(1), {"a": 1}),
        (Color.RED, "red"),
        ({"s": "caf\xe9 \u2603"}, {"s": "caf\xe9 \u2603"}),
    ],
)  # fmt: skip
def test_a_json_body_is_anything_that_msgspec_encodes(value, body):
    """Structs, dates and falsy values included."""
    request = Request("POST", "/", json=value)
    assert json.loads(request.content) == body
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize("value", [object(), {"t": Secret("hunter2")}, 1j])
def test_a_json_body_that_cannot_be_encoded_is_a_type_error(value):
    """It names the type and shows no value."""
    with pytest.raises(TypeError, match="unsupported") as caught:
        Request("POST", "/", json=value)
    assert "hunter2" not in str(caught.value)


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(TEXT, TEXT))
def test_a_form_body_round_trips(fields):
    request = Request("POST", "/", form=fields)
    assert parse_qsl(request.content.decode("ascii"), keep_blank_values=True) == list(
        fields.items()
    )
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        (b"\x00\xff", b"\x00\xff"),
        ("caf\xe9", b"caf\xc3\xa9"),
        (b"", b""),
        ("", b""),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (None, b""),
    ],
)
def test_a_plain_body_is_sent_as_it_is(content, body):
    """Text is UTF-8. No content type is added."""
    request = Request("POST", "/", content=content)
    assert request.content == body
    assert type(request.content) is bytes
    assert "content-type" not in request.headers


@pytest.mark.parametrize("content", [5, {"a": 1}, ["x"], True])
def test_a_body_of_another_type_is_refused(content):
    """It would be sent as something nobody meant."""
    with pytest.raises(TypeError, match="content must be bytes or a string"):
        Request("POST", "/", content=content)


@pytest.mark.parametrize("argument", ["params", "form", "headers"])
@pytest.mark.parametrize("value", ["a=1", ["ab"], [("a", "1", "2")], [5], 5, b"a=1", {"a"}])
def test_fields_are_a_mapping_or_pairs(argument, value):
    """The error names the argument. A string is not taken for pairs of characters."""
    with pytest.raises(TypeError, match=f"^{argument} must be a mapping, or pairs"):
        Request("POST", "/", **{argument: value})


@pytest.mark.parametrize(
    "bodies",
    [
        {"json": {}, "form": {}},
        {"json": 0, "content": b""},
        {"form": [], "content": ""},
        {"json": [], "form": {}, "content": b"x"},
    ],
)
def test_more_than_one_body_is_refused(bodies):
    """Empty ones count as well."""
    with pytest.raises(ValueError, match="at most one of json, form and content"):
        Request("POST", "/", **bodies)


def test_the_callers_content_type_comes_before_the_bodys():
    request = Request("POST", "/", json={}, headers={"content-type": "application/vnd.api+json"})
    assert request.headers.get_all("Content-Type") == ["application/vnd.api+json"]


@pytest.mark.parametrize("wrap", [str, Secret])
def test_a_token_becomes_a_bearer(wrap):
    """It is a string or a Secret."""
    assert Request("GET", "/", token=wrap("t")).headers["authorization"] == "Bearer t"


@pytest.mark.parametrize("wrap", [str, Secret])
@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "must not be empty"),
        ("a\r\nX: y", "header Authorization"),
        ("\u2603", "header Authorization"),
    ],
)
def test_a_bad_token_is_refused(wrap, token, reason):
    """It is empty, or no header may hold it. It is not shown."""
    with pytest.raises(ValueError, match=reason) as caught:
        Request("GET", "/", token=wrap(token))
    assert not token or token not in str(caught.value)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
def test_a_token_beside_an_authorization_header_is_refused(name):
    """One of them would be lost."""
    with pytest.raises(ValueError, match="token or an Authorization header, not both"):
        Request("GET", "/", headers={name: "Bot x"}, token="t")


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), True, "1"])
def test_a_bad_timeout_is_refused(timeout):
    with pytest.raises(ValueError, match="timeout total"):
        Request("GET", "/", timeout=timeout)


def test_a_timeout_is_seconds_a_timeout_or_none():
    """None means the client's."""
    assert Request("GET", "/").timeout is None
    assert Request("GET", "/", timeout=5).timeout == Timeout(5)
    assert Request("GET", "/", timeout=Timeout(5, read=1)).timeout == Timeout(5, read=1)


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        ("/a", None, "/a"),
        ("/a", {}, "/a"),
        ("/a", {"b": 1}, "/a?b=1"),
        ("/a?b=1", {"c": 2}, "/a?b=1&c=2"),
        ("/a?b=1", {}, "/a?b=1"),
        ("/a?b=1", {"c": None}, "/a?b=1"),
        ("/a?", {"c": 2}, "/a?c=2"),
        ("/a?", None, "/a"),
    ],
)
def test_params_are_added_to_the_query_of_the_path(path, params, target):
    assert Request("GET", path, params=params).target == target


def test_addressing_adds_base_and_headers():
    """The settings' headers come first, then the caller's, then ours. The original is unchanged."""
    request = Request(
        "POST", "/user/repos?x=1", json={"a": 1}, token="t", headers={"X-Note": "n"}, timeout=3
    )
    sent = request.prepared(BASE, Headers({"x-route-authorization": "Bearer r"}))
    assert sent.url == "https://clone.test/github/api/user/repos"
    assert sent.target == "/github/api/user/repos?x=1"
    assert sent.headers.pairs == (
        ("x-route-authorization", "Bearer r"),
        ("X-Note", "n"),
        ("Content-Type", "application/json"),
        ("Authorization", "Bearer t"),
        ("User-Agent", f"archal-lambda/{__version__}"),
        ("Accept-Encoding", "identity"),
        ("Content-Length", "7"),
    )
    assert (sent.method, sent.path, sent.query, sent.content) == (
        "POST",
        "/user/repos",
        "x=1",
        b'{"a":1}',
    )
    assert sent.timeout == Timeout(3)
    assert (request.base, request.url, request.target) == (None, "/user/repos", "/user/repos?x=1")
    assert "x-route-authorization" not in request.headers


@pytest.mark.parametrize(
    ("method", "content", "length"),
    [
        ("GET", None, None),
        ("DELETE", None, None),
        ("POST", None, "0"),
        ("PUT", None, "0"),
        ("PATCH", None, "0"),
        ("GET", "abc", "3"),
    ],
)
def test_content_length_goes_with_every_body(method, content, length):
    """It is 0 where a server expects one (RFC 9110, section 8.6)."""
    sent = Request(method, "/", content=content).prepared(BASE, Headers())
    assert sent.headers.get("content-length") == length


def test_our_own_headers_give_way():
    """A caller's User-Agent and Accept-Encoding replace ours."""
    request = Request("GET", "/", headers={"user-agent": "me", "ACCEPT-ENCODING": "gzip"})
    sent = request.prepared(BASE, Headers())
    assert sent.headers.pairs == (("user-agent", "me"), ("ACCEPT-ENCODING", "gzip"))


@pytest.mark.parametrize("name", ["Authorization", "X-Team"])
def test_a_header_of_the_settings_cannot_be_overridden(name):
    """Its name does not matter. Neither value is shown."""
    request = Request("GET", "/", headers={name.lower(): "mine"})
    with pytest.raises(
        ValueError, match=f"header {name.lower()} comes from the settings"
    ) as caught:
        request.prepared(BASE, Headers({name: "theirs"}))
    assert "mine" not in str(caught.value)
    assert "theirs" not in str(caught.value)


def test_a_moved_request_changes_path_and_query_only():
    """The original is unchanged."""
    request = Request("GET", "/a", params={"b": 1}, token="t", timeout=3)
    moved = request.moved("/c?d=2")
    assert moved.target == "/c?d=2"
    assert (moved.headers, moved.timeout, moved.method) == (request.headers, Timeout(3), "GET")
    assert request.target == "/a?b=1"
    with pytest.raises(ValueError, match="absolute URL"):
        request.moved("https://evil.test/")


def test_a_request_shows_method_and_path_only():
    request = Request(
        "POST", "/a?q=hunter2", json={"p": "hunter2"}, token="hunter2", params={"r": "hunter2"}
    )
    assert repr(request) == "<Request POST /a>"
    assert (
        repr(request.prepared(BASE, Headers())) == "<Request POST https://clone.test/github/api/a>"
    )


def test_a_request_survives_pickling():
    request = Request("POST", "/a?b=1", json={"c": 1}, token="t", timeout=2).prepared(
        BASE, Headers()
    )
    again = repickled(request)
    assert all(getattr(again, name) == getattr(request, name) for name in Request.__slots__)
