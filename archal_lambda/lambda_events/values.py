"""An HTTP request on its way into a function, and the response on its way out.

This module owns the two values and the names of the shapes. It must not know what a shape looks like.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

import re
from typing import Any, Literal, get_args

import msgspec

from archal_lambda.core.secrets import guarded
from archal_lambda.errors import ConfigurationError

__all__ = ["SHAPES", "Shape", "WebRequest", "WebResponse"]

Shape = Literal[
    "function-url", "http-api", "rest-api", "alb", "alb-multi", "sqs", "sns", "eventbridge"
]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_METHOD = re.compile(r"[A-Z]{1,20}")
_PATH = re.compile(r"/[^\s?#]*")
_QUERY = re.compile(r"[^\s#]*")


class WebRequest(msgspec.Struct, frozen=True):
    """An HTTP request as AWS gets it, before it makes an event of it.

    Args:
        method: HTTP method, in capitals.
        path: Path as it is sent, percent-encoded, beginning with `/`.
        query: Query as it is sent, percent-encoded, without the `?`.
        headers: Names and values in order; a name may be repeated.
        content: Body.
        source_ip: Address of whoever asks.

    Raises:
        ConfigurationError: If an argument is not of that kind; it names the argument.

    Example:
        >>> from archal_lambda.testing import WebRequest, make_event
        >>> make_event(WebRequest("GET", "/repos", "page=2"))["rawPath"]
        '/repos'
    """

    __module__ = "archal_lambda.testing"

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""
    source_ip: str = "127.0.0.1"

    @guarded
    def __post_init__(self) -> None:
        _check(self.method, "method", _METHOD, "must be an HTTP method in capitals")
        _check(self.path, "path", _PATH, "must begin with / and be percent-encoded, without query")
        _check(self.query, "query", _QUERY, "must be percent-encoded, without the ?")
        content: Any = self.content
        if not isinstance(content, bytes):
            raise ConfigurationError("content", "must be bytes")
        headers: Any = self.headers
        if not isinstance(headers, list | tuple) or not all(map(_is_pair, headers)):  # pyright: ignore[reportUnknownArgumentType] - users err
            raise ConfigurationError("headers", "must be a tuple of pairs of name and value")

    def __repr__(self) -> str:
        # Headers, query and body may hold credentials.
        return f"WebRequest({self.method!r}, {self.path!r})"


class WebResponse(msgspec.Struct, frozen=True):
    """An HTTP response as AWS makes it of a function's result.

    Args:
        status_code: HTTP status.
        headers: Names and values in order; a name may be repeated.
        content: Body, base64 undone.

    Example:
        >>> from archal_lambda.testing import read_result
        >>> read_result({"statusCode": 201, "body": "done"}).content
        b'done'
    """

    __module__ = "archal_lambda.testing"

    status_code: int
    headers: tuple[tuple[str, str], ...] = ()
    content: bytes = b""

    def __repr__(self) -> str:
        return f"WebResponse({self.status_code}, {len(self.content)} bytes)"


def _check(value: Any, name: str, pattern: re.Pattern[str], rule: str) -> None:  # noqa: ANN401 - users err
    if not (isinstance(value, str) and pattern.fullmatch(value)):
        raise ConfigurationError(name, rule)


def _is_pair(value: Any) -> bool:  # noqa: ANN401 - users err
    return (
        isinstance(value, list | tuple)
        and len(value) == 2  # pyright: ignore[reportUnknownArgumentType] # noqa: PLR2004 - a pair
        and all(isinstance(part, str) for part in value)  # pyright: ignore[reportUnknownVariableType]
    )
