"""The handler that creates a repository, on the local Archal, with the event file."""

from __future__ import annotations

import base64
import io
import json
import socket
from pathlib import Path

import pytest

from archal_lambda import Clones, Response
from archal_lambda.handlers import create_repo
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext
from archal_lambda.transports.mock import MockTransport

EVENT = json.loads((Path(__file__).parents[2] / "events/create_repo.json").read_text())


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        create_repo.clones.cache_clear()
        yield local
        create_repo.clones.cache_clear()


@pytest.fixture
def log():
    """What the handler logs."""
    handler = create_repo.logger.registered_handler
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    handler.setStream(before)


def invoke(body=EVENT["body"], *, timeout=5.0, **changes):
    """Invoke the handler with a changed event; give status and decoded body."""
    result = create_repo.handler({**EVENT, "body": body, **changes}, LocalContext(timeout=timeout))
    return result["statusCode"], json.loads(result["body"])


def clones_answering(status, content):
    """Make clients whose only clone always answers the same."""
    environ = {
        "AGENT_CLONE_URLS": '{"github": "https://clone.test/github/api"}',
        "ARCHAL_TOKEN": "t",
    }
    mock = MockTransport(lambda request: Response(status, content=content))
    return Clones.from_env(environ, transport=mock)


def test_creates_the_repository(archal):
    """The event file gives a response of 201 with the repository, and the clone has it."""
    status, repo = invoke()

    assert status == 201
    assert repo["full_name"] == "testuser/test-repo"
    assert set(repo) == {"id", "full_name", "html_url", "private"}
    seen = archal.requests[-1].clone_saw
    assert "authorization" in seen.headers
    assert "x-route-authorization" not in seen.headers


def test_base64_body_is_accepted(archal):
    """A body in base64, as API Gateway may send it, works the same."""
    encoded = base64.b64encode(EVENT["body"].encode()).decode()

    assert invoke(encoded, isBase64Encoded=True)[0] == 201


@pytest.mark.parametrize("event", [None, [], "x", 5])
def test_an_event_that_is_none_is_400(archal, event):
    """Whoever may invoke the function may send anything; no clone is asked."""
    result = create_repo.handler(event, LocalContext(timeout=5.0))

    assert (result["statusCode"], archal.requests) == (400, ())


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        ("{", {}),
        ("", {}),
        (None, {}),
        (17, {}),
        ("[]", {}),
        ("{}", {}),
        ('{"name": 7}', {}),
        ('{"name": "x", "private": "yes"}', {}),
        ("no base64!", {"isBase64Encoded": True}),
        ("é", {"isBase64Encoded": True}),
        (base64.b64encode(b"\xff\xfe").decode(), {"isBase64Encoded": True}),
        ('{"name": "\ud800"}', {}),
        ("[" * 100_000, {}),
    ],
)
def test_bad_body_is_400(archal, body, changes):
    """A body that is not such JSON is the caller's fault, and no clone is asked."""
    before = len(archal.requests)

    status, answer = invoke(body, **changes)

    assert status == 400
    assert answer["message"]
    assert len(archal.requests) == before


def test_the_clones_refusal_is_passed_on(archal):
    """A 4xx of the clone reaches the caller as the clone gave it."""
    invoke()

    status, answer = invoke()

    assert status == 422
    assert answer["errors"][0]["message"] == "name already exists on this account"


def test_one_log_line_for_a_call(archal, log):
    """Each clone call leaves one structured line, with the invocation's context."""
    invoke()

    (line,) = log()
    assert line["message"] == "clone call"
    assert (line["clone"], line["method"], line["path"], line["status"]) == (
        "github",
        "POST",
        "/user/repos",
        201,
    )
    assert line["duration_ms"] > 0
    assert 0 < line["time_left_ms"] <= 4000
    assert line["function_name"] == "local"
    text = json.dumps(line)
    assert archal.token not in text
    assert create_repo.GITHUB_TOKEN not in text


def test_the_event_is_never_logged(archal, log, monkeypatch):
    """The variable that makes Powertools log events has no power over this handler."""
    monkeypatch.setenv("POWERTOOLS_LOGGER_LOG_EVENT", "true")

    invoke('{"name": "kept-out-of-the-log"}')

    assert "kept-out-of-the-log" not in json.dumps(log())


def test_timeout_is_504(monkeypatch, log):
    """A clone that never responds costs the invocation its budget, not its life."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}/github/api"
        monkeypatch.setenv("AGENT_CLONE_URLS", json.dumps({"github": base}))
        monkeypatch.setenv("AGENT_ROUTE_HEADERS", '{"x-route-authorization": "Bearer t"}')
        create_repo.clones.cache_clear()

        status, answer = invoke(timeout=1.2)

    create_repo.clones.cache_clear()
    assert (status, answer) == (504, {"message": "the clone did not answer in time"})
    assert [line["error"] for line in log()] == ["RequestTimeout", "RequestTimeout"]


def test_no_time_left_is_504(archal):
    """An invocation with less than the reserve left sends nothing."""
    before = len(archal.requests)

    assert invoke(timeout=0.5)[0] == 504
    assert len(archal.requests) == before


@pytest.mark.parametrize(
    "variables",
    [
        {"AGENT_ROUTE_HEADERS": '{"x-route-authorization": "Bearer wrong"}'},
        {"AGENT_CLONE_URLS": '{"slack": "http://127.0.0.1:1/slack/api"}'},
        {"AGENT_CLONE_URLS": "not JSON"},
        {"AGENT_CLONE_URLS": '{"github": "http://127.0.0.1:1/github/api"}'},
    ],
)
def test_route_rejection_and_misconfiguration_are_502(archal, log, monkeypatch, variables):
    """What only the operator can mend is 502; the caller is told no details, the log is."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    status, answer = invoke()

    assert status == 502
    assert "AGENT" not in answer["message"]
    assert log()[-1]["level"] == "ERROR"
    assert log()[-1]["reason"]


def test_a_clone_answer_of_another_shape_is_502(monkeypatch, log):
    """A response that is not a repository is not a success."""
    clones = clones_answering(200, b'{"full_name": 7}')
    monkeypatch.setattr(create_repo, "clones", lambda: clones)

    assert invoke()[0] == 502
    assert log()[-1]["error"] == "DecodeError"


def test_a_binary_refusal_is_passed_on_in_base64(monkeypatch):
    """A refusal that is not text keeps its bytes."""
    clones = clones_answering(418, b"\xff\x00")
    monkeypatch.setattr(create_repo, "clones", lambda: clones)

    result = create_repo.handler(EVENT, LocalContext())

    assert result["statusCode"] == 418
    assert result["isBase64Encoded"] is True
    assert base64.b64decode(result["body"]) == b"\xff\x00"
