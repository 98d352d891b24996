"""Glue for AWS Lambda and Powertools: log lines for clone calls, HTTP events in, HTTP results out.

This module owns what a caller of an HTTP function gets to see of a failure, and what goes to the log instead. It must
not make calls.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda.core.error_responses import clone_response, error_response, json_response
from archal_lambda.core.json import decode
from archal_lambda.core.records import CallHook, CallRecord, has_failed, log_fields, log_level
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded
from archal_lambda.errors import ArchalError, DecodeError

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer  # costs a cold start more than the rest of a handler

__all__ = ["failure_result", "json_result", "log_calls", "pass_on", "read_json", "trace_calls"]

T = TypeVar("T")


def log_calls(logger: Logger, metrics: Metrics | None = None) -> CallHook:
    """Make a hook that writes one structured log line for each call to a clone or to the control plane.

    The line is an ERROR if there was no response, if the route refused, or if the control plane failed or refused. It
    is a WARNING for a clone's 429 and 5xx, for a call that was tried more than once, and for stopping a session that
    was gone. Everything else is INFO, a clone's other 4xx among it: they are the behaviour under test.

    Args:
        logger: A Powertools logger.
        metrics: Powertools metrics, if calls are to be counted. A clone's are `CloneCalls`, `CloneCallFailures` (no
            response, 5xx, or refused at the route), `RouteRejections` and `CloneCallDuration`. The control plane's are
            `SessionCalls` and `SessionCallFailures`. They have the dimensions that `metrics` has, and not the clone:
            each further value of a dimension is billed as a metric of its own. The log lines tell clones apart.

    Returns:
        A hook for `Clones(..., on_call=…)` and `ArchalClient(..., on_call=…)`. Durations are in milliseconds. No line
        contains a body, a query string, or a header but the request id.
    """
    write = {"INFO": logger.info, "WARNING": logger.warning, "ERROR": logger.error}

    def log(record: CallRecord) -> None:
        message = "clone call" if record.clone else "session call"
        write[log_level(record)](message, extra=log_fields(record))
        if (
            metrics is not None
        ):  # second: metrics without a namespace raise, and the line must not be lost
            _count(record, metrics)

    return log


def _count(record: CallRecord, metrics: Metrics) -> None:
    failures = int(has_failed(record))
    if not record.clone:
        metrics.add_metric("SessionCalls", MetricUnit.Count, 1)
        metrics.add_metric("SessionCallFailures", MetricUnit.Count, failures)
        return
    refused = int(record.rejected_by == "route")
    metrics.add_metric("CloneCalls", MetricUnit.Count, 1)
    metrics.add_metric("CloneCallFailures", MetricUnit.Count, failures)
    metrics.add_metric("RouteRejections", MetricUnit.Count, refused)
    metrics.add_metric("CloneCallDuration", MetricUnit.Milliseconds, record.elapsed * 1000)


def trace_calls(tracer: Tracer) -> CallHook:
    """Make a hook that records each call to a clone or to the control plane as a subsegment of AWS X-Ray.

    Args:
        tracer: Your Powertools tracer, which needs `aws-lambda-powertools[tracer]`. Its import costs a cold start more
            than the rest of a handler, so nothing here makes one.

    Returns:
        A hook for `Clones(..., on_call=…)` and `ArchalClient(..., on_call=…)`. No subsegment contains a header, a body
        or a query string.
    """

    def trace(record: CallRecord) -> None:
        # Told when the call is over, so it is dated back.
        provider: Any = tracer.provider  # its type lacks the start of a subsegment
        with provider.in_subsegment(name=f"## {record.clone or 'sessions'}") as subsegment:
            subsegment.start_time = time.time() - record.elapsed
            if record.clone:
                subsegment.put_annotation(key="clone", value=record.clone)
            facts = {
                "method": record.method,
                "path": record.path,
                "status": record.status_code,
                "error": record.error,
                "attempts": record.attempts,
            }
            subsegment.put_metadata(key="call", value=facts, namespace="archal")

    return trace


@guarded
def read_json(event: Mapping[str, Any], type: type[T]) -> T:  # noqa: A002 - as in Response.decode
    """Read the JSON body of an HTTP event.

    Args:
        event: An event of API Gateway (payload format 1.0 or 2.0), a Function URL or a load balancer. A body in base64
            is decoded.
        type: What the body should contain: any type msgspec knows.

    Returns:
        The decoded body.

    Raises:
        DecodeError: If there is no body, or it has another shape. The message shows no value of it.
    """
    if not isinstance(event, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - whoever may invoke it may send anything
        raise DecodeError("the event is not an HTTP event")
    body = event.get("body")
    content = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else b""
    if event.get("isBase64Encoded") is True:
        content = _from_base64(content)
    return decode(content, type)


@guarded
def json_result(status_code: int, value: object) -> dict[str, Any]:
    """Make the result of an HTTP function.

    Args:
        status_code: The HTTP status.
        value: The body: anything msgspec encodes.

    Returns:
        A result for API Gateway or a Function URL.
    """
    return pass_on(json_response(status_code, value))


def pass_on(response: Response) -> dict[str, Any]:
    """Answer as a clone did.

    Args:
        response: The clone's response.

    Returns:
        Its status, content type and body as a result. Its other headers are for the connection to the clone.
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
        The clone's own response if it refused; 504 if time ran out; 502 for everything else that is not the
        caller's fault.
    """
    if clone_response(error) is None:
        # The message of each of our errors is made to be logged; what it was raised from is not.
        details = {"error": type(error).__name__, "reason": str(error)}
        logger.error("clone call failed", extra=details)
    return pass_on(error_response(error))


def _from_base64(content: bytes) -> bytes:
    try:
        return base64.b64decode(content, validate=True)
    except binascii.Error:
        raise DecodeError("the body is not valid base64") from None


def _result(status_code: int, content_type: str, body: str) -> dict[str, Any]:
    return {
        "statusCode": status_code,
        "headers": {"content-type": content_type},
        "body": body,
        "isBase64Encoded": False,
    }
