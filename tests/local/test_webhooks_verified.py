"""What the clones sign is verified by the package, in every event that a handler may get it as."""

from __future__ import annotations

import json

import pytest
from support import emulate
from support.standin import send
from support.supply import obtained

from archal_lambda import WebhookRejected
from archal_lambda.local import LocalArchal
from archal_lambda.webhooks import verify

SHAPES = ("function-url", "http-api", "rest-api", "alb", "alb-multi", "sqs", "sns")
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


@pytest.fixture(scope="module")
def own():
    with LocalArchal(seeds={"github": "small-project"}) as running:
        yield running


@pytest.fixture(scope="module")
def emulated():
    package = obtained(emulate.folder)
    seeds = {"slack": "default", "linear": "default"}
    with LocalArchal(
        clones=["stripe", "slack", "linear"], seeds=seeds, emulate_path=package
    ) as running:
        yield running


def call(archal, clone, path, body, credential, content_type):  # noqa: PLR0917 - what a request consists of
    headers = {
        "x-route-authorization": f"Bearer {archal.token}",
        "Authorization": credential,
        "Content-Type": content_type,
    }
    answer = send(archal.base_url(clone) + path, "POST", body=body, headers=headers)
    assert answer.status < 300, answer.body
    return answer.json


def github(archal):
    path = "/repos/testuser/webshop/issues"
    call(archal, "github", path, '{"title": "grüße"}'.encode(), "Bearer any", JSON)


def stripe(archal):
    call(archal, "stripe", "/v1/customers", b"email=a%40b.example", "Bearer sk_test_1", FORM)


def slack(archal):
    body = "channel=general&text=gr%C3%BC%C3%9Fe"
    call(archal, "slack", "/chat.postMessage", body.encode(), "Bearer xoxb-1", FORM)


def linear(archal):
    def ask(query):
        body = json.dumps({"query": query}).encode()
        return call(archal, "linear", "/graphql", body, "lin_api_x", JSON)["data"]

    (team, *_) = ask("{ teams { nodes { id } } }")["teams"]["nodes"]
    title = 'title: "grüße", teamId: ' + json.dumps(team["id"])
    ask(f"mutation {{ issueCreate(input: {{ {title} }}) {{ success }} }}")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("act", [github, stripe, slack, linear], ids=lambda act: act.__name__)
def test_a_delivery_is_verified_as_it_comes(request, act, shape):
    """Its body is what was signed; under another secret, or as another service's, it is refused."""
    archal = request.getfixturevalue("own" if act is github else "emulated")
    service = act.__name__
    seen = []
    with archal.webhooks.deliver_to(lambda event, _: seen.append(event), shape=shape):
        act(archal)
        archal.webhooks.wait_idle(10)
    events = [event["Records"][0] if "Records" in event else event for event in seen]

    assert events
    for event in events:
        assert isinstance(json.loads(verify(event, archal.webhooks.secret, service)), dict)
        with pytest.raises(WebhookRejected):
            verify(event, "another", service)
        with pytest.raises(WebhookRejected):
            verify(event, archal.webhooks.secret, "stripe" if act is github else "github")
