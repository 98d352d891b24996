"""The handlers on AWS's Runtime Interface Emulator and runtime client, against the local Archal."""

from __future__ import annotations

import base64
import json
import socket

import pytest

CREATE_REPO = "archal_lambda.handlers.create_repo.handler"
SECRET = "sentinel-d34db33f"


@pytest.fixture
def repo(event):
    """Make the event that asks for a repository, the body changed or not."""

    def make(name="test-repo", **changes):
        return {**event("create_repo"), "body": json.dumps({"name": name}), **changes}

    return make


def calls(log):
    """Pick the lines about calls to a clone."""
    return [line for line in log if line.get("message") == "clone call"]


def test_creates_a_repository(emulate, archal, repo):
    """A cold call succeeds; the clone sees the service credential and never the route header."""
    status, created = emulate(CREATE_REPO, archal.environ).invoke(repo()).http

    assert (status, created["full_name"]) == (201, "testuser/test-repo")
    (call,) = archal.requests
    assert "x-route-authorization" in call.received_headers
    assert "authorization" in call.clone_saw.headers
    assert "x-route-authorization" not in call.clone_saw.headers


def test_a_warm_call_reuses_the_connection(emulate, relay, relayed, repo):
    """The second call runs in the same process, on the connection of the first."""
    emulator = emulate(CREATE_REPO, relayed)

    statuses = [emulator.invoke(repo(name)).http[0] for name in ("one", "two", "three")]

    assert statuses == [201, 201, 201]
    assert len(relay.links) == 1
    assert [line["cold_start"] for line in calls(emulator.log(6))] == [True, False, False]


def test_a_refusal_of_the_clone_is_passed_on(emulate, archal, repo):
    """A clone's 4xx reaches the caller as the clone gave it."""
    emulator = emulate(CREATE_REPO, archal.environ)
    emulator.invoke(repo())

    status, refusal = emulator.invoke(repo()).http

    assert status == 422
    assert refusal["errors"][0]["message"] == "name already exists on this account"


def test_a_silent_clone_costs_the_budget_and_not_the_function(emulate, repo, secrets):
    """The handler responds with 504 within the function's timeout, and the process lives on."""
    secrets.append(SECRET)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}/github/api"
        settings = {
            "AGENT_CLONE_URLS": json.dumps({"github": base}),
            "AGENT_ROUTE_HEADERS": json.dumps({"x-route-authorization": f"Bearer {SECRET}"}),
        }
        emulator = emulate(CREATE_REPO, settings, timeout=3)

        first, second = (emulator.invoke(repo()).http for _ in range(2))

    assert first == second == (504, {"message": "the clone did not answer in time"})
    log = emulator.log(6)
    assert [line["error"] for line in calls(log)] == ["RequestTimeout"] * 2
    assert [line["cold_start"] for line in calls(log)] == [True, False]
    assert "timed out after" not in emulator.output


def test_the_platform_ends_a_handler_that_takes_too_long(emulate):
    """What a handler without a deadline gets: no response of its own, and a new process for the next call."""
    emulator = emulate("sleeper.handler", {}, timeout=1)

    before = emulator.invoke({"seconds": 0}).json
    assert "Task timed out after 1.00 seconds" in emulator.invoke({"seconds": 60}).text
    assert emulator.invoke({"seconds": 0}).json != before


@pytest.mark.parametrize(
    ("settings", "variable"),
    [
        ({"AGENT_CLONE_URLS": f"not JSON {SECRET}"}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": f'{{"github": "http://clone.test/{SECRET}"}}'}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": "", "ARCHAL_SESSION_ID": ""}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": None, "ARCHAL_SESSION_ID": None}, "AGENT_CLONE_URLS"),
        ({"AGENT_ROUTE_HEADERS": f'["{SECRET}"]'}, "AGENT_ROUTE_HEADERS"),
        ({"AGENT_ROUTE_HEADERS": None, "ARCHAL_TOKEN": None}, "AGENT_ROUTE_HEADERS"),
    ],
    ids=["no JSON", "no https", "empty", "no clones", "not an object", "no route"],
)
def test_a_bad_environment_fails_the_start(emulate, archal, secrets, settings, variable):
    """The error names the variable; neither it nor the log shows a value."""
    secrets.append(SECRET)
    changed = {**archal.environ, **settings}
    present = {name: value for name, value in changed.items() if value is not None}
    emulator = emulate("eager.handler", present)

    reply = emulator.invoke({})

    assert reply.status == 502
    assert reply.json["errorType"] == "ConfigurationError"
    assert variable in reply.json["errorMessage"]
    assert variable in emulator.output
    assert SECRET not in reply.text


@pytest.mark.parametrize(
    "settings",
    [
        {"AGENT_CLONE_URLS": f"not JSON {SECRET}"},
        {"AGENT_ROUTE_HEADERS": f'{{"x-route-authorization": "Bearer {SECRET}"}}'},
        {"AGENT_CLONE_URLS": '{"slack": "http://127.0.0.1:1/slack/api"}'},
    ],
)
def test_a_fault_of_the_settings_is_502_with_the_details_in_the_log(
    emulate, archal, repo, secrets, settings
):
    """The caller learns that the function is not set up, the operator learns why."""
    secrets.append(SECRET)
    emulator = emulate(CREATE_REPO, {**archal.environ, **settings})

    reply = emulator.invoke(repo())

    assert reply.http == (502, {"message": "this function is not set up to reach the clone"})
    lines = [line for line in emulator.log(2) if line.get("level") == "ERROR"]
    (failure,) = [line for line in lines if line["message"] == "clone call failed"]
    assert failure["reason"]


def test_hostile_events_are_400_and_end_nothing(emulate, archal, repo, secrets):
    """Whatever stands in the body, the caller is told that it is wrong; no clone is asked, nothing of it is logged."""
    secrets.append(SECRET)
    hostile = {
        "none": repo(body=None),
        "missing": {key: value for key, value in repo().items() if key != "body"},
        "no event": {},
        "null": None,
        "array": [],
        "number": repo(body=17),
        "empty": repo(body=""),
        "not JSON": repo(body=f'{{"name": {SECRET}'),
        "list": repo(body="[]"),
        "wrong type": repo(body=f'{{"name": ["{SECRET}"]}}'),
        "deep": repo(body="[" * 100_000),
        "lone surrogate": repo(body='{"name": "\ud800"}'),
        "bad base64": repo(body=f"no base64! {SECRET}", isBase64Encoded=True),
        "base64 of no text": repo(body=base64.b64encode(b"\xff").decode(), isBase64Encoded=True),
    }
    settings = {
        **archal.environ,
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    emulator = emulate(CREATE_REPO, settings)

    replies = {name: emulator.invoke(value) for name, value in hostile.items()}

    assert {name: reply.http[0] for name, reply in replies.items()} == dict.fromkeys(hostile, 400)
    assert not [name for name, reply in replies.items() if SECRET in reply.text]
    assert archal.requests == ()
    assert emulator.invoke(repo()).http[0] == 201


def test_every_log_line_is_json_and_tells_the_invocation(emulate, archal, repo):
    """One line for the call and one of metrics, both with what one needs to find them."""
    emulator = emulate(CREATE_REPO, archal.environ)
    emulator.invoke(repo())

    log = emulator.log(2)

    (call,) = calls(log)
    assert (call["method"], call["path"], call["status"]) == ("POST", "/user/repos", 201)
    assert call["function_name"] == "create-repo"
    assert call["function_request_id"]
    assert 0 < call["time_left_ms"] <= 9_000
    (metrics,) = [line for line in log if "_aws" in line]
    assert metrics["CloneCalls"] == [1.0]


def test_a_body_that_is_no_json_never_reaches_the_handler(emulate, archal):
    """The runtime client refuses such an event itself; the next one is served."""
    emulator = emulate("sleeper.handler", {})

    assert emulator.invoke(b"{").json["errorType"] == "Runtime.UnmarshalError"
    assert isinstance(emulator.invoke({"seconds": 0}).json, int)
