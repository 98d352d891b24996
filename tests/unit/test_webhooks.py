"""Webhooks, verified: by the services' own signers, in every form of event, and nothing that was changed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import traceback

import pytest
import slack_sdk.signature
import stripe
from hypothesis import given
from hypothesis import strategies as st
from support.octokit import octokit_signature
from support.supply import obtained

from archal_lambda import ConfigurationError, WebhookRejected
from archal_lambda.testing import WebRequest, make_event
from archal_lambda.webhooks import header_of, secret_from_env, verify

NOW = 1_800_000_000
SECRET = "dummy-secret"
BODY = b'{"n": 1, "u": "\xc3\xbc"}'
HTTP = ("function-url", "http-api", "rest-api", "alb", "alb-multi")
SHAPES = (*HTTP, "sqs", "sns")


def clock():
    return float(NOW)


def digest(secret, content):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def github(body, secret=SECRET, moment=NOW):
    return {"X-Hub-Signature-256": f"sha256={digest(secret, body)}"}


def linear(body, secret=SECRET, moment=NOW):
    """linear.app/developers/webhooks: HMAC of the body, in hex."""
    return {"Linear-Signature": digest(secret, body)}


def slack(body, secret=SECRET, moment=NOW):
    signer = slack_sdk.signature.SignatureVerifier(secret)
    signature = signer.generate_signature(timestamp=str(moment), body=body)
    return {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(moment)}


def paid(body, secret=SECRET, moment=NOW):
    payload = f"{moment}.{body.decode('latin-1')}".encode("latin-1")
    return {"Stripe-Signature": f"t={moment},v1={digest(secret, payload)}"}


SIGNERS = {"github": github, "linear": linear, "slack": slack, "stripe": paid}


def body_for(service, moment=NOW):
    return (
        BODY
        if service != "linear"
        else json.dumps({"webhookTimestamp": moment * 1000, "n": 1}).encode()
    )


def event_of(headers, body, shape="function-url"):
    fields = (("Content-Type", "application/json"), *headers.items())
    event = make_event(
        WebRequest("POST", "/", headers=fields, content=body), shape, now=0.0, request_id="r"
    )
    return event["Records"][0] if shape in {"sqs", "sns"} else event


def reason_of(event, service="github", secret=SECRET, **options):
    with pytest.raises(WebhookRejected) as caught:
        verify(event, secret, service, clock=clock, **options)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert '"n": 1' not in shown
    return caught.value.reason


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("service", SIGNERS)
def test_what_the_service_signed_is_its_body(service, shape):
    body = body_for(service)
    event = event_of(SIGNERS[service](body), body, shape)
    assert verify(event, SECRET, service, clock=clock) == body


def test_stripes_own_library_agrees():
    """It takes what is taken here, and the other way round."""
    header = paid(BODY)["Stripe-Signature"]
    assert stripe.WebhookSignature.verify_header(BODY.decode(), header, SECRET, tolerance=None)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(BODY.decode(), header, "another", tolerance=None)
    assert reason_of(event_of({"Stripe-Signature": header}, BODY), "stripe", "another") == (
        "wrong-signature"
    )


def test_octokits_own_signer_agrees():
    """`sign` of @octokit/webhooks-methods."""
    signature = obtained(lambda: octokit_signature(SECRET, BODY.decode()))
    assert signature == github(BODY)["X-Hub-Signature-256"]
    assert verify(event_of({"X-Hub-Signature-256": signature}, BODY), SECRET) == BODY


@pytest.mark.parametrize("content", [b"\xff\x00\xfe", gzip.compress(BODY), BODY])
@pytest.mark.parametrize("shape", HTTP)
def test_the_bytes_are_verified_as_they_were_sent(shape, content):
    """Whatever the event makes of them; a coding is not undone."""
    fields = (
        ("Content-Type", "application/octet-stream"),
        ("Content-Encoding", "gzip"),
        *github(content).items(),
    )
    request = WebRequest("POST", "/", headers=fields, content=content)
    event = make_event(request, shape, now=0.0, request_id="r", binary_types=("*/*",))
    assert verify(event, SECRET) == content


@pytest.mark.parametrize("name", ["X-HUB-SIGNATURE-256", "x-hub-signature-256"])
@pytest.mark.parametrize(
    "spelled",
    [
        lambda name, value: {"headers": {name: value}},
        lambda name, value: {"headers": None, "multiValueHeaders": {name: [value]}},
        lambda name, value: {"headers": {name: [value]}},  # VPC Lattice 2.0
        lambda name, value: {"headers": {name: value}, "multiValueHeaders": {name: [value]}},
    ],
)
def test_headers_are_found_however_they_are_spelled(name, spelled):
    value = github(BODY)["X-Hub-Signature-256"]
    event = {"body": BODY.decode(), **spelled(name, value)}
    assert verify(event, SECRET) == BODY
    coded = {"body": base64.b64encode(BODY).decode(), **spelled(name, value)}
    for flag in ("isBase64Encoded", "is_base64_encoded"):
        assert verify({**coded, flag: True}, SECRET) == BODY


def test_two_signatures_are_none():
    """Whoever adds a second one may hope that somebody else looks at the other."""
    value = github(BODY)["X-Hub-Signature-256"]
    event = {"body": BODY.decode(), "multiValueHeaders": {"X-Hub-Signature-256": [value, "x"]}}
    assert reason_of(event) == "duplicate-header"
    twice = {"X-Hub-Signature-256": value, "x-hub-signature-256": "x"}
    assert reason_of({"body": BODY.decode(), "headers": twice}) == "duplicate-header"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"body": BODY.decode()}, "missing-signature"),
        ({"body": BODY.decode(), "headers": {"X-Hub-Signature": "sha1=" + "0" * 40}}, "missing-signature"),
        ({"body": BODY.decode(), "headers": {"X-Hub-Signature-256": "sha1=" + "0" * 40}}, "malformed-signature"),
        ({"body": BODY.decode(), "headers": {"X-Hub-Signature-256": "0" * 64}}, "malformed-signature"),
        ({"body": "", "headers": {"X-Hub-Signature-256": "sha256=" + "0" * 64}}, "no-body"),
        ({"headers": {"X-Hub-Signature-256": "sha256=" + "0" * 64}}, "no-body"),
        ({"body": "%%", "isBase64Encoded": True}, "no-body"),
        ({}, "no-body"),
        (None, "no-body"),
        ([], "no-body"),
        ({"body": BODY.decode(), "headers": []}, "missing-signature"),
        ({"body": BODY.decode(), "messageAttributes": "x"}, "missing-signature"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(event, reason):
    assert reason_of(event) == reason


@pytest.mark.parametrize("service", ["slack", "stripe", "linear"])
@pytest.mark.parametrize(
    ("age", "reason"), [(301, "too-old"), (-301, "in-future"), (300, None), (-300, None)]
)
def test_an_age_has_a_limit(service, age, reason):
    """Five minutes, either way, where the service signs a time."""
    body = body_for(service, NOW - age)
    event = event_of(SIGNERS[service](body, moment=NOW - age), body)
    if reason is None:
        assert verify(event, SECRET, service, clock=clock) == body
    else:
        assert reason_of(event, service) == reason
        assert verify(event, SECRET, service, max_age=float("inf"), clock=clock) == body


@pytest.mark.parametrize(
    ("service", "headers", "reason"),
    [
        ("stripe", {"Stripe-Signature": "v1=" + "0" * 64}, "malformed-timestamp"),
        ("stripe", {"Stripe-Signature": f"t=1,t=2,v1={'0' * 64}"}, "malformed-timestamp"),
        ("stripe", {"Stripe-Signature": f"t=\u0661,v1={'0' * 64}"}, "malformed-timestamp"),
        ("stripe", {"Stripe-Signature": "t=1,v0=" + "0" * 64}, "malformed-signature"),
        ("slack", {"X-Slack-Signature": "v0=" + "0" * 64}, "missing-timestamp"),
        ("slack", {"X-Slack-Signature": "v0=" + "0" * 64, "X-Slack-Request-Timestamp": "1e3"}, "malformed-timestamp"),
        ("slack", {"X-Slack-Signature": "v1=" + "0" * 64, "X-Slack-Request-Timestamp": "1"}, "malformed-signature"),
        ("linear", {"Linear-Signature": "sha256=" + "0" * 64}, "malformed-signature"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_said(service, headers, reason):
    assert reason_of({"headers": headers, "body": "{}"}, service) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{}", "missing-timestamp"),
        (b"no json", "missing-timestamp"),
        (b'{"webhookTimestamp": true}', "malformed-timestamp"),
        (b'{"webhookTimestamp": "1"}', "malformed-timestamp"),
        (b'{"webhookTimestamp": 1e999}', "missing-timestamp"),
    ],
)
def test_linear_must_say_when(body, reason):
    """Without its time, what it signed once could be sent for ever."""
    found = reason_of(event_of(linear(body), body), "linear")
    assert found in {reason, "in-future"}


def test_any_of_several_secrets_will_do():
    """While one takes the place of the other, also of several signatures of Stripe's."""
    event = event_of(github(BODY, "new"), BODY)
    assert verify(event, ["old", "new"]) == verify(event, ("new", b"old")) == BODY
    old, new = (paid(BODY, one)["Stripe-Signature"].split(",v1=")[1] for one in ("old", "new"))
    both = {"Stripe-Signature": f"t={NOW},v1={old},v1={new},v0=x"}
    for secret in ("old", "new"):
        assert verify(event_of(both, BODY), secret, "stripe", clock=clock) == BODY
    assert reason_of(event, secret=["old", "older"]) == "wrong-signature"


@pytest.mark.parametrize("secret", ["", b"", [], ["x", ""], None, 7, [None]])
def test_a_secret_that_is_none_is_refused(secret):
    """An empty one would be everybody's."""
    with pytest.raises(ConfigurationError, match=r"^secret must"):
        verify(event_of(github(BODY, ""), BODY), secret)


@pytest.mark.parametrize("options", [{"service": "gitlab"}, {"max_age": 0}, {"max_age": True}])
def test_other_arguments_are_checked(options):
    (name,) = options
    with pytest.raises(ConfigurationError, match=f"^{name} must be"):
        verify(event_of(github(BODY), BODY), SECRET, **options)


@given(st.sampled_from(sorted(SIGNERS)), st.binary(min_size=1, max_size=40), st.data())
def test_nothing_that_was_changed_is_taken(service, noise, data):
    """Neither another body, nor another signature, nor another time."""
    body = body_for(service)
    headers = SIGNERS[service](body)
    event = event_of(headers, body)
    assert verify(event, SECRET, service, clock=clock) == body
    at = data.draw(st.integers(0, len(body)))
    changed = body[:at] + noise + body[at:]
    event = {
        "headers": headers,
        "body": base64.b64encode(changed).decode(),
        "isBase64Encoded": True,
    }
    assert reason_of(event, service) == "wrong-signature"
    name = data.draw(st.sampled_from(sorted(headers)))
    digits = [place for place, one in enumerate(headers[name]) if one.isdigit()]
    place = data.draw(st.sampled_from(digits))
    other = str((int(headers[name][place]) + 1) % 10)
    text = headers[name][:place] + other + headers[name][place + 1 :]
    assert reason_of(event_of({**headers, name: text}, body), service) in {
        "malformed-signature",
        "malformed-timestamp",
        "wrong-signature",
    }


def test_a_secret_of_the_environment(monkeypatch):
    monkeypatch.setenv("SLACK_SIGNING_SECRET", SECRET)
    secret = secret_from_env("slack")
    assert SECRET not in repr(secret)
    assert verify(event_of(slack(BODY), BODY), secret, "slack", clock=clock) == BODY
    monkeypatch.setenv("GITHUB_WEBHOOK_SECRET", "")
    with pytest.raises(ConfigurationError, match=r"^GITHUB_WEBHOOK_SECRET must contain"):
        secret_from_env()
    with pytest.raises(ConfigurationError, match=r"^service must be one of"):
        secret_from_env("gitlab")


@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_is_found_in_every_shape(shape):
    event = event_of({"X-GitHub-Event": "issues"}, BODY, shape)
    assert header_of(event, "x-github-EVENT") == "issues"
    assert header_of(event, "X-GitHub-Delivery") is None
