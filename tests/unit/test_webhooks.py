"""Webhooks verified: what the services' own libraries sign is taken, in every event, and nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import math
import shutil
import subprocess
import traceback

import pytest
import slack_sdk.signature
import stripe
from hypothesis import given
from hypothesis import strategies as st
from support import reporters
from support.chromium import unpacked
from support.supply import obtained

from archal_lambda import ConfigurationError, Secret, WebhookRejected, webhooks
from archal_lambda.core.events import header_values
from archal_lambda.testing import WebRequest, make_event
from archal_lambda.webhooks import secrets_from_env, verify

SECRET = "sentinel-secret-d34db33f"
NOW = 1_767_225_600.0
BODY = json.dumps(
    {"action": "opened", "text": "grüße", "webhookTimestamp": int(NOW * 1000)}
).encode()
SERVICES = ("github", "linear", "slack", "stripe")
HTTP = ("function-url", "http-api", "rest-api", "alb", "alb-multi")
SHAPES = (*HTTP, "sqs", "sns", "lattice-1", "lattice-2")
OCTOKIT = "@octokit/webhooks-methods@6.0.0"
OCTOKIT_SHA512 = (
    "MFlzzoDJVw/GcbfzVC1RLR36QqkTLUf79vLVO3D+xn7r0QgxnFoLZgtrzxiQErAjFUOdH6fas2KeQJ1yr/qaXQ=="
)
SIGN = """
const { sign } = await import(process.argv[1]);
let body = "";
for await (const piece of process.stdin) body += piece;
console.log(await sign(process.argv[2], body));
"""


def digest(content, secret=SECRET):
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def signed(service, body=BODY, secret=SECRET, now=NOW):
    """The headers of a delivery, by the services' documentation."""
    at = str(int(now))
    if service == "github":
        return {"X-Hub-Signature-256": f"sha256={digest(body, secret)}"}
    if service == "linear":
        return {"Linear-Signature": digest(body, secret)}
    if service == "slack":
        signature = digest(f"v0:{at}:".encode() + body, secret)
        return {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}
    return {"Stripe-Signature": f"t={at},v1={digest(f'{at}.'.encode() + body, secret)}"}


def made(shape, headers, body=BODY, content_type="application/json"):
    """The event of a delivery."""
    fields = {"Content-Type": content_type, **headers}
    if shape == "lattice-1":
        content = base64.b64encode(body).decode()
        return {"method": "POST", "headers": fields, "body": content, "is_base64_encoded": True}
    if shape == "lattice-2":
        lists = {name: [value] for name, value in fields.items()}
        content = base64.b64encode(body).decode()
        return {"version": "2.0", "headers": lists, "body": content, "isBase64Encoded": True}
    event = make_event(WebRequest("POST", "/", headers=tuple(fields.items()), content=body), shape)
    return event["Records"][0] if "Records" in event else event


def check(event, service="github", secret=SECRET, **options):
    return verify(event, secret, service, clock=lambda: NOW, **options)


def reason(event, service="github", secret=SECRET, **options):
    """Why it is rejected, which it must be."""
    with pytest.raises(WebhookRejected) as caught:
        check(event, service, secret, **options)
    return caught.value.reason


def stripes_sdk(body):
    signature = stripe.WebhookSignature._compute_signature(f"{NOW:.0f}.{body.decode()}", SECRET)
    return {"Stripe-Signature": f"t={NOW:.0f},v1={signature}"}


def slacks_sdk(body):
    verifier = slack_sdk.signature.SignatureVerifier(SECRET)
    signature = verifier.generate_signature(timestamp=f"{NOW:.0f}", body=body)
    return {"X-Slack-Request-Timestamp": f"{NOW:.0f}", "X-Slack-Signature": signature}


def githubs_sdk(body):
    def octokit():
        node = shutil.which("node")
        if node is None:
            raise FileNotFoundError("Node is not installed")
        return node, unpacked(OCTOKIT, OCTOKIT_SHA512) / "dist-node" / "index.js"

    node, library = obtained(octokit)
    command = [node, "--input-type=module", "-e", SIGN, "--", library.as_uri(), SECRET]
    done = subprocess.run(command, input=body, capture_output=True, check=True, timeout=30)
    return {"X-Hub-Signature-256": done.stdout.decode().strip()}


def linears_formula(body):
    return {"Linear-Signature": hmac.new(SECRET.encode(), body, "sha256").hexdigest()}


@pytest.mark.parametrize(
    ("service", "sign"),
    [
        ("github", githubs_sdk),
        ("linear", linears_formula),
        ("slack", slacks_sdk),
        ("stripe", stripes_sdk),
    ],
)
def test_what_the_services_own_libraries_sign_is_taken(service, sign):
    """In every event, whatever the case of the headers; and nothing of it under another secret."""
    headers = sign(BODY)
    for shape in SHAPES:
        for fields in (headers, {name.upper(): value for name, value in headers.items()}):
            event = made(shape, fields)
            assert check(event, service) == BODY, shape
            assert reason(event, service, "another") == "wrong-signature"


def test_githubs_documented_example():
    """The values with which GitHub's documentation tests an implementation."""
    secret = "It's a " + "Secret to Everybody"
    signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    event = {"headers": {"X-Hub-Signature-256": f"sha256={signature}"}, "body": "Hello, World!"}
    assert verify(event, secret) == b"Hello, World!"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("shape", [*HTTP, "lattice-1", "lattice-2"])
def test_base64_is_undone_and_a_coding_is_not(service, shape):
    """A compressed body and one that is no text are verified and given as they were sent."""
    odd = (gzip.compress(BODY), b"\xff\x00\xfe")
    for body in () if service == "linear" else odd:  # Linear's time is within, so it must be JSON
        headers = signed(service, body) | {"Content-Encoding": "gzip"}
        # Of another type AWS itself damages what is not UTF-8.
        assert check(made(shape, headers, body, "application/octet-stream"), service) == body
    event = made(shape, signed(service), BODY, "application/octet-stream")
    assert check(event, service) == BODY


@pytest.mark.parametrize(
    "secret", [["old", SECRET], (SECRET, "new"), [Secret("x"), Secret(SECRET)]]
)
@pytest.mark.parametrize("service", SERVICES)
def test_several_secrets_while_one_is_changed(service, secret):
    assert check(made("function-url", signed(service)), service, secret) == BODY
    assert reason(made("function-url", signed(service, secret="z")), service, secret) == (
        "wrong-signature"
    )


def test_stripe_signs_with_each_secret_while_one_is_changed():
    """Its header then has two signatures, and a test's v0, which counts for nothing."""
    at = f"{NOW:.0f}"
    old, new = (digest(f"{at}.".encode() + BODY, secret) for secret in ("old", SECRET))
    both = {"Stripe-Signature": f"t={at},v1={old},v1={new},v0={'0' * 64}"}
    assert check(made("function-url", both), "stripe") == BODY
    only_v0 = {"Stripe-Signature": f"t={at},v0={new}"}
    assert reason(made("function-url", only_v0), "stripe") == "malformed-signature"


@pytest.mark.parametrize("secret", ["", b"", Secret(""), [], [""], ["x", ""], None, 5, [5], {"a"}])
def test_no_secret_is_not_a_secret(secret):
    """An empty one would let everybody in, signed or not."""
    event = made("function-url", signed("github", secret=""))
    with pytest.raises(ConfigurationError) as caught:
        verify(event, secret)
    assert caught.value.variable == "secret"


@pytest.mark.parametrize("service", ["gitlab", "", None, ["github"], "GitHub"])
def test_another_service(service):
    with pytest.raises(ConfigurationError, match="github, linear, slack, stripe"):
        verify({}, SECRET, service)


@pytest.mark.parametrize("age", [0, -1, math.nan, True, "5", None])
def test_an_age_that_is_none(age):
    with pytest.raises(ConfigurationError, match="max_age"):
        verify({}, SECRET, max_age=age)


@pytest.mark.parametrize("service", ["linear", "slack", "stripe"])
def test_the_time_that_is_signed(service):
    """Five minutes either way, unless told otherwise; GitHub signs none."""
    for age, expected in (
        (299, None),
        (300, None),
        (301, "too-old"),
        (-300, None),
        (-301, "in-future"),
    ):
        body = json.dumps({"webhookTimestamp": int((NOW - age) * 1000)}).encode()
        event = made("function-url", signed(service, body, now=NOW - age), body)
        if expected is None:
            assert check(event, service) == body
        else:
            assert reason(event, service) == expected
            assert check(event, service, max_age=302) == body
            assert check(event, service, max_age=math.inf) == body
        assert reason(event, service, "another") == "wrong-signature"  # whatever its time


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{}", "missing-timestamp"),
        (b"[]", "missing-timestamp"),
        (b"no JSON", "missing-timestamp"),
        (b'{"webhookTimestamp": null}', "missing-timestamp"),
        (b'{"webhookTimestamp": "1"}', "malformed-timestamp"),
        (b'{"webhookTimestamp": true}', "malformed-timestamp"),
        (b'{"webhookTimestamp": -1}', "malformed-timestamp"),
        (b'{"webhookTimestamp": 1' + b"0" * 400 + b"}", "malformed-timestamp"),
        (b'{"webhookTimestamp": 1e308}', "malformed-timestamp"),
    ],
)
def test_linears_time_that_is_none(content, expected):
    event = made("function-url", signed("linear", content), content)
    assert reason(event, "linear", max_age=math.inf) in {expected, "missing-timestamp"}


@pytest.mark.parametrize("at", ["", "x", "-1", "1.5", "1e9", "9" * 17, "٣", " 1"])
def test_a_time_in_a_header_that_is_none(at):
    """Though it be signed: no library of theirs would take it."""
    signature = digest(f"v0:{at}:".encode() + BODY)
    slack = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": f"v0={signature}"}
    assert reason(made("lattice-1", slack), "slack") == "malformed-timestamp"
    stripes = {"Stripe-Signature": f"t={at},v1={digest(f'{at}.'.encode() + BODY)}"}
    assert reason(made("lattice-1", stripes), "stripe") == "malformed-timestamp"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("shape", HTTP)
def test_a_second_signature_header_is_refused(service, shape):
    """The right one first or last, by whichever name: nobody can know which of them others look at."""
    right = list(signed(service).items())
    wrong = list(signed(service, secret="another").items())
    for headers in (right + wrong, wrong + right):
        request = WebRequest("POST", "/", headers=tuple(headers), content=BODY)
        event = make_event(request, shape)
        if shape == "alb":  # it hands on the last alone
            event["headers"] = {name.lower(): value for name, value in event["headers"].items()} | {
                name.upper(): value for name, value in right
            }
        refused = reason(event, service)
        assert refused in {"duplicate-header", "malformed-signature", "malformed-timestamp"}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_signature(service, shape):
    assert reason(made(shape, {}), service) == "missing-signature"


def test_no_time():
    headers = signed("slack")
    del headers["X-Slack-Request-Timestamp"]
    assert reason(made("sqs", headers), "slack") == "missing-timestamp"


ZEROS = "0" * 64


@pytest.mark.parametrize(
    "signature",
    [
        *("", "x", "sha256=", f"sha1={ZEROS[:40]}", f"sha256={ZEROS[:63]}", f"sha256={ZEROS}0"),
        *(f"SHA256={ZEROS}", f"sha256={'A' * 64}", f"sha256={ZEROS}\n", ZEROS, "é" * 64),
    ],
)
def test_a_signature_of_another_form(signature):
    """GitHub's older one, by SHA-1, among them, in this header and in its own."""
    event = {"headers": {"x-hub-signature-256": signature}, "body": "{}"}
    assert reason(event) == "malformed-signature"
    older = {"X-Hub-Signature": "sha1=" + hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()}
    assert reason({"headers": older, "body": "{}"}) == "missing-signature"


@pytest.mark.parametrize(
    "event",
    [
        *(None, [], "x", 5, {}, {"body": None}, {"body": 5}, {"body": {}}, {"body": ""}),
        *({"body": "no base64!", "isBase64Encoded": True}, {"Records": []}, {"Sns": None}),
        *({"Sns": {}}, {"Sns": {"Message": 5}}, {"messageAttributes": {}}),
        {"messageAttributes": {}, "body": []},
    ],
)
@pytest.mark.parametrize("service", SERVICES)
def test_an_event_without_a_body(event, service):
    """Whoever may invoke the function may send anything."""
    assert reason(event, service) == "no-body"


@pytest.mark.parametrize(
    "more",
    [
        *({}, {"headers": None}, {"headers": []}, {"headers": {"x-hub-signature-256": 5}}),
        *({"headers": {"x-hub-signature-256": []}}, {"messageAttributes": {"a": 5}}),
        {"multiValueHeaders": {"x-hub-signature-256": [None]}},
        {"messageAttributes": {"X-Hub-Signature-256": {}}},
    ],
)
def test_an_event_without_headers(more):
    assert reason({"body": "{}", **more}) == "missing-signature"


@given(st.data())
def test_any_change_is_rejected(data):
    """One byte of the body, one character of the signature, another time or another secret."""
    service = data.draw(st.sampled_from(SERVICES))
    text = data.draw(st.text(st.characters(codec="utf-8")))
    body = json.dumps({"text": text, "webhookTimestamp": int(NOW * 1000)}).encode()
    headers = signed(service, body)
    assert check(made("lattice-1", headers, body), service) == body
    kinds = ["body", "longer", "signature", "secret"]
    kind = data.draw(
        st.sampled_from([*kinds, *(["time"] if service in {"slack", "stripe"} else [])])
    )
    secret = SECRET
    if kind == "body":
        at = data.draw(st.integers(0, len(body) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[at]))
        body = body[:at] + bytes([other]) + body[at + 1 :]
    elif kind == "longer":
        body += data.draw(st.binary(min_size=1))
    elif kind == "secret":
        secret = data.draw(st.text(min_size=1).filter(lambda one: one.rstrip("\0") != SECRET))
    elif kind == "signature":
        name = webhooks._HEADERS[service]
        at = len(headers[name]) - data.draw(st.integers(1, 64))
        digit = data.draw(
            st.sampled_from("0123456789abcdef").filter(lambda one: one != headers[name][at])
        )
        headers[name] = headers[name][:at] + digit + headers[name][at + 1 :]
    else:
        moment = f"{NOW + data.draw(st.integers(-300, 300).filter(bool)):.0f}"
        name = "Stripe-Signature" if service == "stripe" else "X-Slack-Request-Timestamp"
        headers[name] = headers[name].replace(f"{NOW:.0f}", moment)
    assert reason(made("lattice-1", headers, body), service, secret) == "wrong-signature"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(SERVICES),
    st.sampled_from(("body", "headers", "multiValueHeaders", "messageAttributes", "Sns")),
)
def test_no_event_is_more_than_rejected(value, service, field):
    """Whatever JSON it is."""
    reason(value, service)
    reason({"body": "x", "headers": {}, field: value}, service)


def test_every_signature_is_compared_in_constant_time(monkeypatch):
    """All with each secret, however early one fits."""
    compared = []

    def counted(one, other):
        compared.append((one, other))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", counted)
    right = digest(f"{NOW:.0f}.".encode() + BODY)
    headers = {"Stripe-Signature": f"t={NOW:.0f},v1={right},v1={'0' * 64}"}
    assert check(made("function-url", headers), "stripe", [SECRET, "b", "c"]) == BODY
    assert len(compared) == 6
    assert all(len(one) == len(other) == 64 for one, other in compared)


@pytest.fixture(scope="module")
def watch():
    """Reporters of errors, by name."""
    with (
        pytest.MonkeyPatch.context() as patch,
        reporters.sentry() as sentry,
        reporters.rollbar_(patch) as rollbar,
    ):
        yield {
            "sentry": sentry,
            "rollbar": rollbar,
            "python": reporters.python,
            "worst": reporters.worst,
        }


BROKEN = {
    "wrong": lambda service: (made("rest-api", signed(service, secret="another")), SECRET, {}),
    "old": lambda service: (made("rest-api", signed(service)), SECRET, {"clock": lambda: NOW * 2}),
    "missing": lambda _: (made("rest-api", {"Cookie": SECRET}), SECRET, {}),
    "empty": lambda service: (made("rest-api", signed(service)), [SECRET, ""], {}),
    "age": lambda service: (made("rest-api", signed(service)), SECRET, {"max_age": SECRET}),
    "clock": lambda service: (made("rest-api", signed(service)), SECRET, {"clock": lambda: 1 / 0}),
    "record": lambda service: (made("sns", signed(service, secret="another")), SECRET, {}),
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("service", SERVICES)
def test_no_report_of_a_refusal_tells_secret_body_or_signature(watch, service, broken):
    """Neither message, traceback nor frame; nor the signature that would have been right."""
    event, secret, options = BROKEN[broken](service)
    try:
        verify(event, secret, service, **{"clock": lambda: NOW, **options})
    except Exception as error:  # noqa: BLE001 - whatever it is
        told = [report(error) for report in watch.values()]
        told += traceback.format_exception(error)
    else:
        assert (service, broken) in {("github", "old"), ("github", "clock")}, "nothing was raised"
        return
    rights = [value.rpartition("=")[2] for value in signed(service).values()]
    for kept in (SECRET, "opened", "grüße", *(one for one in rights if len(one) == 64)):
        assert not [text for text in told if kept in text], kept


def test_the_functions_secrets(monkeypatch):
    """One, or several with spaces between; none is an error that names the variable."""
    for text in ("", " \n"):
        monkeypatch.setenv("ARCHAL_LAMBDA_WEBHOOK_SECRET", text)
        with pytest.raises(ConfigurationError, match="ARCHAL_LAMBDA_WEBHOOK_SECRET"):
            secrets_from_env()
    monkeypatch.setenv("ARCHAL_LAMBDA_WEBHOOK_SECRET", f"old {SECRET}\n")
    assert secrets_from_env() == [Secret("old"), Secret(SECRET)]
    assert check(made("alb", signed("github")), secret=secrets_from_env()) == BODY


def test_headers_of_an_event_are_all_found():
    """By any spelling, in whichever field."""
    both = {"headers": {"X-A": "2"}, "multiValueHeaders": {"X-A": ["1", "2"], "x-b": [5]}}
    assert header_values(both, "x-a") == ["1", "2"]
    assert header_values(both, "x-b") == header_values(both, "x-c") == []
    spelt = {"headers": {"X-A": "1", "x-a": "2"}, "multiValueHeaders": None}
    assert header_values(spelt, "x-a") == ["1", "2"]
