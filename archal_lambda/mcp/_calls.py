"""The calls of MCP as flows with typed results; what the synchronous and the asynchronous client share.

This module owns which method each call is and what its result becomes. It must not know who waits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from archal_lambda.core.flow import Flow
from archal_lambda.core.json import decode, encode
from archal_lambda.errors import DecodeError, McpError
from archal_lambda.mcp._flow import Progress, call, pages
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


def list_tools(server: Server) -> Flow[list[Tool]]:
    """List every tool."""
    return decode(encode((yield from pages(server, "tools/list", "tools"))), list[Tool])


def list_resources(server: Server) -> Flow[list[Resource]]:
    """List every resource."""
    found = yield from pages(server, "resources/list", "resources")
    return decode(encode(found), list[Resource])


def list_prompts(server: Server) -> Flow[list[Prompt]]:
    """List every prompt."""
    return decode(encode((yield from pages(server, "prompts/list", "prompts"))), list[Prompt])


def call_tool(
    server: Server,
    name: str,
    arguments: Mapping[str, Any] | None,
    type: type[Any] | None,  # noqa: A002 - the name msgspec users know
    progress: Progress | None,
) -> Flow[Any]:
    """Call a tool; give its result, or what a type makes of it."""
    params = {"name": _text("name", name), "arguments": dict(arguments or {})}
    result = decode(encode((yield from call(server, "tools/call", params, progress))), ToolResult)
    if type is None:
        return result
    if result.is_error:
        raise McpError(f"tools/call {name}: the tool failed", detail=result.text)
    if result.structured is not None:
        return decode(encode(result.structured), type)
    texts = [one for one in result.content if one.get("type") == "text"]
    if len(texts) != 1 or len(result.content) != 1:
        raise DecodeError("the result has no structured content, and not one text alone", path="$")
    return decode(result.text.encode(), type)


def read_resource(server: Server, uri: str) -> Flow[list[ResourceContents]]:
    """Read a resource."""
    result = yield from call(server, "resources/read", {"uri": _text("uri", uri)})
    return decode(encode(result.get("contents", [])), list[ResourceContents])


def get_prompt(
    server: Server, name: str, arguments: Mapping[str, str] | None
) -> Flow[PromptResult]:
    """Fill a prompt in."""
    params: dict[str, Any] = {"name": _text("name", name)}
    if arguments:
        params["arguments"] = dict(arguments)
    return decode(encode((yield from call(server, "prompts/get", params))), PromptResult)


def _text(what: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{what} must be a string that is not empty")
    return value
