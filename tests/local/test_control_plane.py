"""The control plane: fields, limits, statuses and the error envelope of the contract."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re

import pytest
from support.standin import Control, send

SUMMARY = {
    "sessionId",
    "status",
    "alive",
    "cloneIds",
    "endpoints",
    "apiBaseUrls",
    "mcp",
    "resolvedSeeds",
    "evidence",
    "runtimeProvider",
    "scenarioId",
    "batchId",
    "batchSuiteName",
    "createdAt",
    "expiresAt",
    "endedAt",
    "lastError",
}


def refused(answer, status, code):
    """Assert that a response is Archal's envelope, and give its message."""
    assert answer.status == status, answer.body
    assert answer.header("content-type") == "application/json"
    assert answer.json["code"] == code
    assert all(isinstance(value, str) for value in answer.json.values())
    return answer.json["message"]


def moment(text):
    assert text.endswith("Z")
    return dt.datetime.fromisoformat(text)


def test_create_answers_200_with_the_whole_summary(archal, control):
    """A session has every field of the published summary."""
    answer = control.create(seeds={"github": "small-project"}, scenarioId="sc-1", ttlSeconds=60)
    session = answer.json
    assert answer.status == 200
    assert set(session) == SUMMARY
    assert re.fullmatch(r"[a-z][a-z0-9-]{0,62}", session["sessionId"])
    base = f"{archal.runtime_url}/runtime/{session['sessionId']}/github/api"
    assert session["apiBaseUrls"] == session["endpoints"] == {"github": base}
    assert (session["status"], session["alive"], session["cloneIds"]) == (
        "running",
        True,
        ["github"],
    )
    assert session["resolvedSeeds"] == {"github": "small-project"}
    assert session["mcp"] == {"github": base.removesuffix("api") + "mcp"}
    assert (session["evidence"], session["runtimeProvider"]) == ({}, "local")
    assert session["scenarioId"] == "sc-1"
    assert [session[name] for name in ("batchId", "batchSuiteName", "endedAt", "lastError")] == [
        None
    ] * 4
    assert moment(session["expiresAt"]) - moment(session["createdAt"]) == dt.timedelta(seconds=60)


def test_a_session_lives_half_an_hour_unless_told_otherwise(control):
    """`ttlSeconds` defaults to 1800."""
    session = control.create().json
    assert moment(session["expiresAt"]) - moment(session["createdAt"]) == dt.timedelta(minutes=30)
    assert session["resolvedSeeds"] == {"github": "empty"}
    assert session["scenarioId"] is None


@pytest.mark.parametrize(
    "fields",
    [
        {"preflightOnly": True, "transport": "cloud", "scenarioRunCount": 1000},
        {"ttlSeconds": 1, "rateLimit": 1, "scenarioRunCount": 1},
        {"ttlSeconds": 86400, "rateLimit": 100000},
        {name: {"a": [1]} for name in ("routing", "source", "credential", "runConfig")},
        {"scenarioDraft": {}, "runProject": {"x": None}, "seeds": {}},
        {"clones": ["github", "github"]},
        {"clones": ["echo", "github"], "seeds": {"echo": "empty"}},
    ],
)
def test_every_documented_field_is_taken(control, fields):
    """The limits themselves are in range."""
    answer = control.create(**fields)
    assert answer.status == 200, answer.body
    assert answer.json["cloneIds"] == list(dict.fromkeys(fields.get("clones", ["github"])))


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"clones": []}, "clones"),
        ({"clones": None}, "clones"),
        ({"clones": "github"}, "clones"),
        ({"clones": [1]}, "clones"),
        ({"clones": ["jira"]}, "clones"),
        ({"clones": ["../x"]}, "clones"),
        ({"surprise": 1}, "surprise"),
        ({"ttl_seconds": 60}, "ttl_seconds"),
        ({"ttlSeconds": 0}, "ttlSeconds"),
        ({"ttlSeconds": 86401}, "ttlSeconds"),
        ({"ttlSeconds": "60"}, "ttlSeconds"),
        ({"ttlSeconds": True}, "ttlSeconds"),
        ({"ttlSeconds": 1.5}, "ttlSeconds"),
        ({"ttlSeconds": None}, "ttlSeconds"),
        ({"ttlSeconds": 10**40}, "ttlSeconds"),
        ({"scenarioRunCount": 0}, "scenarioRunCount"),
        ({"scenarioRunCount": 1001}, "scenarioRunCount"),
        ({"rateLimit": 0}, "rateLimit"),
        ({"rateLimit": 100001}, "rateLimit"),
        ({"preflightOnly": "yes"}, "preflightOnly"),
        ({"transport": 1}, "transport"),
        ({"scenarioId": 1}, "scenarioId"),
        ({"routing": []}, "routing"),
        ({"source": "x"}, "source"),
        ({"credential": None}, "credential"),
        ({"runConfig": 1}, "runConfig"),
        ({"scenarioDraft": []}, "scenarioDraft"),
        ({"runProject": []}, "runProject"),
        ({"seeds": []}, "seeds"),
        ({"seeds": {"github": 1}}, "seeds"),
        ({"seeds": {"github": "none"}}, "seeds"),
        ({"seeds": {"echo": "empty"}}, "seeds"),
    ],
)
def test_a_wrong_field_is_400_and_named(control, fields, named):
    """The message names the field as it is written on the wire."""
    message = refused(control.create(**fields), 400, "invalid_request")
    assert named in message
    assert len(message) < 400


def test_clones_is_required(control):
    """A body without `clones` is refused by that name."""
    message = refused(control("POST", "/api/sessions", {}), 400, "invalid_request")
    assert "clones" in message


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"{", "invalid_json"),
        (b"clones=github", "invalid_json"),
        (b'{"clones":["\xff"]}', "invalid_json"),
        (b'{"clones":["github"],"routing":{"a":' + b"[" * 100_000, "invalid_json"),
        (b"[]", "invalid_request"),
        (b"null", "invalid_request"),
    ],
)
def test_a_body_that_is_no_json_object_is_400(control, body, code):
    """Nothing of the body comes back in the message."""
    refused(control("POST", "/api/sessions", body=body), 400, code)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_the_content_type_does_not_matter(control, kind):
    """A body that is JSON is taken as JSON."""
    answer = control.create(headers=[("Content-Type", kind)])
    assert answer.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer wrong")],
        [("Authorization", "Basic {token}")],
        [("Authorization", "{token}")],
        [("Authorization", "Bearer {token}"), ("Authorization", "Bearer {token}")],
        [("x-route-authorization", "Bearer {token}")],
    ],
)
@pytest.mark.parametrize("path", ["/auth/me", "/api/clones", "/api/sessions", "/api/sessions/x"])
def test_without_a_valid_token_everything_is_401(archal, path, headers):
    """The envelope names the header, and the challenge is there."""
    filled = [(name, value.format(token=archal.token)) for name, value in headers]
    answer = send(archal.api_url + path, headers=filled)
    assert "Authorization" in refused(answer, 401, "unauthorized")
    assert answer.header("www-authenticate").startswith("Bearer")


def test_the_scheme_is_read_in_any_case(archal):
    """RFC 9110 section 11.1: a scheme is case-insensitive."""
    headers = {"Authorization": f"bearer {archal.token}"}
    assert send(f"{archal.api_url}/auth/me", headers=headers).status == 200


def test_identity_and_catalogue(archal, control):
    """`/auth/me` and `/api/clones` answer as published."""
    me = control("GET", "/auth/me").json
    emulated = ["google-workspace", "linear", "slack", "stripe"]
    assert me["selectedCloneIds"] == ["echo", "github", *emulated]
    assert me["managedEvaluatorAvailable"] is False
    assert {"userId", "plan", "email"} < set(me)
    other = Control(archal.api_url, archal.other_token)
    assert other("GET", "/auth/me").json["userId"] != me["userId"]
    clones = control("GET", "/api/clones").json["clones"]
    assert clones == [
        {"id": "github", "seeds": ["empty", "small-project", "stale-issues", "large-backlog"]},
        *({"id": clone, "seeds": ["empty", "default"]} for clone in emulated),
        {"id": "echo", "seeds": ["empty"]},
    ]


def test_list_get_delete(archal, control):
    """A deleted session leaves the list, stays readable, and cannot be deleted twice."""
    first, second = control.create().json, control.create().json
    listed = [one["sessionId"] for one in control("GET", "/api/sessions").json["sessions"]]
    assert listed[0] == archal.session_id
    assert listed[-2:] == [first["sessionId"], second["sessionId"]]
    path = f"/api/sessions/{first['sessionId']}"
    assert control("GET", path).json == first
    deleted = control("DELETE", path)
    assert (deleted.status, deleted.body) == (204, b"")
    ended = control("GET", path)
    assert (ended.status, ended.json["status"], ended.json["alive"]) == (200, "ended", False)
    assert moment(ended.json["endedAt"]) >= moment(first["createdAt"])
    assert control("GET", "/api/sessions").json["sessions"][-1] == second
    assert first["sessionId"] not in str(control("GET", "/api/sessions").json)
    refused(control("DELETE", path), 404, "session_ended")


def test_another_users_session_is_403_and_an_unknown_one_404(archal, control):
    """Both verbs look at the owner."""
    other = Control(archal.api_url, archal.other_token)
    for method in ("GET", "DELETE"):
        refused(other(method, f"/api/sessions/{archal.session_id}"), 403, "forbidden")
        refused(control(method, "/api/sessions/ses-none"), 404, "session_not_found")
    assert other("GET", "/api/sessions").json == {"sessions": []}


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("PUT", "/api/sessions", 405, {"GET", "HEAD", "POST"}),
        ("POST", "/api/sessions/x", 405, {"GET", "HEAD", "DELETE"}),
        ("BREW", "/auth/me", 405, {"GET", "HEAD"}),
        ("GET", "/nowhere", 404, None),
        ("GET", "/api", 404, None),
        ("GET", "/api/sessions/", 404, None),
        ("GET", "/api/scenarios", 404, None),
        ("GET", "/runtime", 404, None),
        ("GET", "/api/sessions/a%2Fb", 404, None),
        ("GET", "/api/sessions/../sessions", 404, None),
        ("GET", "/api/sessions/%00", 404, None),
        ("GET", "/api/sessions/%ff%fe", 404, None),
        ("GET", "/api/sessions/" + "a" * 60_000, 404, None),
    ],
)
def test_unknown_routes_and_methods_use_the_envelope(control, method, path, status, allow):
    """Hostile paths included: never a 500."""
    answer = control(method, path)
    assert answer.status == status
    assert set(answer.json) == {"error", "code", "message"}
    if allow is not None:
        assert set(answer.header("allow").split(", ")) == allow


@pytest.mark.parametrize("path", ["/auth/me", "/api/clones", "/api/sessions"])
def test_head_is_get_without_body(control, path):
    """RFC 9110 section 9.3.2."""
    answer = control("HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.header("content-length")) > 0


def test_a_key_replays_the_session_for_an_equal_body(control):
    """Bodies are compared by value; the response is the session as it is now."""
    key = [("Idempotency-Key", "k" * 200)]
    first = control("POST", "/api/sessions", {"clones": ["github"], "ttlSeconds": 60}, headers=key)
    spelled = b'{ "ttlSeconds":60, "transport":"cloud", "clones":[ "github" ] }'
    again = control("POST", "/api/sessions", body=spelled, headers=key)
    assert again.json == first.json
    control("DELETE", f"/api/sessions/{first.json['sessionId']}")
    ended = control("POST", "/api/sessions", body=spelled, headers=key)
    assert (ended.status, ended.json["status"]) == (200, "ended")
    assert ended.json["sessionId"] == first.json["sessionId"]


def test_a_key_with_another_body_is_409(control):
    """The first body owns the key."""
    key = [("Idempotency-Key", "one")]
    assert control.create(headers=key).status == 200
    refused(control.create(headers=key, ttlSeconds=60), 409, "idempotency_key_reuse")
    refused(control.create(headers=key, ttlSeconds=0), 400, "invalid_request")


def test_a_key_belongs_to_one_user(archal, control):
    """Another user's same key makes another session."""
    key = [("Idempotency-Key", "shared")]
    other = dataclasses.replace(control, token=archal.other_token)
    mine, theirs = control.create(headers=key).json, other.create(headers=key, ttlSeconds=9).json
    assert mine["sessionId"] != theirs["sessionId"]


def test_a_key_over_200_characters_is_400(control):
    """The limit is the documented one."""
    answer = control.create(headers=[("Idempotency-Key", "k" * 201)])
    assert "Idempotency-Key" in refused(answer, 400, "invalid_request")


def test_without_a_key_each_create_makes_a_session(control):
    """Equal bodies alone are not a replay."""
    assert control.create().json["sessionId"] != control.create().json["sessionId"]


def test_a_session_starts_runs_and_ends_by_the_clock(delayed):
    """`starting` for the delay, `running` until the TTL, `ended` after it."""
    archal, clock = delayed
    control = Control(archal.api_url, archal.token)
    created = control.create(ttlSeconds=100).json
    path = f"/api/sessions/{created['sessionId']}"
    seen = []
    for step in (0, 29.5, 0.5, 69.5, 0.5, 1000):
        clock.now += step
        session = control("GET", path).json
        listed = created["sessionId"] in str(control("GET", "/api/sessions").json)
        seen.append((session["status"], session["alive"], session["endedAt"] is None, listed))
    assert seen == [
        ("starting", False, True, True),
        ("starting", False, True, True),
        ("running", True, True, True),
        ("running", True, True, True),
        ("ended", False, False, False),
        ("ended", False, False, False),
    ]
    assert control("GET", path).json["endedAt"] == created["expiresAt"]
    refused(control("DELETE", path), 404, "session_ended")


def test_a_body_over_the_limit_is_read_and_refused(control):
    """10 MB are kept, more is 413; a caller without token is told so first."""
    body = b'"' + b"x" * 10_000_000
    refused(control("POST", "/api/sessions", body=body), 413, "payload_too_large")
    stranger = dataclasses.replace(control, token="wrong")
    refused(stranger("POST", "/api/sessions", body=body), 401, "unauthorized")
