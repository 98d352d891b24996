"""The handler of GitHub's webhook, told by the local clone itself, in each shape that such an event has."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
from pathlib import Path

import pytest
from support import dynamodb
from support.standin import Route

from archal_lambda.handlers import github_webhook
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext, WebRequest, make_event

EVENT = json.loads((Path(__file__).parents[2] / "events/github_webhook.json").read_text())
SECRET = "dummy"
REPO = "/repos/testuser/webshop"


@pytest.fixture
def archal(monkeypatch):
    """A local Archal with a shop, that the environment points at."""
    with LocalArchal(seeds={"github": "small-project"}) as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", local.webhooks.secret)
        github_webhook.clones.cache_clear()
        yield local
        github_webhook.clones.cache_clear()


@pytest.fixture
def github(archal):
    return Route(archal.base_url("github"), archal.token)


def signed(body, secret=SECRET, **headers):
    """An event of a Function URL, as GitHub would cause it."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    fields = {
        "content-type": "application/json",
        "x-github-event": "issues",
        "x-github-delivery": "d-1",
        "x-hub-signature-256": f"sha256={digest}",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    request = WebRequest("POST", "/", headers=tuple(fields.items()), content=body)
    return make_event(request, now=0.0, request_id="r")


def comments(github, number):
    return github("GET", f"{REPO}/issues/{number}/comments").json


@pytest.mark.parametrize("shape", ["function-url", "http-api", "rest-api", "alb", "alb-multi"])
def test_who_opens_an_issue_is_welcomed_once(archal, github, shape):
    """Its own comment is told of as well, and is nothing to do."""
    archal.webhooks.deliver_to(github_webhook.handler, shape)
    number = github("POST", f"{REPO}/issues", {"title": "It is slow"}).json["number"]
    archal.webhooks.wait_idle()

    assert [one["body"] for one in comments(github, number)] == [
        "Thank you, @testuser. Somebody will look at it."
    ]
    told = [(one.event, one.status) for one in archal.webhooks.deliveries]
    assert told == [("issues", 201), ("issue_comment", 202)]


def test_a_hook_of_the_repository_will_do(archal, github, monkeypatch):
    """Signed with its own secret; it begins with a ping."""
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    received = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            content = self.rfile.read(int(self.headers["content-length"]))
            request = WebRequest("POST", "/", headers=tuple(self.headers.items()), content=content)
            event = make_event(request, now=0.0, request_id="r")
            received.append(github_webhook.handler(event, LocalContext())["statusCode"])
            self.send_response(received[-1])
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    config = {"url": url, "content_type": "json", "secret": SECRET}
    github("POST", f"{REPO}/hooks", {"config": config, "events": ["issues"]})
    number = github("POST", f"{REPO}/issues", {"title": "One"}).json["number"]
    archal.webhooks.wait_idle()
    server.shutdown()
    server.server_close()
    assert received == [200, 201]
    assert len(comments(github, number)) == 1


def test_the_event_file_is_signed_with_its_dummy(archal, github, monkeypatch):
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    result = github_webhook.handler(EVENT, LocalContext())
    assert result["statusCode"] == 201
    assert json.loads(result["body"])["html_url"].startswith("http")
    assert comments(github, 1)[-1]["body"].startswith("Thank you, @octocat")


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"x_github_event": "ping"}, 200),
        ({"x_github_event": "star"}, 202),
        ({"x_hub_signature_256": "sha256=" + "0" * 64}, 401),
        ({"x_hub_signature_256": ""}, 401),
    ],
)
def test_everything_else_is_answered_at_once(archal, monkeypatch, changes, status):
    """Without asking the clone."""
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    body = EVENT["body"].encode()
    result = github_webhook.handler(signed(body, **changes), LocalContext())
    assert result["statusCode"] == status
    assert archal.requests == ()


@pytest.mark.parametrize(
    ("body", "status"),
    [(b'{"action": "closed"}', 202), (b'{"action": "opened"}', 202), (b"payload=%7B%7D", 400)],
)
def test_what_is_no_opened_issue_is_nothing_to_do(archal, monkeypatch, body, status):
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    assert github_webhook.handler(signed(body), LocalContext())["statusCode"] == status
    assert archal.requests == ()


def test_without_a_secret_nothing_is_believed(archal, monkeypatch):
    monkeypatch.delenv("GITHUB_WEBHOOK_SECRET")
    assert github_webhook.handler(EVENT, LocalContext())["statusCode"] == 502
    assert archal.requests == ()


def test_a_refusal_of_the_clone_is_passed_on(archal, monkeypatch):
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    gone = EVENT["body"].replace("webshop", "gone").encode()
    assert github_webhook.handler(signed(gone), LocalContext())["statusCode"] == 404


def test_with_a_table_a_delivery_is_carried_out_once(archal, github, monkeypatch):
    """However often it comes; another one of the same issue is another one."""
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", SECRET)
    with dynamodb.serving() as tables:
        for name, value in tables.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("ARCHAL_LAMBDA_IDEMPOTENCY_TABLE", tables.create("deliveries"))
        github_webhook.once.cache_clear()
        before = len(comments(github, 1))
        body = EVENT["body"].encode()
        results = [
            github_webhook.handler(signed(body, x_github_delivery=delivery), LocalContext())
            for delivery in ("d-1", "d-1", "d-2")
        ]
    github_webhook.once.cache_clear()
    assert [result["statusCode"] for result in results] == [201] * 3
    assert results[0]["body"] == results[1]["body"] != results[2]["body"]
    assert len(comments(github, 1)) == before + 2
