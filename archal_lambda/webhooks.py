"""Webhooks of services, verified: GitHub, Linear, Slack and Stripe.

This module owns what each service signs and how it says so. It must not know what a webhook is about, and it takes no
SDK.
"""

from __future__ import annotations

import hashlib
import hmac
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

from archal_lambda.core.events import header_values, raw_body
from archal_lambda.core.json import decode_plain
from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import Secret, guarded
from archal_lambda.core.settings import process_variable
from archal_lambda.errors import ConfigurationError, DecodeError, WebhookRejected

__all__ = ["Service", "secrets_from_env", "verify"]

Service = Literal["github", "linear", "slack", "stripe"]

_Key = str | bytes | Secret
# Seconds or milliseconds since 1970; what is longer is no time, and Python refuses to read what is very long.
_MOMENT = lazy(r"[0-9]{1,16}")
_LAST_MOMENT = 10**16
_MILLISECONDS = 1000
_VARIABLE = "ARCHAL_LAMBDA_WEBHOOK_SECRET"
_FORMS = {
    "github": lazy(r"sha256=([0-9a-f]{64})"),
    "linear": lazy(r"([0-9a-f]{64})"),
    "slack": lazy(r"v0=([0-9a-f]{64})"),
    "stripe": lazy(r"([0-9a-f]{64})"),
}
_HEADERS = {
    "github": "X-Hub-Signature-256",
    "linear": "Linear-Signature",
    "slack": "X-Slack-Signature",
    "stripe": "Stripe-Signature",
}
_SLACK_TIME = "X-Slack-Request-Timestamp"


class _Signed(NamedTuple):
    """What a service has signed, by which signatures, and when as it says; None where it signs no time."""

    payload: bytes
    signatures: Sequence[str]
    moment: float | None


@guarded
def verify(
    event: Mapping[str, Any],
    secret: _Key | Sequence[_Key],
    service: Service = "github",
    *,
    max_age: float = 300.0,
    clock: Callable[[], float] = time.time,
) -> bytes:
    """Make sure that a webhook comes from its service, and give its body.

    The signature is that of the bytes as they were sent: base64 of the event is undone, and a content coding is not.
    It is compared in constant time.

    | service | header | what is signed | its documentation |
    | --- | --- | --- | --- |
    | `github` | `X-Hub-Signature-256` | the body | "Validating webhook deliveries" |
    | `linear` | `Linear-Signature` | the body, with the time in its `webhookTimestamp` | "Webhooks" |
    | `slack` | `X-Slack-Signature` | `X-Slack-Request-Timestamp` and the body | "Verifying requests from Slack" |
    | `stripe` | `Stripe-Signature` | its `t` and the body | "Verify webhook signatures manually" |

    Nothing else is signed: no method, no path, and no other header. GitHub signs no time either, so whoever has seen a
    delivery of its may send it again, and under another `X-GitHub-Event` or `X-GitHub-Delivery`: tell by the body what
    happened, and remember a hash of it. Its older `X-Hub-Signature`, by SHA-1, is not looked at.

    Args:
        event: The event of a Function URL, an HTTP API, a REST API, a load balancer or VPC Lattice; or one record of
            SQS or SNS, if the headers are among its message attributes.
        secret: The secret that the webhook was set up with, or several while it is being changed: any of them will do.
        service: Who sends: `github`, `linear`, `slack` or `stripe`.
        max_age: Seconds that may have passed since the webhook was signed, or, where clocks differ, that may be to
            come; five minutes, as with Slack's and Stripe's own libraries. `math.inf` is for webhooks that were kept.
        clock: Returns the time in seconds since 1970.

    Returns:
        The body, as it was sent.

    Raises:
        WebhookRejected: If it is not so; its `.reason` is `no-body`, `missing-signature`, `malformed-signature`,
            `duplicate-header`, `wrong-signature`, `missing-timestamp`, `malformed-timestamp`, `too-old` or `in-future`.
            A time is looked at only if it has been signed.
        ConfigurationError: If there is no secret, or it is empty; or for another service or `max_age` than these.

    Example:
        >>> import hashlib, hmac
        >>> from archal_lambda.webhooks import verify
        >>> signature = hmac.new(b"dummy", b"{}", hashlib.sha256).hexdigest()
        >>> verify({"headers": {"x-hub-signature-256": f"sha256={signature}"}, "body": "{}"}, "dummy")
        b'{}'
    """
    keys = _keys(secret)
    if cast("object", service) not in tuple(
        _HEADERS
    ):  # which may be anything, also what has no hash
        raise ConfigurationError("service", f"must be one of {', '.join(_HEADERS)}")
    age: Any = max_age
    if isinstance(age, bool) or not isinstance(age, int | float) or not age > 0:
        raise ConfigurationError("max_age", "must be a number of seconds greater than 0")
    request = _request(event)
    try:
        body = raw_body(request)
    except DecodeError:
        body = b""
    if not body:
        raise WebhookRejected("no-body", "the event has no body, or none that can be read")
    signed = _signed(request, body, service)
    if not _is_signed(signed, keys):
        raise WebhookRejected(
            "wrong-signature", "its signature is by another secret or of another body"
        )
    moment = _moment_of(body) if service == "linear" else signed.moment
    if moment is not None:
        _check_age(clock() - moment, max_age)
    return body


def secrets_from_env() -> list[Secret]:
    """Read the secrets of a function's webhooks from `ARCHAL_LAMBDA_WEBHOOK_SECRET`.

    It holds one, or several with spaces between them: a service and a function do not change theirs at one moment.

    Returns:
        The secrets, for `verify`.

    Raises:
        ConfigurationError: If there is none.
    """
    found = [Secret(one) for one in process_variable(_VARIABLE).split()]
    if not found:
        raise ConfigurationError(_VARIABLE, "must hold the webhook's secret")
    return found


def _keys(secret: object) -> list[bytes]:
    given: list[object] = [secret]
    if isinstance(secret, Sequence) and not isinstance(secret, str | bytes):
        given = list(cast("Sequence[object]", secret))
    if not given:
        raise ConfigurationError("secret", "must have one secret at least")
    return [_key(one.reveal() if isinstance(one, Secret) else one) for one in given]


def _key(plain: object) -> bytes:
    if not isinstance(plain, str | bytes):
        raise ConfigurationError("secret", "must be a string, or a sequence of strings")
    if not plain:
        raise ConfigurationError("secret", "must not be empty")
    return plain.encode("utf-8", "surrogatepass") if isinstance(plain, str) else plain


def _request(event: object) -> Mapping[str, Any]:
    """Take an event as that of an HTTP request; a record of SQS or SNS has the headers among its attributes."""
    fields = _mapping(event)
    if "Sns" in fields:
        told = _mapping(fields["Sns"])
        return _message(told.get("Message"), told.get("MessageAttributes"), "Value")
    if "messageAttributes" in fields:
        return _message(fields.get("body"), fields["messageAttributes"], "stringValue")
    return fields


def _message(body: object, attributes: object, value: str) -> dict[str, Any]:
    headers = {name: _mapping(one).get(value) for name, one in _mapping(attributes).items()}
    return {"body": body, "headers": headers}


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _signed(request: Mapping[str, Any], body: bytes, service: Service) -> _Signed:
    header = _HEADERS[service]
    signature = _only(request, header, "signature")
    form = _FORMS[service]
    if service == "stripe":
        parts = [part.strip().partition("=") for part in signature.split(",")]
        times = [value for name, _, value in parts if name == "t"]
        signatures = [value for name, _, value in parts if name == "v1"]
        if len(times) != 1 or not _MOMENT.fullmatch(times[0]):
            raise WebhookRejected("malformed-timestamp", f"{header} must have one t, in seconds")
        signatures = [one for one in signatures if form.fullmatch(one)]
        if not signatures:
            raise WebhookRejected("malformed-signature", f"{header} has no v1 of SHA-256")
        return _Signed(times[0].encode() + b"." + body, signatures, float(times[0]))
    found = form.fullmatch(signature)
    if found is None:
        raise WebhookRejected("malformed-signature", f"{header} is not a signature by SHA-256")
    if service == "slack":
        moment = _only(request, _SLACK_TIME, "timestamp")
        if not _MOMENT.fullmatch(moment):
            raise WebhookRejected(
                "malformed-timestamp", f"{_SLACK_TIME} is not a number of seconds"
            )
        return _Signed(b"v0:" + moment.encode() + b":" + body, [found[1]], float(moment))
    return _Signed(body, [found[1]], None)


def _only(request: Mapping[str, Any], header: str, what: str) -> str:
    values = header_values(request, header.lower())
    if not values:
        raise WebhookRejected(f"missing-{what}", f"there is no header {header}")
    if len(values) > 1:  # whoever adds a second one may hope that somebody else looks at the other
        raise WebhookRejected("duplicate-header", f"there is more than one header {header}")
    return values[0]


def _is_signed(signed: _Signed, keys: list[bytes]) -> bool:
    """Tell whether one of the signatures is by one of the keys; all are looked at, however many fit."""
    fits = False
    for key in keys:
        expected = hmac.new(key, signed.payload, hashlib.sha256).hexdigest().encode()
        for signature in signed.signatures:
            fits |= hmac.compare_digest(signature.encode(), expected)
    return fits


def _moment_of(body: bytes) -> float:
    """Read when Linear signed a body, in seconds."""
    try:
        content = decode_plain(body)
    except DecodeError:
        content = None
    moment = (
        cast("dict[str, object]", content).get("webhookTimestamp")
        if isinstance(content, dict)
        else None
    )
    if moment is None:
        raise WebhookRejected("missing-timestamp", "the body has no webhookTimestamp")
    if type(moment) not in {int, float} or not 0 <= cast("float", moment) < _LAST_MOMENT:
        raise WebhookRejected(
            "malformed-timestamp", "the body's webhookTimestamp is not a number of milliseconds"
        )
    return cast("float", moment) / _MILLISECONDS


def _check_age(age: float, max_age: float) -> None:
    if math.isnan(age) or age > max_age:
        raise WebhookRejected("too-old", f"it was signed more than {max_age:g} s ago")
    if age < -max_age:
        raise WebhookRejected("in-future", f"it was signed for more than {max_age:g} s from now")
