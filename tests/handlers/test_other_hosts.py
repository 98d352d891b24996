"""The handlers for Lambda@Edge and for event loops, on the local Archal."""

from __future__ import annotations

import base64
import copy
import json
import socket

import pytest

from archal_lambda import ArchalError, Clones
from archal_lambda.handlers import asyncio_report, lambda_edge
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext
from archal_lambda.testing.faulty_server import FaultServer


@pytest.fixture
def archal():
    with LocalArchal() as local:
        yield local


@pytest.fixture
def at_edge(event, archal, monkeypatch):
    """Call the handler with the event of `events/`, changed by a function."""
    urls = json.loads(archal.environ["AGENT_CLONE_URLS"])
    monkeypatch.setattr(lambda_edge, "CLONE_URLS", urls)

    def call(change=lambda request: None, *, seconds=5.0, token=archal.token):
        made = copy.deepcopy(event("lambda_edge"))
        request = made["Records"][0]["cf"]["request"]
        (field,) = request["origin"]["custom"]["customHeaders"][lambda_edge.TOKEN_HEADER]
        field["value"] = token
        change(request)
        return lambda_edge.handler(made, LocalContext(timeout=seconds))

    return call


def test_a_repository_is_created_at_the_edge(at_edge, archal):
    """The event of `events/` creates it; CloudFront gets a response in its own form."""
    answer = at_edge()

    assert (answer["status"], answer["bodyEncoding"]) == ("201", "text")
    assert answer["headers"] == {"content-type": [{"value": "application/json"}]}
    assert json.loads(answer["body"])["full_name"].endswith("/test-repo")
    assert archal.requests[-1].clone_saw is not None


@pytest.mark.parametrize(("method", "uri"), [("GET", "/repos"), ("POST", "/other")])
def test_other_requests_go_on_to_the_origin(at_edge, archal, method, uri):
    """As they came, but for the token."""
    request = at_edge(lambda request: request.update(method=method, uri=uri))

    assert (request["method"], request["uri"]) == (method, uri)
    assert request["origin"]["custom"]["customHeaders"] == {}
    assert archal.token not in json.dumps(request)
    assert not archal.requests


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"data": "", "encoding": "base64"}, "400"),
        ({"data": "!", "encoding": "base64"}, "400"),
        ({"data": '{"name": 5}', "encoding": "text"}, "400"),
        ({}, "400"),
        ({"data": "e30=", "encoding": "base64", "inputTruncated": True}, "413"),
        ({"data": '{"name": "x"}', "encoding": "text"}, "201"),
    ],
)
def test_bodies_at_the_edge(at_edge, body, status):
    """Text and base64 are read, what CloudFront has cut is not."""
    assert at_edge(lambda request: request.update(body=body))["status"] == status


def test_a_clones_refusal_is_passed_on(at_edge):
    """The second repository of a name is the clone's 422."""
    at_edge()
    answer = at_edge()

    assert answer["status"] == "422"
    assert "already exists" in answer["body"]


def test_a_missing_or_refused_token(at_edge, caplog):
    """The caller learns nothing of the set-up; the log does, without the token."""
    for options in (
        {"change": lambda request: request["origin"]["custom"]["customHeaders"].clear()},
        {"token": "nobody-knows-this-token"},
    ):
        answer = at_edge(**options)

        assert answer["status"] == "502"
        assert json.loads(answer["body"]) == {
            "message": "this function is not set up to reach the clone"
        }
        log = " ".join(str(vars(record)) for record in caplog.records)
        assert "clone call failed" in log
        assert "nobody-knows-this-token" not in log
        caplog.clear()


def test_the_budget_at_the_edge(at_edge, monkeypatch):
    """Five seconds, or what is left of the invocation."""
    with FaultServer([lambda conn: conn.hold()]) as server:
        urls = {"github": f"{server.origin}/github/api"}
        monkeypatch.setattr(lambda_edge, "CLONE_URLS", urls)

        assert at_edge(seconds=0.8)["status"] == "504"


def test_a_binary_answer_at_the_edge():
    """Goes out as base64."""
    body = base64.b64encode(b"\xff").decode()
    result = {"statusCode": 200, "headers": {}, "body": body, "isBase64Encoded": True}

    assert lambda_edge.generated(result)["bodyEncoding"] == "base64"


def test_the_report_counts_every_repository(archal, monkeypatch):
    """Side by side, in one event loop, in a plain function."""
    for name, value in archal.environ.items():
        monkeypatch.setenv(name, value)

    with Clones.from_env() as clones:
        for number in range(3):
            clones["github"].post("/user/repos", json={"name": f"repo-{number}"}, token="any")
            for _ in range(number):
                path = f"/repos/testuser/repo-{number}/issues"
                clones["github"].post(path, json={"title": "t"}, token="any")

    counts = asyncio_report.handler({}, LocalContext(timeout=20.0))

    assert counts == {f"testuser/repo-{number}": number for number in range(3)}


def test_the_report_fails_with_our_errors(monkeypatch):
    """Whoever runs it catches one kind."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/github/api"
        monkeypatch.setenv("AGENT_CLONE_URLS", json.dumps({"github": url}))
        monkeypatch.setenv("ARCHAL_TOKEN", "t")

        with pytest.raises(ArchalError):
            asyncio_report.handler({}, LocalContext(timeout=5.0))


def test_the_report_raises_what_a_repository_raises(archal, monkeypatch):
    """One that fails is not counted as empty."""
    with LocalArchal() as local:
        environ = dict(local.environ)
    for name, value in (environ | {"AGENT_CLONE_URLS": archal.environ["AGENT_CLONE_URLS"]}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArchalError):
        asyncio_report.handler({}, LocalContext(timeout=5.0))
