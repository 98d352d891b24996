"""Glue for AWS Lambda and Powertools: log lines for clone calls, HTTP events in, HTTP results out.

This module owns what a caller of an HTTP function gets to see of a failure, and what goes to the log instead. It
must not make calls.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda.core.models import decode, encode
from archal_lambda.errors import (
    ArchalError,
    ConfigurationError,
    DecodeError,
    RequestTimeout,
    RouteRejectedError,
    StatusError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools import Logger, Metrics

    from archal_lambda.core.calls import CallHook, CallRecord
    from archal_lambda.core.response import Response

__all__ = ["failure_result", "json_result", "log_calls", "pass_on", "read_json"]

T = TypeVar("T")


def log_calls(logger: Logger, metrics: Metrics | None = None) -> CallHook:
    """Make a hook that writes one structured log line for each clone call.

    Args:
        logger: A Powertools logger.
        metrics: Powertools metrics: counts calls and failures, and measures durations, if given.

    Returns:
        A hook for `Clones(..., on_call=…)`. Durations are in milliseconds; no line holds a header, a body or a
        query string.
    """

    def log(record: CallRecord) -> None:
        left = record.time_left
        fields: dict[str, object] = {
            "clone": record.clone,
            "method": record.method,
            "path": record.path,
            "status": record.status_code,
            "error": record.error,
            "attempts": record.attempts,
            "duration_ms": round(record.elapsed * 1000, 1),
            "time_left_ms": None if left is None else round(left * 1000),
        }
        if record.transfer is not None:
            fields["reused"] = record.transfer.reused
            fields["phases_ms"] = {
                phase: round(seconds * 1000, 1) for phase, seconds in record.transfer.phases.items()
            }
        if metrics is not None:
            metrics.add_metric("CloneCalls", MetricUnit.Count, 1)
            metrics.add_metric("CloneCallFailures", MetricUnit.Count, int(record.error is not None))
            metrics.add_metric("CloneCallDuration", MetricUnit.Milliseconds, record.elapsed * 1000)
        logger.info(
            "clone call", extra={key: value for key, value in fields.items() if value is not None}
        )

    return log


def read_json(event: Mapping[str, Any], type: type[T]) -> T:  # noqa: A002 - as in Response.decode
    """Read the JSON body of an HTTP event.

    Args:
        event: An event of API Gateway (payload format 1.0 or 2.0), a Function URL or a load balancer. A body
            in base64 is accepted.
        type: What the body should hold; any type msgspec knows.

    Returns:
        The decoded body.

    Raises:
        DecodeError: If there is no body, or it is of another shape; the message shows no value of it.
    """
    body = event.get("body")
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else b""
    if event.get("isBase64Encoded") is True:
        content = _from_base64(content)
    return decode(content, type)


def json_result(status_code: int, value: object) -> dict[str, Any]:
    """Make the result of an HTTP function.

    Args:
        status_code: The HTTP status.
        value: The body: anything msgspec encodes.

    Returns:
        A result for API Gateway or a Function URL.
    """
    return _result(status_code, "application/json", encode(value).decode())


def pass_on(response: Response) -> dict[str, Any]:
    """Answer with what a clone answered.

    Args:
        response: The clone's answer.

    Returns:
        Its status, content type and body as a result. Its other headers belong to the clone's own hop.
    """
    content_type = response.headers.get("content-type", "application/octet-stream")
    try:
        return _result(response.status_code, content_type, response.content.decode())
    except UnicodeDecodeError:
        body = base64.b64encode(response.content).decode()
        return _result(response.status_code, content_type, body) | {"isBase64Encoded": True}


def failure_result(error: ArchalError, logger: Logger) -> dict[str, Any]:
    """Answer a failed call: enough for the caller to act on, the details in the log.

    Args:
        error: What went wrong.
        logger: Gets the details.

    Returns:
        The clone's own answer if it refused; 504 if time ran out; 502 for everything else that is not the
        caller's fault.
    """
    if isinstance(error, StatusError) and not isinstance(error, RouteRejectedError):
        return pass_on(error.response)
    # The message of each of our errors is made to be logged; what it was raised from is not.
    logger.error("clone call failed", extra={"error": type(error).__name__, "reason": str(error)})
    if isinstance(error, RequestTimeout):
        return json_result(504, {"message": "the clone did not answer in time"})
    if isinstance(error, ConfigurationError | RouteRejectedError):
        return json_result(502, {"message": "this function is not set up to reach the clone"})
    if isinstance(error, DecodeError):  # it may have done what was asked all the same
        return json_result(502, {"message": "the clone's answer could not be read"})
    return json_result(502, {"message": "the clone could not be reached"})


def _from_base64(content: bytes) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        pass
    raise DecodeError("the body is not valid base64")


def _result(status_code: int, content_type: str, body: str) -> dict[str, Any]:
    return {
        "statusCode": status_code,
        "headers": {"content-type": content_type},
        "body": body,
        "isBase64Encoded": False,
    }
