"""A function's result as the HTTP response that AWS makes of it.

This module owns the rules of each way out of Lambda. It must not run a function.
"""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from typing import Any, cast

from archal_lambda.core.secrets import guarded
from archal_lambda.errors import ConfigurationError
from archal_lambda.lambda_events.values import SHAPES, Shape, WebResponse

__all__ = ["failure_response", "late_response", "read_result"]

_JSON = ("content-type", "application/json")
# What a response has whose result names no type.
_DEFAULT_TYPES = {
    "http-api": "text/plain;charset=UTF-8",
    "alb": "application/octet-stream",
    "alb-multi": "application/octet-stream",
}
# All that a REST API takes in a result; anything else is malformed (`cookies`, too).
_REST_FIELDS = {
    "statusCode",
    "body",
    "headers",
    "multiValueHeaders",
    "isBase64Encoded",
    "base64Encoded",
}
# AWS says itself how a response is framed.
_FRAMING = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")


class _MalformedError(ValueError):
    """The result has not the form that this way out of Lambda asks for."""


@guarded
def read_result(
    result: object, shape: Shape = "function-url", *, binary: bool = True
) -> WebResponse:
    """Make the response that AWS makes of a function's result.

    `function-url` and `http-api` take anything: what has no `statusCode` is a 200 with it as JSON. `rest-api` refuses
    fields that it does not know, and a body that is not text. `alb` reads `headers` alone, `alb-multi`
    `multiValueHeaders` alone, and both need a `statusCode`. Of `sqs`, 200 stands for a record that is done, and 500 for
    one that goes back to the queue, by `batchItemFailures`. Of `sns` and `eventbridge` nobody sees the result: 202.

    Args:
        result: What the handler returned.
        shape: The way it takes out of Lambda, as for `make_event`.
        binary: Whether `BinaryMediaTypes` of a `rest-api` have the first type of the request's `Accept`. Where they
            have not, base64 reaches the caller as it is.

    Returns:
        The response. If the result has not the form that the shape asks for: 502, as AWS gives it; 500 of `http-api`.

    Raises:
        ConfigurationError: If there is no such shape.

    Example:
        >>> from archal_lambda.testing import read_result
        >>> read_result({"hello": "world"}).content
        b'{"hello":"world"}'
        >>> read_result({"hello": "world"}, "rest-api").status_code
        502
    """
    if shape not in SHAPES:
        raise ConfigurationError("shape", f"must be one of {', '.join(SHAPES)}")
    try:
        plain: object = json.loads(json.dumps(result, default=_plain))  # as the runtime sends it
        if shape == "sqs":
            return _batch(plain)
        if shape in ("sns", "eventbridge"):
            return WebResponse(202)
        return _response(plain, shape, binary=binary)
    except (ValueError, TypeError, RecursionError):
        return failure_response(shape)


def failure_response(shape: Shape) -> WebResponse:
    """Make the response of a function that failed, or whose result is malformed."""
    match shape:
        case "function-url":
            return WebResponse(502, (_JSON,), b"Internal Server Error")
        case "http-api":
            return WebResponse(500, (_JSON,), b'{"message":"Internal Server Error"}')
        case "alb" | "alb-multi":
            page = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
            page += b"<center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n"
            return WebResponse(502, (("content-type", "text/html"),), page)
        case "sqs":
            return WebResponse(500)
        case "sns" | "eventbridge":
            return WebResponse(202)
        case "rest-api":
            return WebResponse(502, (_JSON,), b'{"message": "Internal server error"}')


def late_response(shape: Shape) -> WebResponse:
    """Make the response of an API that waits no longer for its function."""
    match shape:
        case "http-api":
            return WebResponse(503, (_JSON,), b'{"message":"Service Unavailable"}')
        case "rest-api":
            return WebResponse(504, (_JSON,), b'{"message": "Endpoint request timed out"}')
        case _:
            return failure_response(shape)


read_result.__module__ = "archal_lambda.testing"


def _response(result: object, shape: Shape, *, binary: bool) -> WebResponse:
    two = shape in ("function-url", "http-api")
    fields = _mapping(result)
    if two and "statusCode" not in fields:
        # API Gateway Developer Guide, "Lambda function response for format 2.0".
        text = result if isinstance(result, str) else _compact(result)
        return WebResponse(200, (_JSON,), text.encode())
    if not isinstance(result, dict) or (shape == "rest-api" and fields.keys() - _REST_FIELDS):
        raise _MalformedError
    headers = _headers(fields, shape)
    if not any(name == "content-type" for name, _ in headers):
        headers.insert(0, ("content-type", _DEFAULT_TYPES.get(shape, "application/json")))
    coded = fields.get("isBase64Encoded")
    if shape == "rest-api":  # the older name goes first (aws-sam-cli, pull request 2941)
        coded = binary and fields.get("base64Encoded", coded)
    return WebResponse(_status(fields, shape), tuple(headers), _body(fields.get("body"), coded))


def _status(fields: dict[str, Any], shape: Shape) -> int:
    status = fields.get("statusCode")
    if status is None and shape == "rest-api":
        return 200
    if isinstance(status, str) and status.isascii() and not shape.startswith("alb"):
        status = int(status)
    if not isinstance(status, int) or not 200 <= status <= 599:  # noqa: PLR2004 - statuses of a final response
        raise _MalformedError
    return status


def _headers(fields: dict[str, Any], shape: Shape) -> list[tuple[str, str]]:
    single = [] if shape == "alb-multi" else list(_checked(fields.get("headers")).items())
    multiple: list[tuple[str, object]] = []
    if shape in ("rest-api", "alb-multi"):
        named = _checked(fields.get("multiValueHeaders"))
        multiple = [(name, one) for name, values in named.items() for one in _listed(values)]
    if shape in ("function-url", "http-api"):
        multiple = [("set-cookie", one) for one in _listed(fields.get("cookies") or [])]
    # The same name with the same value in both is one.
    pairs = [*multiple, *(pair for pair in single if pair not in multiple)]
    found = [(name.lower(), _value(value)) for name, value in pairs if value is not None]
    if not all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in found):
        raise _MalformedError
    return [pair for pair in found if pair[0] not in _FRAMING]


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        raise _MalformedError
    return str(value)


def _body(body: object, coded: object) -> bytes:
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _MalformedError
    return base64.b64decode(body, validate=True) if coded is True else body.encode()


def _batch(result: object) -> WebResponse:
    # AWS Lambda Developer Guide, "Success and failure conditions": nothing, or an empty list, is success.
    failures = bool(_mapping(result).get("batchItemFailures"))
    return WebResponse(500 if failures else 200, (_JSON,), _compact(result).encode())


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _checked(value: object) -> dict[str, Any]:
    if value is None or isinstance(value, dict):
        return _mapping(value)  # pyright: ignore[reportUnknownArgumentType] - JSON
    raise _MalformedError


def _listed(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _MalformedError
    return cast("list[object]", value)


def _plain(value: object) -> object:
    # As AWS's runtime client encodes them.
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return value.decode()
    raise TypeError
