"""JSON-RPC as MCP uses it: what comes in, what goes out, and the errors in between.

This module owns the reading of one message (MCP specification, basic). It must not know HTTP or any
method.
"""

from __future__ import annotations

from typing import Literal, TypeVar

import msgspec

from archal_lambda.local.clones.mcp.catalogue import Json
from archal_lambda.local.clones.mcp.codes import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR

__all__ = ["Message", "RpcError", "params_of", "parse"]

T = TypeVar("T")


class RpcError(Exception):
    """A refusal in the protocol's own shape."""

    def __init__(self, code: int, message: str, *, data: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data

    def to_json(self, request_id: str | int | None) -> Json:
        """Render the error response; the id is None if the request's could not be read."""
        data: Json = {} if self.data is None else {"data": self.data}
        error = {"code": self.code, "message": self.message, **data}
        return {"jsonrpc": "2.0", "id": request_id, "error": error}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """A request, a notification (which has no id) or a response (which has no method)."""

    jsonrpc: Literal["2.0"]
    method: str | None = None
    id: str | int | msgspec.UnsetType = msgspec.UNSET
    params: Json = {}


def parse(body: bytes) -> Message:
    """Read the one message of a body."""
    try:
        raw: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise RpcError(PARSE_ERROR, "Parse error: the body is not JSON") from None
    if body.lstrip()[:1] != b"{":
        raise RpcError(INVALID_REQUEST, "Invalid request: the body is not one JSON-RPC message")
    try:
        message = msgspec.convert(raw, Message)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_REQUEST, f"Invalid request: {error}") from None
    if message.method is None and message.id is msgspec.UNSET:
        raise RpcError(INVALID_REQUEST, "Invalid request: neither method nor id")
    return message


def params_of(message: Message, kind: type[T]) -> T:
    """Check and convert the parameters of a request."""
    try:
        return msgspec.convert(message.params, kind)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_PARAMS, f"Invalid parameters of {message.method}: {error}") from None
