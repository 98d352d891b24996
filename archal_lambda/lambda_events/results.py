"""A function's result as the HTTP response that AWS makes of it.

This module owns the rules of each way out of Lambda. It must not run a function.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, cast

from archal_lambda.errors import ConfigurationError
from archal_lambda.lambda_events.values import SHAPES, Shape, WebResponse

__all__ = ["read_result"]

_JSON = (("content-type", "application/json"),)
_MESSAGES = ("sqs", "sns", "eventbridge")


class _MalformedError(ValueError):
    """The result has not the form that this way out of Lambda asks for."""


def read_result(result: object, shape: Shape = "function-url") -> WebResponse:
    """Make the response that AWS makes of a function's result.

    Args:
        result: What the handler returned.
        shape: The way it takes out of Lambda, as for `make_event`.

    Returns:
        The response; 502 as AWS gives it if the result has not the form that the shape asks for.

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
        if shape in _MESSAGES:
            return WebResponse(200, _JSON, _encoded(result))
        if shape in ("function-url", "http-api"):
            return _payload_two(result)
        return _strict(result, shape)
    except _MalformedError:
        return WebResponse(502, _JSON, b'{"message": "Internal server error"}')


read_result.__module__ = "archal_lambda.testing"


def _payload_two(result: object) -> WebResponse:
    # API Gateway Developer Guide, "Lambda function response for format 2.0".
    fields = _mapping(result)
    if "statusCode" not in fields:
        content = result.encode() if isinstance(result, str) else _encoded(result)
        return WebResponse(200, _JSON, content)
    headers = _pairs(fields.get("headers"))
    if not any(name == "content-type" for name, _ in headers):
        headers = [*_JSON, *headers]
    cookies = cast("list[object]", fields.get("cookies") or [])
    headers += [("set-cookie", str(one)) for one in cookies]
    return WebResponse(_status(fields), tuple(headers), _body(fields))


def _strict(result: object, shape: Shape) -> WebResponse:
    if not isinstance(result, dict) or "statusCode" not in result:
        raise _MalformedError
    fields = cast("dict[str, Any]", result)
    headers = _pairs(fields.get("headers"))
    many = fields.get("multiValueHeaders")
    if isinstance(many, dict):
        named = cast("dict[str, list[object]]", many)
        multiple = [(name.lower(), str(one)) for name, values in named.items() for one in values]
        names = {name for name, _ in multiple}
        headers = [pair for pair in headers if pair[0] not in names] + multiple
    del shape
    return WebResponse(_status(fields), tuple(headers), _body(fields))


def _status(fields: dict[str, Any]) -> int:
    try:
        status = int(fields["statusCode"])
    except (TypeError, ValueError):
        raise _MalformedError from None
    if not 200 <= status <= 599:  # noqa: PLR2004 - statuses of a final response
        raise _MalformedError
    return status


def _pairs(headers: object) -> list[tuple[str, str]]:
    if headers is None:
        return []
    if not isinstance(headers, dict):
        raise _MalformedError
    return [(str(name).lower(), str(value)) for name, value in headers.items()]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON


def _body(fields: dict[str, Any]) -> bytes:
    body = fields.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):
        raise _MalformedError
    if fields.get("isBase64Encoded") is not True:
        return body.encode()
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise _MalformedError from None


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
