"""An HTTP request on its way into a function, and the response on its way out.

This module owns the two values and the names of the shapes. It must not know what a shape looks like.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

from typing import Literal, get_args

import msgspec

__all__ = ["SHAPES", "Shape", "WebRequest", "WebResponse"]

Shape = Literal[
    "function-url", "http-api", "rest-api", "alb", "alb-multi", "sqs", "sns", "eventbridge"
]
SHAPES: tuple[Shape, ...] = get_args(Shape)


class WebRequest(msgspec.Struct, frozen=True):
    """An HTTP request as AWS gets it, before it makes an event of it.

    Args:
        method: HTTP method, in capitals.
        path: Path as it is sent, percent-encoded, beginning with `/`.
        query: Query as it is sent, percent-encoded, without the `?`.
        headers: Names and values in order; a name may be repeated.
        content: Body.
        source_ip: Address of whoever asks.

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
