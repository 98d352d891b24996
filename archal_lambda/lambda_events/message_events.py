"""Events of what is put somewhere and handled later: queues, topics and event buses.

This module owns their fields. It must not know who sent what.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from archal_lambda.errors import ConfigurationError
from archal_lambda.lambda_events.parts import ACCOUNT, REGION, grouped, header, iso_time

if TYPE_CHECKING:
    from archal_lambda.lambda_events.values import WebRequest

__all__ = ["eventbridge", "sns", "sqs"]

# Of the connection, not of the message.
_LEFT_OUT = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "host", "user-agent"}
)
# Where the services say what happened: GitHub and Linear in a header, Stripe and Slack in the body.
_NAMED_BY = ("x-github-event", "linear-event")


def sqs(request: WebRequest, *, now: float, request_id: str) -> dict[str, Any]:
    """Make an event of one record (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS")."""
    body = _text(request)
    sent = str(int(now * 1000))
    record: dict[str, Any] = {
        "messageId": request_id,
        "receiptHandle": f"AQEB{request_id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": sent,
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": sent,
        },
        "messageAttributes": {
            name: {
                "stringValue": value,
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
            for name, value in _attributes(request)
        },
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:local",
        "awsRegion": REGION,
    }
    return {"Records": [record]}


def sns(request: WebRequest, *, now: float, request_id: str) -> dict[str, Any]:
    """Make an event of one record (AWS Lambda Developer Guide, "Invoking Lambda functions with Amazon SNS")."""
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:local"
    url = f"https://sns.{REGION}.amazonaws.com"
    record = {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{topic}:21be56ed-a058-49f5-8c98-aedd2564c486",
        "Sns": {
            "Type": "Notification",
            "MessageId": request_id,
            "TopicArn": topic,
            "Subject": None,
            "Message": _text(request),
            "Timestamp": iso_time(now, "milliseconds"),
            "SignatureVersion": "1",
            "Signature": "EXAMPLE",
            "SigningCertUrl": f"{url}/SimpleNotificationService-local.pem",
            "UnsubscribeUrl": f"{url}/?Action=Unsubscribe",
            "MessageAttributes": {
                name: {"Type": "String", "Value": value} for name, value in _attributes(request)
            },
        },
    }
    return {"Records": [record]}


def eventbridge(request: WebRequest, *, now: float, request_id: str, source: str) -> dict[str, Any]:
    """Make an event of a bus (Amazon EventBridge User Guide, "Structure of EventBridge events")."""
    try:
        detail = json.loads(_text(request))
    except (ValueError, RecursionError):
        detail = None
    if not isinstance(detail, dict):
        raise ConfigurationError("content", "must be a JSON object for eventbridge")
    named = next((found for name in _NAMED_BY if (found := header(request, name))), None)
    kind = named or detail.get("type")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType] - JSON
    return {
        "version": "0",
        "id": request_id,
        "detail-type": kind if isinstance(kind, str) and kind else "webhook",
        "source": source,
        "account": ACCOUNT,
        "time": iso_time(now, "seconds"),
        "region": REGION,
        "resources": [],
        "detail": detail,
    }


def _text(request: WebRequest) -> str:
    try:
        return request.content.decode()
    except UnicodeDecodeError:
        raise ConfigurationError("content", "must be UTF-8 for a queue, topic or bus") from None


def _attributes(request: WebRequest) -> list[tuple[str, str]]:
    found = grouped([(name.lower(), value) for name, value in request.headers])
    return [
        (name, ",".join(values))
        for name, values in found.items()
        if name not in _LEFT_OUT and any(values)
    ]
