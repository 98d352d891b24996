"""What a request of 2026-07-28 must say about itself, in headers and in `_meta`.

This module owns the order of these checks (MCP specification 2026-07-28, basic/transports). It must not know HTTP
beyond header fields, nor any method.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.mcp.codes import (
    HANDSHAKE_VERSIONS,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    MODERN_VERSIONS,
    UNSUPPORTED_VERSION,
)
from archal_lambda.local.clones.mcp.messages import Message, RpcError

if TYPE_CHECKING:
    from starlette.datastructures import Headers

    from archal_lambda.local.clones.mcp.catalogue import Json

__all__ = ["VERSION_HEADER", "check", "check_version", "progress_token", "version_in_body"]

VERSION_HEADER = "mcp-protocol-version"
_METHOD_HEADER = "mcp-method"
_NAME_HEADER = "mcp-name"
_VERSION = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
# The parameter that the name header repeats.
_NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_BASE64 = re.compile(r"=\?base64\?(.*)\?=")


def version_in_body(message: Message) -> object:
    """Read the version that the envelope names; None if there is none."""
    meta = _meta(message)
    return None if meta is None else meta.get(_VERSION)


def progress_token(message: Message) -> str | int | None:
    """Read what notifications of progress are to be marked with; None if none are wanted."""
    token = (_meta(message) or {}).get("progressToken")
    return token if isinstance(token, str | int) else None


def check_version(version: object) -> None:
    """Refuse a version that is not served without a handshake."""
    if version not in MODERN_VERSIONS:
        supported = [*HANDSHAKE_VERSIONS, *MODERN_VERSIONS]
        data: Json = {"supported": supported, "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, "Unsupported protocol version", data=data)


def check(message: Message, headers: Headers) -> None:
    """Refuse a request whose envelope is missing, or whose headers tell another story than its body."""
    meta = _meta(message)
    missing = [key for key in (_VERSION, _CAPABILITIES) if meta is None or key not in meta]
    if missing or meta is None:
        raise RpcError(INVALID_PARAMS, f"params._meta has no {', '.join(missing)}")
    for name in (VERSION_HEADER, _METHOD_HEADER, _NAME_HEADER):
        if len(headers.getlist(name)) > 1:
            raise _mismatch(name, "appears more than once")
    if headers.get(VERSION_HEADER) != meta[_VERSION]:
        raise _mismatch(VERSION_HEADER, "does not match the protocol version of params._meta")
    if headers.get(_METHOD_HEADER) != message.method:
        raise _mismatch(_METHOD_HEADER, "does not match the method of the body")
    parameter = _NAMED.get(message.method or "")
    named = message.params.get(parameter) if parameter else None
    if named is not None and _decoded(headers.get(_NAME_HEADER)) != named:
        raise _mismatch(_NAME_HEADER, f"does not match params.{parameter} of the body")
    check_version(meta[_VERSION])


def _meta(message: Message) -> Json | None:
    try:
        return msgspec.convert(message.params.get("_meta"), dict[str, object])
    except msgspec.ValidationError:
        return None


def _mismatch(header: str, reason: str) -> RpcError:
    return RpcError(HEADER_MISMATCH, f"the header {header} {reason}")


def _decoded(value: str | None) -> str | None:
    coded = _BASE64.fullmatch(value or "")
    if coded is None:
        return value
    try:
        return base64.b64decode(coded[1], validate=True).decode()
    except (binascii.Error, ValueError):
        return None
