"""Responses."""

from __future__ import annotations

import encodings
import pkgutil

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import repickled

from archal_lambda import DecodeError, Request, Response, errors
from archal_lambda.core.response import status_error


class Repo(msgspec.Struct):
    name: str


ROUTE, CLONE = "route", "clone"


@pytest.mark.parametrize(
    ("by", "status", "body"),
    [
        # Archal's envelope: all its fields are optional strings, further ones are allowed.
        (ROUTE, 401, {"error": "unauthorized", "message": "Missing route authorization"}),
        (ROUTE, 403, {"error": "forbidden", "code": "wrong_user", "message": "m", "detail": "d"}),
        (ROUTE, 404, {"error": "session_ended", "detail": "The session has ended", "sessionId": "ses-1"}),
        (None, 404, {"code": "session_ended", "message": "The session has ended"}),
        (None, 401, {"code": "unauthorized", "detail": "d"}),
        (None, 502, {"error": "bad_gateway"}),
        (None, 429, {"code": "rate_limited"}),
        # GitHub.
        (CLONE, 401, {"message": "Requires authentication", "documentation_url": "https://docs", "status": "401"}),
        (CLONE, 404, {"message": "Not Found", "documentation_url": "https://docs", "status": "404"}),
        (CLONE, 422, {"message": "Validation Failed", "errors": [{"code": "invalid"}], "documentation_url": "https://docs"}),
        (None, 403, {"message": "Bad credentials"}),
        # Slack.
        (CLONE, 401, {"ok": False, "error": "invalid_auth"}),
        (CLONE, 429, {"ok": False, "error": "ratelimited", "response_metadata": {}}),
        # Stripe.
        (CLONE, 402, {"error": {"type": "card_error", "code": "card_declined", "message": "m"}}),
        # Discord.
        (CLONE, 401, {"message": "401: Unauthorized", "code": 0}),
        (CLONE, 400, {"code": 50035, "message": "Invalid Form Body", "errors": {}}),
        # PostgREST, behind Supabase.
        (CLONE, 400, {"code": "PGRST100", "message": "m", "details": "d", "hint": "h"}),
        (CLONE, 404, {"code": "42P01", "message": "m", "details": None, "hint": None}),
        # GitLab.
        (CLONE, 404, {"message": "404 Project Not Found"}),
        (CLONE, 401, {"error": "invalid_token", "error_description": "Token was revoked."}),
        (CLONE, 400, {"message": {"name": ["has already been taken"]}}),
        # Sentry.
        (None, 401, {"detail": "Authentication credentials were not provided."}),
        # Google.
        (CLONE, 403, {"error": {"code": 403, "message": "m", "status": "PERMISSION_DENIED"}}),
        (CLONE, 400, {"error": "invalid_grant", "error_description": "Bad Request"}),
        # Linear, Telegram, Jira, HubSpot.
        (CLONE, 400, {"errors": [{"message": "m", "extensions": {"code": "c"}}]}),
        (CLONE, 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
        (CLONE, 404, {"errorMessages": ["m"], "errors": {}}),
        (CLONE, 400, {"status": "error", "message": "m", "correlationId": "c", "category": "VALIDATION_ERROR"}),
        # Bodies that say nothing.
        (None, 500, {}),
        (CLONE, 500, []),
        (CLONE, 500, [{"error": "e", "message": "m"}]),
        (None, 500, "error"),
        (None, 500, 5),
        (CLONE, 401, {"error": None, "message": "m"}),
        (CLONE, 401, {"error": "e", "message": None}),
        (CLONE, 401, {"error": "e", "code": 401}),
    ],
)  # fmt: skip
def test_a_response_says_who_refused_the_call(by, status, body):
    """Archal's own envelope differs from the errors of the services."""
    response = Response(status, json=body)
    assert response.rejected_by == by
    rejected = isinstance(status_error(response), errors.RouteRejectedError)
    assert rejected is (by == ROUTE)


@pytest.mark.parametrize(
    "content",
    [b"", b"Bad Gateway", b"<html>", b"\xff\xfe", b'{"error": "e"', b"[" * 5_000_000, b"null"],
)
def test_a_body_of_unknown_shape_names_nobody(content):
    """A proxy may have sent it. It raises nothing."""
    response = Response(502, content=content)
    assert response.rejected_by is None
    with pytest.raises(errors.ServerError) as caught:
        response.raise_for_status()
    assert (caught.value.code, caught.value.detail) == (None, None)


@pytest.mark.parametrize("status", [200, 201, 204, 302, 304, 399])
def test_nobody_refused_a_call_below_400(status):
    """The body does not matter."""
    assert Response(status, json={"error": "e", "message": "m"}).rejected_by is None


STATUSES = [
    (300, errors.StatusError),
    (302, errors.StatusError),
    (400, errors.BadRequestError),
    (401, errors.AuthenticationError),
    (402, errors.StatusError),
    (403, errors.PermissionDeniedError),
    (404, errors.NotFoundError),
    (409, errors.StatusError),
    (422, errors.StatusError),
    (426, errors.UpgradeRequiredError),
    (429, errors.RateLimitError),
    (500, errors.ServerError),
    (502, errors.ServerError),
    (503, errors.ServerError),
    (599, errors.ServerError),
]


@pytest.mark.parametrize(("status", "cls"), STATUSES)
def test_each_status_has_its_own_error(status, cls):
    """The message is method, address and status."""
    response = Response(
        status,
        json={"message": "m", "documentation_url": "u"},
        headers={"Retry-After": "7"},
        request=Request("GET", "/a?q=1"),
    )
    assert not response.is_success
    with pytest.raises(errors.StatusError) as caught:
        response.raise_for_status()
    error = caught.value
    assert type(error) is cls
    assert str(error) == f"GET /a: status {status}: m"
    assert (error.status_code, error.response, error.retry_after) == (status, response, 7.0)
    assert (error.code, error.detail) == (None, "m")


@pytest.mark.parametrize(("status", "cls"), STATUSES)
def test_the_control_plane_never_gives_a_route_rejection(status, cls):
    """It uses the same envelope, but there is no route."""
    response = Response(status, json={"error": "e", "code": "c", "detail": "d"})
    assert type(status_error(response, routed=False)) is cls


def test_a_route_rejection_has_status_code_and_detail():
    body = {"error": "forbidden", "code": "wrong_user", "message": "m", "detail": "d"}
    with pytest.raises(
        errors.RouteRejectedError, match=r"^status 403 \(wrong_user\): m$"
    ) as caught:
        Response(403, json=body).raise_for_status()
    assert (caught.value.code, caught.value.detail) == ("wrong_user", "d")


@pytest.mark.parametrize("code", ["Secret-Key", "abc123", "a b", "a\nb", "", "x" * 41, "\xe9"])
def test_a_code_that_may_be_a_credential_is_not_shown(code):
    """The error has it as an attribute."""
    error = status_error(Response(400, json={"code": code}))
    assert error.code == code
    assert str(error) == "status 400"


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_raise_for_status_returns_a_success(status):
    response = Response(status)
    assert response.is_success
    assert response.raise_for_status() is response


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("1.5", None),
        ("-1", None),
        ("+1", None),
        ("1e3", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("\u0663", None),
        ("\xb2", None),
        ("", None),
        ("5, 6", None),
    ],
)
def test_retry_after_is_whole_seconds_or_nothing(value, seconds):
    assert Response(503, headers={"Retry-After": value}).retry_after == seconds
    assert Response(503).retry_after is None


NOW = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("moment", "date", "seconds"),
    [
        ("Wed, 21 Oct 2026 07:29:30 GMT", NOW, 90.0),
        ("Wednesday, 21-Oct-26 07:28:05 GMT", NOW, 5.0),
        (NOW, NOW, 0.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", NOW, 0.0),
        (NOW, None, None),
        (NOW, "now", None),
        (NOW, "Wed, 21 Oct 2026 07:28:00 -0000", None),
        ("Wed, 99 Oct 2026 07:28:00 GMT", NOW, None),
        ("soon", NOW, None),
        ("-5", NOW, None),
        ("1.5", NOW, None),
        ("0" * 9999 + "x", NOW, None),
    ],
)
def test_retry_after_as_a_date_counts_on_the_servers_clock(moment, date, seconds):
    """Without the server's date it is unknown."""
    headers = {"Retry-After": moment} | ({"Date": date} if date else {})
    assert Response(503, headers=headers).retry_after == seconds


@pytest.mark.parametrize(
    ("content_type", "content", "text"),
    [
        (None, "caf\xe9".encode(), "caf\xe9"),
        ("text/plain", "caf\xe9".encode(), "caf\xe9"),
        ("text/plain; charset=iso-8859-1", b"caf\xe9", "caf\xe9"),
        ("text/plain; CHARSET=ISO-8859-1", b"caf\xe9", "caf\xe9"),
        ('text/plain; charset="utf-8"; x=y', "caf\xe9".encode(), "caf\xe9"),
        ("text/plain; charset='latin-1'", b"\xe9", "\xe9"),
        ("text/plain; charset=", b"a", "a"),
        ("text/plain; charset=nonsense", b"a\xff", "a\ufffd"),
        ("text/plain; charset=hex", b"6161", "6161"),
        ("text/plain; charset=idna", b"a\xff", "a\ufffd"),
        ("text/plain; charset=undefined", b"a", "a"),
        ("text/plain; charset=Punycode", b"a-b", "a-b"),
        ("text/plain; charset=unicode-escape", b"\\d\\n", "\\d\\n"),
        ("text/plain; charset=raw_unicode_escape", b"\\u0041", "\\u0041"),
        ("text/plain; charset=" + "x" * 60_000, b"a", "a"),
        ("text/plain; charset=a\x00b", b"a", "a"),
        ("text/plain", b"\xff", "\ufffd"),
        ("text/plain", b"", ""),
    ],
)
def test_text_is_in_the_charset_named(content_type, content, text):
    """The default is UTF-8. Wrong bytes and charsets raise nothing."""
    headers = {} if content_type is None else {"Content-Type": content_type}
    assert Response(200, headers=headers, content=content).text == text


CHARSETS = st.sampled_from([module.name for module in pkgutil.iter_modules(encodings.__path__)])


@given(st.text(max_size=10) | CHARSETS, st.binary(max_size=20))
def test_text_never_fails(charset, content):
    """The server may call its charset anything."""
    headers = [("content-type", f"text/plain; charset={charset}")]
    assert isinstance(Response(200, headers=headers, content=content).text, str)


def test_a_body_is_decoded_as_plain_values_or_a_type():
    """A wrong body is a DecodeError with its path."""
    response = Response(200, json=[{"name": "x", "id": 1}])
    assert response.json() == [{"name": "x", "id": 1}]
    assert response.decode(list[Repo]) == [Repo("x")]
    with pytest.raises(DecodeError) as caught:
        Response(200, json={"name": 5}).decode(Repo)
    assert caught.value.path == "$.name"
    with pytest.raises(DecodeError, match="the body is empty"):
        Response(204).json()


def test_error_fields_are_strings_of_the_envelope():
    """Anything else is None."""
    response = Response(400, json={"error": "e", "code": 5})
    assert [response.error_field(name) for name in ("error", "code", "detail")] == ["e", None, None]


def test_a_response_needs_a_status_only():
    """Every other part has a default."""
    response = Response(200)
    assert (response.content, response.text, response.elapsed, response.attempts) == (
        b"",
        "",
        0.0,
        1,
    )
    assert Response(200, content=b"x", json={"a": 1}).content == b'{"a":1}'
    assert dict(Response(200, headers=[("A", "1"), ("a", "2")]).headers) == {"a": "1, 2"}


def test_a_response_shows_status_and_size_only():
    response = Response(200, headers={"X": "hunter2"}, content=b"hunter2")
    assert repr(response) == "<Response 200, 7 bytes>"


def test_a_response_survives_pickling():
    response = Response(201, headers={"A": "1"}, json={}, elapsed=0.5, request=Request("GET", "/a"))
    again = repickled(response)
    assert all(getattr(again, name) == getattr(response, name) for name in Response.__slots__)
