"""How each service heads and signs what it sends.

This module owns the fields of GitHub (docs.github.com/webhooks/webhook-events-and-payloads, "Delivery headers"), Stripe
(docs.stripe.com/webhooks, "Verify webhook signatures manually"), Slack (docs.slack.dev, "Verifying requests from
Slack") and Linear (linear.app/developers/webhooks). It must not share a line with what verifies signatures.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from archal_lambda.local.webhooks.outgoing import Hook, Message, Pairs

__all__ = ["delivery_id", "dressed"]

_JSON = "application/json"
_AGENTS = {
    "github": "GitHub-Hookshot/0a1b2c3",
    "linear": "Linear-Webhook",
    "slack": "Slackbot 1.0 (+https://api.slack.com/robots)",
    "stripe": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
}
_TYPES = {"linear": "application/json; charset=utf-8", "stripe": "application/json; charset=utf-8"}


def delivery_id(message: Message, fresh: str) -> str:
    """Give the id that tells one delivery from another: the event's own, or a fresh one."""
    return message.id or fresh


def dressed(message: Message, hook: Hook, delivery: str, now: float) -> tuple[Pairs, bytes]:
    """Give the headers and the body of a delivery that is sent now."""
    if message.given is not None:
        return message.given, message.body
    body = message.body
    content_type = _TYPES.get(message.service, _JSON)
    if hook.form:
        content_type = "application/x-www-form-urlencoded"
        body = urlencode({"payload": body}).encode("ascii")
    if message.service == "linear":
        body = _stamped(body, now)
    head = [
        ("Accept", "*/*"),
        ("Content-Type", content_type),
        ("User-Agent", _AGENTS.get(message.service, "archal-lambda-local")),
        *_named(message, hook, delivery),
    ]
    if hook.secret is not None:
        head += _signed(message.service, hook.secret.reveal().encode(), body, int(now))
    return tuple(head), body


def _named(message: Message, hook: Hook, delivery: str) -> list[tuple[str, str]]:
    if message.service == "github":
        return [
            ("X-GitHub-Delivery", delivery),
            ("X-GitHub-Event", message.event),
            ("X-GitHub-Hook-ID", str(hook.id)),
            ("X-GitHub-Hook-Installation-Target-ID", str(message.about or 0)),
            ("X-GitHub-Hook-Installation-Target-Type", "repository"),
        ]
    if message.service == "linear":
        return [("Linear-Delivery", delivery), ("Linear-Event", message.event)]
    return []


def _signed(service: str, secret: bytes, body: bytes, now: int) -> list[tuple[str, str]]:
    if service == "stripe":
        return [("Stripe-Signature", f"t={now},v1={_hmac(secret, b'%d.' % now + body)}")]
    if service == "slack":
        signature = _hmac(secret, b"v0:%d:" % now + body)
        return [
            ("X-Slack-Request-Timestamp", str(now)),
            ("X-Slack-Signature", f"v0={signature}"),
        ]
    if service == "linear":
        return [("Linear-Signature", _hmac(secret, body))]
    return [
        ("X-Hub-Signature", f"sha1={_hmac(secret, body, 'sha1')}"),
        ("X-Hub-Signature-256", f"sha256={_hmac(secret, body)}"),
    ]


def _hmac(secret: bytes, body: bytes, digest: str = "sha256") -> str:
    return hmac.new(secret, body, getattr(hashlib, digest)).hexdigest()


def _stamped(body: bytes, now: float) -> bytes:
    """Say in the body when it is sent, which Linear signs with it (milliseconds)."""
    payload = json.loads(body)
    payload["webhookTimestamp"] = int(now * 1000)
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
