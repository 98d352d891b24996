"""Glue for AWS Lambda and Powertools: log lines for clone calls, HTTP events in, HTTP results out.

This module owns what a caller of an HTTP function gets to see of a failure, and what goes to the log instead. It must
not make calls.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda.core.error_responses import clone_response, error_response, json_response
from archal_lambda.core.events import http_body, message_of
from archal_lambda.core.json import decode, read_event
from archal_lambda.core.records import CallHook, CallRecord, has_failed, log_fields, log_level
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import process_variable
from archal_lambda.core.snapshot import at_snapshot
from archal_lambda.errors import ArchalError

if TYPE_CHECKING:
    from aws_lambda_powertools import Tracer  # costs a cold start more than the rest of a handler

__all__ = [
    "before_snapshot",
    "failure_result",
    "json_result",
    "log_calls",
    "pass_on",
    "read_json",
    "read_message",
    "trace_calls",
]

T = TypeVar("T")
W = TypeVar("W", bound=Callable[[], object])

# Bytes of the whole result, as the runtime client encodes it. Lambda refuses one more: Function.ResponseSizeTooLarge.
_MAX_RESULT = 6_291_556
# Elastic Load Balancing, "Lambda functions as targets", Limits.
_MAX_OF_LOAD_BALANCER = 1024 * 1024
_LONGEST_ESCAPE = 6  # bytes that JSON makes of one, as of a NUL
_FRAME = 1000  # bytes of a result without its content type and body, at most


def before_snapshot(work: W) -> W:
    """Do something before the snapshot from which Lambda's SnapStart starts a function; a decorator.

    Without SnapStart, and outside Lambda, it is not done. The clients need none: the certificates that they trust are
    in the snapshot in any case.

    Args:
        work: A function without arguments that does what the first call would: load, read settings, compile. It must
            open no connection, read no secret and draw nothing random, because the snapshot is restored many times.
            If it raises an error, Lambda does not publish the version.

    Returns:
        The function.

    Example:
        >>> @before_snapshot
        ... def prime() -> None:
        ...     import decimal
    """
    at_snapshot(work)
    return work


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
        event: An event of API Gateway (payload format 1.0 or 2.0), a Function URL, a load balancer (with multi-value
            headers or without) or VPC Lattice (1.0 or 2.0). Base64 is undone, and so is a content coding of gzip or
            deflate, up to 6 MB.
        type: What the body should contain: any type msgspec knows.

    Returns:
        The decoded body.

    Raises:
        DecodeError: If there is no body, or it has another shape. The message shows no value of it.
    """
    return decode(http_body(event), type)


@guarded
def read_message(body: str, type: type[T]) -> T:  # noqa: A002 - as in Response.decode
    """Read the JSON message of an SQS record.

    Args:
        body: The record's body: the message itself, or an SNS notification or EventBridge event around it, or both.
        type: What the message should contain: any type msgspec knows.

    Returns:
        The decoded message.

    Raises:
        DecodeError: If it is not JSON, or has another shape. The error shows no value of it.
    """
    return read_event(message_of(body), type)


@guarded
def json_result(
    status_code: int, value: object, *, event: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Make the result of an HTTP function.

    Args:
        status_code: The HTTP status.
        value: The body: anything msgspec encodes.
        event: The event to answer, as in `pass_on`.

    Returns:
        A result, as `pass_on` makes it.

    Raises:
        TypeError: If msgspec does not encode it.
        ValueError: If it contains NaN or an infinity, which JSON has not.
    """
    return pass_on(json_response(status_code, value), event=event)


@guarded
def pass_on(response: Response, *, event: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Answer as a clone did.

    Args:
        response: The clone's response.
        event: The event to answer. It says in which form: a load balancer wants other fields than the rest.

    Returns:
        Its status, content type and body as a result. Its other headers are for the connection to the clone. A result
        that Lambda or the load balancer would refuse for its size (6,291,556 bytes and 1 MB, base64 and escapes
        counted) becomes a 502 that says so.
    """
    fields = _mapping(event)  # whoever may invoke it may send anything
    balanced = "elb" in _mapping(fields.get("requestContext"))
    limit = _MAX_OF_LOAD_BALANCER if balanced else _MAX_RESULT
    result = _result(response, fields, balanced=balanced)
    if _fits(response, result, limit):
        return result
    reason = (
        f"the response, of status {response.status_code}, is too large to be passed on: "
        f"as a result it has more than {limit} bytes"
    )
    return _result(json_response(502, {"message": reason}), fields, balanced=balanced)


@guarded
def failure_result(
    error: ArchalError, logger: Logger, *, event: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Answer a failed call: enough for the caller to act on, the details in the log.

    Args:
        error: What went wrong.
        logger: Gets the details.
        event: The event to answer, as in `pass_on`.

    Returns:
        The clone's own response if it refused; 504 if time ran out; 502 for everything else that is not the
        caller's fault.
    """
    if clone_response(error) is None:
        # The message of each of our errors is made to be logged; what it was raised from is not.
        details = {"error": type(error).__name__, "reason": str(error)}
        logger.error("clone call failed", extra=details)
    return pass_on(error_response(error), event=event)


def _result(response: Response, event: Mapping[str, Any], *, balanced: bool) -> dict[str, Any]:
    status_code = response.status_code
    content_type = _content_type(response)
    result: dict[str, Any] = {"statusCode": status_code}
    if balanced:
        phrases = {int(status): status.phrase for status in HTTPStatus}
        result["statusDescription"] = f"{status_code} {phrases.get(status_code, 'Unknown')}"
    # Only a load balancer gives multi-value headers alone, and then it reads no others.
    if event.get("headers") is None and isinstance(event.get("multiValueHeaders"), Mapping):
        result["multiValueHeaders"] = {"content-type": [content_type]}
    else:
        result["headers"] = {"content-type": content_type}
    try:
        return result | {"body": response.content.decode(), "isBase64Encoded": False}
    except UnicodeDecodeError:
        body = base64.b64encode(response.content).decode()
        return result | {"body": body, "isBase64Encoded": True}


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _content_type(response: Response) -> str:
    return response.headers.get("content-type", "application/octet-stream")


def _fits(response: Response, result: dict[str, Any], limit: int) -> bool:
    """Tell whether a result is small enough; only one that may not be is encoded to find out."""
    size = len(response.content) + len(_content_type(response))
    if size * _LONGEST_ESCAPE + _FRAME <= limit:
        return True
    # As AWS's runtime client does it (awslambdaric 4.2, lambda_runtime_marshaller).
    runtime = process_variable("AWS_EXECUTION_ENV").removeprefix("AWS_Lambda_python3.")
    plain = runtime.isdecimal() and int(runtime) >= 12  # noqa: PLR2004 - Python 3.12
    text = json.dumps(result, ensure_ascii=not plain)
    separators = 0 if text.isascii() else text.count("\u2028") + text.count("\u2029")
    return len(text.encode()) + 3 * separators <= limit
