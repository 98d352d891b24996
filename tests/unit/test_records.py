"""What the record of a call says of its outcome: who refused, of which session, and how grave it is."""

from __future__ import annotations

import contextlib
import json

import msgspec
import pytest
from support.fakes import script, session

from archal_lambda import (
    ArchalClient,
    CallRecord,
    Clones,
    ConnectError,
    Response,
    RetryPolicy,
    Settings,
    errors,
)
from archal_lambda.core.records import has_failed, log_fields, log_level

ROUTE = {"error": "unauthorized", "code": "token_expired", "message": "the token has expired"}
GITHUB = {"message": "Not Found", "documentation_url": "https://docs.test", "status": "404"}


def recorded(outcome, *, base="https://clone.test/github/api", session_id=None, **options):
    """The record of one call with this outcome."""
    records = []
    settings = Settings(clone_urls={"github": base}, token="t", session_id=session_id)
    clones = Clones(settings, transport=script(outcome), on_call=records.append, **options)
    with contextlib.suppress(errors.TransportError):
        clones["github"].post("/a")
    (record,) = records
    return record


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, {"code": "not_looked_at", "error": "x"}, None),
        (401, ROUTE, "token_expired"),
        (404, GITHUB, None),
        (400, {"error": {"type": "card_error", "code": "card_declined"}}, "card_declined"),
        (400, {"error": {"type": "invalid_request_error"}}, "invalid_request_error"),
        (429, {"ok": False, "error": "ratelimited"}, "ratelimited"),
        (400, {"ok": False, "code": 17, "error": "not_authed"}, "not_authed"),
        (403, {"ok": False, "code": "ghp_AaBb12", "error": "x" * 41}, None),
        (500, [{"code": "in_a_list"}], None),
        (500, {"ok": False, "code": "late", "x": "y" * 70_000}, None),
    ],
)
def test_a_refusal_says_who_and_why(status, body, code):
    """The code is shown only if it can be no credential, and looked for in no body of any size."""
    response = Response(status, json=body)
    record = recorded(response)

    assert (record.status_code, record.code) == (status, code)
    assert record.rejected_by == response.rejected_by


def test_nobody_is_asked_who_refused_what_succeeded(monkeypatch):
    """It would cost every call a look at its body."""
    monkeypatch.setattr(Response, "rejected_by", property(lambda _: 1 / 0))

    assert recorded(Response(201, json=ROUTE)).rejected_by is None


def test_a_body_that_is_not_json_has_no_code():
    """Nor does anybody fail over it."""
    record = recorded(Response(502, content=b"<html>\xff"))

    assert (record.status_code, record.code) == (502, None)


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"X-Request-Id": "4bf92f35-77b3"}, "4bf92f35-77b3"),
        ({"x-github-request-id": "F2F3:1C9A:5D:6E:64"}, "F2F3:1C9A:5D:6E:64"),
        ({"Request-Id": "req_8pq"}, "req_8pq"),
        ({"x-amzn-RequestId": "c6af9ac6-7b61"}, "c6af9ac6-7b61"),
        ({"cf-ray": "8a1-FRA", "x-request-id": "first"}, "first"),
        ({"x-request-id": "a" * 128}, "a" * 128),
        ({"x-request-id": "a" * 129}, None),
        ({"x-request-id": ""}, None),
        ({"x-request-id": "Bearer abc"}, None),
        ({"x-request-id": 'a"b'}, None),
        ({"x-request-id": "a\x80b"}, None),
        ({"x-other": "b"}, None),
    ],
)
def test_the_servers_id_of_the_request(headers, found):
    """Whatever its name is; one that is too long, or of other characters, is left out."""
    assert recorded(Response(200, headers=headers)).request_id == found


@pytest.mark.parametrize(
    ("base", "known", "found"),
    [
        ("https://clone.test/github/api", None, None),
        ("https://clone.test/github/api", "ses-01", "ses-01"),
        ("https://ses-01hx.clones.archal.ai/github/api", None, "ses-01hx"),
        ("https://ses-01hx.clones.archal.ai/github/api", "ses-01HX", "ses-01HX"),
        ("https://ses-02.clones.archal.ai/github/api", "ses-01", "ses-02"),
        ("https://api.archal.ai/runtime/env_12345/github/api", None, "env_12345"),
        ("https://archal.ai.test/x.clones.archal.ai/api", None, None),
    ],
)
def test_the_session_is_the_one_that_is_called(base, known, found):
    """The settings say which, unless the address names another."""
    assert recorded(200, base=base, session_id=known).session_id == found


def test_calls_to_the_control_plane_are_recorded():
    """They have no clone; the path names the session. Nobody stands between: nothing is rejected on the way."""
    records = []
    outcomes = [session(), Response(403, json=ROUTE), 204, 404, ConnectError("no")]
    sessions = ArchalClient(
        Settings(token="t"),
        transport=script(*outcomes),
        retry=RetryPolicy(attempts=1),
        on_call=records.append,
    ).sessions
    sessions.create(clones=["github"])
    for call in (sessions.get, sessions.delete, sessions.delete, sessions.get):
        with contextlib.suppress(errors.ArchalError):
            call("ses 1/é")

    path = "/api/sessions/ses%201%2F%C3%A9"
    assert [
        (one.clone, one.method, one.path, one.session_id, one.rejected_by, one.code)
        for one in records
    ] == [
        ("", "POST", "/api/sessions", None, None, None),
        ("", "GET", path, "ses 1/é", None, "token_expired"),
        ("", "DELETE", path, "ses 1/é", None, None),
        ("", "DELETE", path, "ses 1/é", None, None),
        ("", "GET", path, "ses 1/é", None, None),
    ]
    assert [log_level(one) for one in records] == ["INFO", "ERROR", "INFO", "WARNING", "ERROR"]
    assert [has_failed(one) for one in records] == [False, True, False, False, True]


def made(clone="github", **facts):
    """A record with these facts."""
    given = {"method": "GET", "status_code": 200, "error": None, "attempts": 1} | facts
    return CallRecord(clone=clone, path="/a", sent=True, elapsed=0.01, time_left=None, **given)


@pytest.mark.parametrize(
    ("facts", "level", "failed"),
    [
        ({}, "INFO", False),
        ({"status_code": 304}, "INFO", False),
        ({"status_code": 404, "rejected_by": "clone"}, "INFO", False),
        ({"status_code": 401}, "INFO", False),
        ({"status_code": 429, "rejected_by": "clone"}, "WARNING", False),
        ({"status_code": 500, "rejected_by": "clone"}, "WARNING", True),
        ({"status_code": 599}, "WARNING", True),
        ({"attempts": 2}, "WARNING", False),
        ({"status_code": 404, "attempts": 2}, "WARNING", False),
        ({"status_code": 401, "rejected_by": "route"}, "ERROR", True),
        ({"status_code": 429, "rejected_by": "route"}, "ERROR", True),
        ({"status_code": 503, "rejected_by": "route"}, "ERROR", True),
        ({"status_code": None, "error": "RequestTimeout"}, "ERROR", True),
        ({"status_code": None, "error": "ConnectError", "attempts": 0}, "ERROR", True),
        ({"clone": ""}, "INFO", False),
        ({"clone": "", "attempts": 3}, "WARNING", False),
        ({"clone": "", "status_code": 302}, "ERROR", True),
        ({"clone": "", "status_code": 404}, "ERROR", True),
        ({"clone": "", "status_code": 404, "method": "DELETE"}, "WARNING", False),
        ({"clone": "", "status_code": 502, "method": "DELETE"}, "ERROR", True),
        ({"clone": "", "status_code": None, "error": "ConnectionLost"}, "ERROR", True),
    ],
)
def test_the_level_is_that_of_the_outcome(facts, level, failed):
    """A clone's refusals are what is tested; all else that goes wrong is for the operator."""
    record = made(**facts)

    assert (log_level(record), has_failed(record)) == (level, failed)


def test_a_line_has_what_is_known():
    """As in the record; what is not known is left out, and JSON can say the rest."""
    facts = {"rejected_by": "route", "session_id": "s", "code": "c", "request_id": "r"}
    assert log_fields(made("", status_code=404)) == {
        "method": "GET",
        "path": "/a",
        "status": 404,
        "sent": True,
        "attempts": 1,
        "duration_ms": 10.0,
    }
    line = log_fields(made(**facts))
    assert line | facts | {"clone": "github"} == line
    json.dumps(line)


def test_a_record_made_as_before_and_one_of_json():
    """The newer fields may be left out."""
    assert made().rejected_by is made().session_id is made().code is made().request_id is None
    record = made(rejected_by="route", session_id="s", code="c", request_id="r")
    assert msgspec.json.decode(msgspec.json.encode(record), type=CallRecord) == record
