"""The operations of the control plane, stepped by hand."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import Response, Timeout, errors
from archal_lambda.core.control_plane import ControlPlane, control_options
from archal_lambda.core.flow import Authorize, Send
from archal_lambda.core.headers import Headers
from archal_lambda.core.sessions import creation
from archal_lambda.core.url import BaseUrl

SESSION = {
    "sessionId": "ses-1",
    "status": "running",
    "cloneIds": ["github"],
    "endpoints": {},
    "apiBaseUrls": {},
    "createdAt": "2026-01-02T03:04:05Z",
    "expiresAt": "2026-01-02T03:34:05Z",
}


def nested(depth):
    """Make a dict in a dict, and so on."""
    value = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def create(**fields):
    return creation(clones=["github"], key="k", fields=fields)


OPTIONS = control_options(Timeout(15.0))
CONTROL = ControlPlane(BaseUrl("https://archal.test"), OPTIONS, lambda: 1.0)


def play(flow, *responses):
    """Carry an operation out with these responses, and return what was sent and what it returned."""
    left, sent, outcome = iter(responses), [], None
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as stop:
            return sent, stop.value
        outcome = None
        if isinstance(step, Authorize):
            outcome = Headers({"Authorization": "Bearer t"})
        elif isinstance(step, Send):
            sent.append(step.request)
            outcome = next(left)


def first(flow):
    """Give the first request that an operation sends."""
    next(flow)
    return flow.send(Headers()).request


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, {}),
        ({"ttl_seconds": 1}, {"ttlSeconds": 1}),
        ({"ttl_seconds": 86_400}, {"ttlSeconds": 86_400}),
        ({"scenario_run_count": 1000}, {"scenarioRunCount": 1000}),
        ({"rate_limit": 100_000}, {"rateLimit": 100_000}),
        ({"scenario_id": "s"}, {"scenarioId": "s"}),
        ({"preflight_only": False}, {"preflightOnly": False}),
        ({"transport": "cloud"}, {"transport": "cloud"}),
        ({"seeds": {"github": "small-project"}}, {"seeds": {"github": "small-project"}}),
        ({"seeds": {}}, {"seeds": {}}),
        ({"run_config": {"a": [1]}, "scenario_draft": {}}, {"runConfig": {"a": [1]}, "scenarioDraft": {}}),
        ({"run_project": {}, "routing": {}}, {"runProject": {}, "routing": {}}),
        ({"source": {}, "credential": {}}, {"source": {}, "credential": {}}),
        ({"ttl_seconds": None, "seeds": None}, {}),
    ],
)  # fmt: skip
def test_a_creation_sends_the_fields_given(fields, body):
    """They have Archal's names. The key is a header."""
    request = create(**fields)
    assert (request.method, request.target) == ("POST", "/api/sessions")
    assert json.loads(request.content) == {"clones": ["github"], **body}
    assert request.headers["idempotency-key"] == "k"
    assert request.idempotent


@pytest.mark.parametrize(
    ("fields", "error", "named"),
    [
        ({"ttl_seconds": 0}, ValueError, "ttl_seconds must be from 1 to 86400"),
        ({"ttl_seconds": 86_401}, ValueError, "ttl_seconds"),
        ({"scenario_run_count": 0}, ValueError, "scenario_run_count must be from 1 to 1000"),
        ({"scenario_run_count": 1001}, ValueError, "scenario_run_count"),
        ({"rate_limit": 0}, ValueError, "rate_limit must be from 1 to 100000"),
        ({"rate_limit": 100_001}, ValueError, "rate_limit"),
        ({"ttl_seconds": True}, TypeError, "ttl_seconds must be a whole number"),
        ({"ttl_seconds": 1.5}, TypeError, "ttl_seconds"),
        ({"rate_limit": "5"}, TypeError, "rate_limit"),
        ({"scenario_id": 5}, TypeError, "scenario_id must be a str"),
        ({"transport": ["cloud"]}, TypeError, "transport must be a str"),
        ({"preflight_only": 1}, TypeError, "preflight_only must be a bool"),
        ({"seeds": ["small-project"]}, TypeError, "seeds must be a dict of clone id to seed name"),
        ({"seeds": {"github": None}}, TypeError, "seeds"),
        ({"seeds": {1: "x"}}, TypeError, "seeds"),
        ({"run_config": []}, TypeError, "run_config must be a dict"),
        ({"source": "x"}, TypeError, "source must be a dict"),
        (
            {"run_config": {"a": object()}},
            TypeError,
            "run_config contains something that JSON cannot",
        ),
        ({"source": nested(10_000)}, ValueError, "source contains something"),
        ({"scenario_id": "\ud800"}, ValueError, "scenario_id contains something"),
        ({"colour": {}}, TypeError, "colour is not a field of a session"),
        ({"ttlSeconds": 5}, TypeError, "ttlSeconds is not a field of a session"),
    ],
)
def test_a_field_that_is_out_of_range_is_named(fields, error, named):
    """Nothing is sent."""
    with pytest.raises(error, match=named):
        create(**fields)


@pytest.mark.parametrize(
    ("clones", "error"),
    [
        ("github", TypeError),
        (b"github", TypeError),
        (None, TypeError),
        (5, TypeError),
        ([], ValueError),
        ((), ValueError),
        ([""], ValueError),
        ([None], ValueError),
        ([5], ValueError),
    ],
)
def test_clones_that_are_not_a_list_of_ids_are_refused(clones, error):
    """One string is not a list. Every id is a string that is not empty."""
    with pytest.raises(error, match="clones must be a list"):
        creation(clones=clones, key="k", fields={})


def test_clones_may_be_any_iterable():
    """It is read once."""
    request = creation(clones=iter(["github", "slack"]), key="k", fields={})
    assert json.loads(request.content)["clones"] == ["github", "slack"]


@pytest.mark.parametrize("length", [1, 200])
def test_an_idempotency_key_has_1_to_200_characters(length):
    key = "k" * length
    request = creation(clones=["a"], key=key, fields={})
    assert request.headers["Idempotency-Key"] == key


@pytest.mark.parametrize("key", ["", "k" * 201])
def test_a_key_of_another_length_is_refused(key):
    """Archal would respond with 400."""
    with pytest.raises(ValueError, match="idempotency_key must have 1 to 200 characters"):
        creation(clones=["a"], key=key, fields={})


def test_a_key_that_is_not_a_string_is_refused():
    """The error names it, as for every field."""
    with pytest.raises(TypeError, match="idempotency_key must be a str"):
        creation(clones=["a"], key=5, fields={})


@pytest.mark.parametrize("key", ["a\r\nX: y", "a\x00", "\u2603"])
def test_a_key_that_no_header_may_hold_is_refused(key):
    with pytest.raises(ValueError, match="header Idempotency-Key"):
        creation(clones=["a"], key=key, fields={})


@pytest.mark.parametrize(
    ("session_id", "path"),
    [
        ("ses-1", "/api/sessions/ses-1"),
        ("a/b", "/api/sessions/a%2Fb"),
        ("a b?c#d", "/api/sessions/a%20b%3Fc%23d"),
        ("100%", "/api/sessions/100%25"),
    ],
)
def test_a_session_id_is_one_segment(session_id, path):
    """Everything in it is encoded."""
    for operation, method in ((CONTROL.get, "GET"), (CONTROL.delete, "DELETE")):
        request = first(operation(session_id))
        assert (request.method, request.target) == (method, path)


@pytest.mark.parametrize("session_id", ["", ".", "..", "../clones", "%2e%2e", "a\\b", "a\nb"])
def test_a_session_id_that_leads_elsewhere_is_refused(session_id):
    """Nothing is sent to another path."""
    for operation in (CONTROL.get, CONTROL.delete):
        with pytest.raises(ValueError, match=r"^(path|session_id) "):
            first(operation(session_id))


@pytest.mark.parametrize("session_id", [None, 5, b"ses-1"])
def test_a_session_id_is_a_string(session_id):
    """Anything else is named, and not sent in some spelling of it."""
    for operation in (CONTROL.get, CONTROL.delete):
        with pytest.raises(TypeError, match="session_id must be a str"):
            first(operation(session_id))


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=12))
def test_any_session_id_stays_below_sessions(session_id):
    """It is one segment below /api/sessions, or a ValueError."""
    try:
        request = first(CONTROL.get(session_id))
    except ValueError:
        return
    assert request.path.startswith("/api/sessions/")
    assert request.target.count("/") == 3
    assert request.query == ""


def test_listing_is_a_plain_get():
    """The response holds a list."""
    (request,), sessions = play(CONTROL.list(), Response(200, json={"sessions": [SESSION]}))
    assert (request.method, request.target) == ("GET", "/api/sessions")
    assert [session.session_id for session in sessions] == ["ses-1"]


@pytest.mark.parametrize(
    ("status", "cls"),
    [
        (302, errors.StatusError),
        (400, errors.BadRequestError),
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (404, errors.NotFoundError),
        (409, errors.StatusError),
        (426, errors.UpgradeRequiredError),
        (429, errors.RateLimitError),
        (500, errors.ServerError),
        (503, errors.ServerError),
    ],
)
@pytest.mark.parametrize(
    ("method", "flow"),
    [
        ("GET", lambda: CONTROL.get("ses-1")),
        ("GET", CONTROL.list),
        ("DELETE", lambda: CONTROL.delete("ses-1")),
        ("POST", lambda: CONTROL.create(create())),
    ],
)
def test_a_failure_has_the_type_of_its_status(method, flow, status, cls):
    """Archal's envelope is not a route rejection here."""
    response = Response(status, json={"error": "e", "code": "some_code", "message": "m"})
    with pytest.raises(errors.StatusError) as caught:
        play(flow(), *[response] * 3)
    stop_failed = method == "DELETE" and status != 404
    assert type(caught.value) is (errors.TeardownFailedError if stop_failed else cls)
    assert str(caught.value).startswith(f"{method} https://archal.test/api/sessions")
    more = "; the session may still run" if stop_failed else ""
    assert str(caught.value).endswith(f": status {status} (some_code): m{more}")


def test_a_success_without_a_session_is_a_decode_error():
    with pytest.raises(errors.DecodeError):
        play(CONTROL.get("ses-1"), Response(200, json={}))
    with pytest.raises(errors.DecodeError):
        play(CONTROL.list(), Response(200, json=[]))


@pytest.mark.parametrize(
    ("statuses", "error"),
    [
        ([200], None),
        ([204], None),
        ([503, 404], None),
        ([503, 503, 404], None),
        ([404], errors.NotFoundError),
        ([502] * 3, errors.TeardownFailedError),
        ([503] * 3, errors.TeardownFailedError),
        ([500], errors.TeardownFailedError),
        ([401], errors.TeardownFailedError),
    ],
)
def test_a_delete_says_whether_the_session_may_still_run(statuses, error):
    """404 after a retry means that an earlier try did it. Any other failure means that the session may still run."""
    responses = [Response(status) for status in statuses]
    if error is None:
        play(CONTROL.delete("ses-1"), *responses)
        return
    with pytest.raises(errors.StatusError) as caught:
        play(CONTROL.delete("ses-1"), *responses)
    assert type(caught.value) is error


def test_the_control_plane_is_retried_twice():
    """Only failures that are known to pass are retried."""
    assert OPTIONS.retry.attempts == 3
    assert OPTIONS.retry_statuses == {429, 502, 503, 504}
