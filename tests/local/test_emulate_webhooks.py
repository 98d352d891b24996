"""What emulate's services tell, as vendors' SDKs verify it."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import threading
import time

import pytest
import slack_sdk.signature
import stripe
from support import emulate
from support.hooked import receiver
from support.standin import Route, send
from support.supply import obtained

from archal_lambda.local import LocalArchal

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def here():
    with receiver() as found:
        yield found


@pytest.fixture(scope="module")
def package():
    return obtained(emulate.folder)


@pytest.fixture(scope="module")
def world(here, package):
    secret = "whsec_abc"
    seeds = {
        "stripe": {"webhooks": [{"url": here.url, "events": ["*"], "secret": secret}]},
        "slack": {"signing_secret": "of the app"},
        "linear": "default",
    }
    clones = ["github", "stripe", "slack", "linear"]
    with LocalArchal(
        clones=clones, emulated=["github"], seeds=seeds, emulate_path=package
    ) as running:
        yield running


@pytest.fixture
def archal(world, here):
    world.webhooks.wait_idle(10)
    world.reset()
    here.received.clear()
    here.status, here.wait = 202, None
    return world


@pytest.fixture
def seen(archal):
    found = []
    with archal.webhooks.deliver_to(lambda event, _: found.append(event)):
        yield found


def call(archal, clone, path, body, credential, *, content_type=FORM):
    headers = {
        "x-route-authorization": f"Bearer {archal.token}",
        "Authorization": credential,
        "Content-Type": content_type,
    }
    answer = send(archal.base_url(clone) + path, "POST", body=body, headers=headers)
    assert answer.status < 300, answer.body
    return answer


def customer(archal):
    call(archal, "stripe", "/v1/customers", b"email=a%40b.example", "Bearer sk_test_1")


def message(archal):
    call(archal, "slack", "/chat.postMessage", b"channel=general&text=hi", "Bearer xoxb-1")


def linear(archal, query):
    body = json.dumps({"query": query}).encode()
    return call(
        archal, "linear", "/graphql", body, "lin_api_x", content_type="application/json"
    ).json["data"]


def test_stripes_sdk_takes_the_events(archal, seen, here):
    """Those of emulate's own webhook and those of a target, each with its secret."""
    customer(archal)
    archal.webhooks.wait_idle()
    ((headers, body),) = here.received
    secret = "whsec_abc"
    own = stripe.Webhook.construct_event(body, headers["stripe-signature"], secret)
    (event,) = seen
    signature = event["headers"]["stripe-signature"]
    taken = stripe.Webhook.construct_event(event["body"], signature, archal.webhooks.secret)
    assert own.type == taken.type == "customer.created"
    assert own.id == taken.id
    assert taken.data.object.email == "a@b.example"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(event["body"], signature, secret)


def test_another_attempt_is_signed_at_its_own_time(archal, seen, monkeypatch):
    """Stripe's tolerance of five minutes holds for redeliveries, too."""
    customer(archal)
    archal.webhooks.wait_idle()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 3600)
    (made,) = [one for one in archal.webhooks.deliveries[-2:] if "http" not in one.target]
    archal.webhooks.redeliver(made)
    archal.webhooks.wait_idle()
    first, second = (event["headers"]["stripe-signature"] for event in seen)
    assert second.startswith(f"t={int(now) + 3600},v1=")
    assert first != second


def test_slacks_sdk_takes_the_events(archal, seen):
    """Also with a time that is now."""
    message(archal)
    archal.webhooks.wait_idle()
    (event,) = seen
    verifier = slack_sdk.signature.SignatureVerifier(archal.webhooks.secret)
    assert verifier.is_valid_request(event["body"], event["headers"])
    payload = json.loads(event["body"])
    assert (payload["type"], payload["event"]["type"]) == ("event_callback", "message")
    other = slack_sdk.signature.SignatureVerifier("another")
    assert not other.is_valid_request(event["body"], event["headers"])


def test_linears_events_are_signed_as_linear_documents(archal, seen, here):
    """HMAC-SHA256 of the raw body, whose `webhookTimestamp` is when it was sent (linear.app/developers/webhooks)."""
    listing = "{ webhooks { nodes { id } } teams { nodes { id webhooks { nodes { id } } } } }"
    found = linear(archal, listing)
    assert found["webhooks"]["nodes"] == []
    (team,) = found["teams"]["nodes"]
    assert team["webhooks"]["nodes"] == []
    made = (
        f'mutation {{ webhookCreate(input: {{url: "{here.url}", teamId: "{team["id"]}", '
        'resourceTypes: ["Issue"], secret: "of the hook"}) { success } }'
    )
    assert linear(archal, made)["webhookCreate"]["success"]
    creation = (
        f'mutation {{ issueCreate(input: {{title: "t", teamId: "{team["id"]}"}}) {{ success }} }}'
    )
    assert linear(archal, creation)["issueCreate"]["success"]
    archal.webhooks.wait_idle()
    (event,) = seen
    ((headers, body),) = here.received
    both = [
        (event["headers"], event["body"].encode(), archal.webhooks.secret),
        (headers, body, "of the hook"),
    ]
    for fields, content, secret in both:
        expected = hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()
        assert fields["linear-signature"] == expected
        assert fields["linear-event"] == "Issue"
        payload = json.loads(content)
        assert (payload["action"], payload["data"]["title"]) == ("create", "t")
        assert abs(payload["webhookTimestamp"] / 1000 - time.time()) < 60


def test_emulates_github_is_told_what_came_of_it(archal, seen, here):
    """Its own list of deliveries has the status, and the headers are GitHub's."""
    github = Route(archal.base_url("github"), archal.token)
    assert github("POST", "/user/repos", {"name": "x"}).status == 201
    config = {"url": here.url, "content_type": "form", "secret": "s"}
    made = github("POST", "/repos/testuser/x/hooks", {"config": config, "events": ["issues"]})
    here.status = 500
    assert github("POST", "/repos/testuser/x/issues", {"title": "t"}).status == 201
    archal.webhooks.wait_idle()
    ((headers, body),) = here.received
    assert body.startswith(b"payload=%7B")
    expected = hmac.new(b"s", body, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == f"sha256={expected}"
    assert headers["x-github-hook-id"] == str(made.json["id"])
    listed = github("GET", f"/repos/testuser/x/hooks/{made.json['id']}/deliveries").json
    assert [one["status_code"] for one in listed] == [500]
    assert "issues" in [event["headers"]["x-github-event"] for event in seen]


def test_a_call_does_not_wait_for_what_it_causes(archal, here):
    """As with the services; a wait that is too short names it."""
    here.wait = threading.Event()
    customer(archal)
    with pytest.raises(TimeoutError, match=r"stripe customer\.created to http://127"):
        archal.webhooks.wait_idle(0.1)
    here.wait.set()
    archal.webhooks.wait_idle()
    assert len(here.received) == 1


def test_a_handler_may_call_the_clone_that_tells_it(archal):
    """Slack's bot answers in the channel: emulate is free while its deliveries are under way."""
    texts = []

    def handler(event, _context):
        said = json.loads(event["body"])["event"]
        texts.append(said["text"])
        if said["text"] == "hi":
            form = b"channel=general&text=hello"
            call(archal, "slack", "/chat.postMessage", form, "Bearer xoxb-1")

    with archal.webhooks.deliver_to(handler, clone="slack", events=["message"]):
        message(archal)
        archal.webhooks.wait_idle()
    assert texts == ["hi", "hello"]


def test_a_restore_in_the_middle_leaves_nothing_to_wait_for(archal, here):
    """What was queued is told to emulate as stopped."""
    mark = archal.snapshot("stripe")
    here.wait = threading.Event()
    for _ in range(3):
        customer(archal)
    archal.restore(mark)
    here.wait.set()
    archal.webhooks.wait_idle()
    assert len(here.received) <= 1


def test_nothing_leaves_the_machine(archal):
    """A hook of a service at another address is refused here, and Node asks nobody."""
    github = Route(archal.base_url("github"), archal.token)
    github("POST", "/user/repos", {"name": "x"})
    config = {"url": "http://192.0.2.1/hook"}
    github("POST", "/repos/testuser/x/hooks", {"config": config, "events": ["issues"]})
    count = len(archal.webhooks.deliveries)
    github("POST", "/repos/testuser/x/issues", {"title": "t"})
    archal.webhooks.wait_idle()
    (delivery,) = archal.webhooks.deliveries[count:]
    assert delivery.error == "not a loopback address"


def test_a_node_that_has_ended_has_nothing_to_tell(package):
    """The session has failed, and a wait for its deliveries ends."""
    before = set(emulate.children())
    with LocalArchal(clones=["stripe"], emulate_path=package) as archal:
        archal.webhooks.deliver_to(lambda *_: None)
        customer(archal)
        archal.webhooks.wait_idle()
        (node,) = set(emulate.children()) - before
        os.kill(node, signal.SIGKILL)
        archal.webhooks.wait_idle()
        assert len(archal.webhooks.deliveries) == 1
