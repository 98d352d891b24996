"""The calls of MCP as flows with typed results; what the synchronous and the asynchronous client share.

This module owns which method each call is and what its result becomes. It must not know who waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, cast

from msgspec import Struct, to_builtins

from archal_lambda.core.error_bodies import error_message
from archal_lambda.core.flow import Flow
from archal_lambda.core.json import decode, encode
from archal_lambda.errors import DecodeError, McpError
from archal_lambda.mcp._flow import call, pages
from archal_lambda.mcp._post import Asked, Progress
from archal_lambda.mcp._servers import Server
from archal_lambda.mcp.values import (
    Prompt,
    PromptResult,
    Resource,
    ResourceContents,
    Tool,
    ToolResult,
)

__all__ = [
    "call_tool",
    "get_prompt",
    "list_prompts",
    "list_resources",
    "list_tools",
    "read_resource",
]

T = TypeVar("T")
_COROUTINE = 0x80  # CO_COROUTINE, of a function's `co_flags`


def list_tools(server: Server) -> Flow[list[Tool]]:
    """List every tool."""
    return (yield from _listed(server, "tools", "name", list[Tool]))


def list_resources(server: Server) -> Flow[list[Resource]]:
    """List every resource."""
    return (yield from _listed(server, "resources", "uri", list[Resource]))


def list_prompts(server: Server) -> Flow[list[Prompt]]:
    """List every prompt."""
    return (yield from _listed(server, "prompts", "name", list[Prompt]))


def _listed(server: Server, what: str, key: str, type: type[T]) -> Flow[T]:  # noqa: A002 - as below
    found, response = yield from pages(server, f"{what}/list", what)
    return decode(encode(_entries(found, key)), type, response)


def call_tool(
    server: Server,
    name: str,
    arguments: object,
    type: type[Any] | None,  # noqa: A002 - the name msgspec users know
    progress: Progress | None,
) -> Flow[Any]:
    """Call a tool; give its result, or what a type makes of it."""
    params = {"name": _text("name", name), "arguments": _arguments(arguments)}
    if getattr(getattr(progress, "__code__", None), "co_flags", 0) & _COROUTINE:
        raise TypeError("progress must be a plain function, not a coroutine function")
    found, response = yield from call(server, Asked("tools/call", params, progress))
    result = decode(encode(_without_nulls(found)), ToolResult, response)
    if type is None or type is ToolResult:
        return result
    if result.is_error:
        words = error_message({"message": result.text})
        reason = f"tools/call {name}: the tool failed{f': {words}' if words else ''}"
        raise McpError(reason, detail=result.text)
    if result.structured is not None:
        return decode(encode(result.structured), type, response)
    if len(result.content) != 1 or not result.text:
        raise DecodeError(
            f"tools/call {name}: the result has no structured content, and not one text alone",
            path="$",
        )
    return decode(result.text.encode(), type, response)


def read_resource(server: Server, uri: str) -> Flow[list[ResourceContents]]:
    """Read a resource."""
    asked = Asked("resources/read", {"uri": _text("uri", uri)})
    found, response = yield from call(server, asked)
    parts = _entries(found.get("contents"), "uri")
    for part in parts:
        if isinstance(part.get("blob"), str):  # some servers leave out what fills it up
            part["blob"] += "=" * (-len(part["blob"]) % 4)
    return decode(encode(parts), list[ResourceContents], response)


def get_prompt(server: Server, name: str, arguments: object) -> Flow[PromptResult]:
    """Fill a prompt in."""
    params: dict[str, Any] = {"name": _text("name", name)}
    if arguments:
        params["arguments"] = _arguments(arguments)
    found, response = yield from call(server, Asked("prompts/get", params))
    return decode(encode(_without_nulls(found)), PromptResult, response)


def _arguments(given: object) -> dict[str, Any]:
    if isinstance(given, Struct):
        given = to_builtins(given)
    if given is not None and not isinstance(given, Mapping):
        raise TypeError("arguments must be a mapping of names to values, or a Struct")
    return dict(cast("Mapping[str, Any]", given or {}))


def _entries(found: object, key: str) -> list[dict[str, Any]]:
    """Give those entries of a list that have what they are known by."""
    entries = cast("list[object]", found) if isinstance(found, list) else []
    named = [
        _without_nulls(cast("dict[str, Any]", one)) for one in entries if isinstance(one, dict)
    ]
    return [one for one in named if isinstance(one.get(key), str)]


def _without_nulls(members: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is null, which servers write for what they have not."""
    return {name: value for name, value in members.items() if value is not None}


def _text(what: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} must be a string that is not empty")
    return value
