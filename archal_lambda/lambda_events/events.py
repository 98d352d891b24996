"""An HTTP request as the event that a function gets of it.

This module owns which shape there is for which way into Lambda. It must not know their fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archal_lambda.core.secrets import guarded
from archal_lambda.errors import ConfigurationError
from archal_lambda.lambda_events.http_events import alb, payload_one, payload_two
from archal_lambda.lambda_events.message_events import eventbridge, sns, sqs
from archal_lambda.lambda_events.values import SHAPES, Shape, WebRequest

__all__ = ["make_event"]


@guarded
def make_event(  # noqa: PLR0913 - the facts of a request, each by name
    request: WebRequest,
    shape: Shape = "function-url",
    *,
    now: float = 1_767_225_600.0,
    request_id: str = "11111111-2222-4333-8444-555555555555",
    route: str | None = None,
    path_parameters: Mapping[str, str] | None = None,
    stage: str | None = None,
    binary_types: Sequence[str] | None = None,
    source: str = "archal.webhooks",
) -> dict[str, Any]:
    """Make the event that AWS makes of a request.

    Its quirks are kept: an HTTP API decodes the path, a load balancer does not decode the query, and a body is base64
    unless its Content-Type is `text/*` or JSON, XML or JavaScript. A REST API passes text on whatever its type.

    Args:
        request: The request.
        shape: The way it takes into Lambda: `function-url`, `http-api`, `rest-api`, `alb`, `alb-multi` (a load balancer
            with multi-value headers), `sqs`, `sns` or `eventbridge`.
        now: The moment, in seconds since 1970; the default is the begin of 2026, so that a test can be repeated.
        request_id: Id of the request, the message or the event.
        route: For `http-api` the route's key, as `POST /repos/{name}`; for `rest-api` the resource, as `/repos/{name}`.
            None takes `$default`, or the path itself.
        path_parameters: What stands in the route's braces, percent-encoded as in the path.
        stage: Stage of the API; None takes `$default`, or `Prod` for `rest-api`.
        binary_types: `BinaryMediaTypes` of a `rest-api`, as `["image/*"]`: a body of such a type is base64, and another
            one that is not UTF-8 is damaged. None takes a body that is not UTF-8 for declared.
        source: Source of an `eventbridge` event.

    Returns:
        The event, of JSON's types alone.

    Raises:
        ConfigurationError: If there is no such shape, or the shape cannot hold the body: queues, topics and buses take
            text alone, `eventbridge` a JSON object.

    Example:
        >>> from archal_lambda.testing import WebRequest, make_event
        >>> make_event(WebRequest("POST", "/hook", content=b"{}"), "sqs")["Records"][0]["body"]
        '{}'
    """
    if shape not in SHAPES:
        raise ConfigurationError("shape", f"must be one of {', '.join(SHAPES)}")
    parameters = path_parameters or {}
    match shape:
        case "function-url" | "http-api":
            return payload_two(
                request,
                now=now,
                request_id=request_id,
                route=route or "$default",
                parameters=parameters,
                stage=stage or "$default",
                url=shape == "function-url",
            )
        case "rest-api":
            return payload_one(
                request,
                now=now,
                request_id=request_id,
                resource=route or request.path,
                parameters=parameters,
                stage=stage or "Prod",
                binary=binary_types,
            )
        case "alb" | "alb-multi":
            return alb(request, now=now, request_id=request_id, multi=shape == "alb-multi")
        case "sqs":
            return sqs(request, now=now, request_id=request_id)
        case "sns":
            return sns(request, now=now, request_id=request_id)
        case "eventbridge":
            return eventbridge(request, now=now, request_id=request_id, source=source)


make_event.__module__ = "archal_lambda.testing"
