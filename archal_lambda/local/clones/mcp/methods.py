"""The methods of MCP that a clone serves, the same in both eras.

This module owns what each method responds. It must not know HTTP, sessions or any single tool.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.mcp.catalogue import (
    BadArgumentError,
    Catalogue,
    Json,
    Tool,
    ToolFailedError,
    ToolResult,
    text,
)
from archal_lambda.local.clones.mcp.codes import (
    HANDSHAKE_VERSIONS,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MODERN_VERSIONS,
    RESOURCE_NOT_FOUND,
)
from archal_lambda.local.clones.mcp.messages import Message, RpcError, params_of

if TYPE_CHECKING:
    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["Methods"]

_SERVER_INFO = "io.modelcontextprotocol/serverInfo"
_CACHED = frozenset(
    {
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
    }
)
_CAPABILITIES: Json = {"tools": {}, "resources": {}, "prompts": {}}


class _Page(msgspec.Struct, frozen=True):
    """Parameters of the lists."""

    cursor: str | None = None


class _Call(msgspec.Struct, frozen=True):
    """Parameters of `tools/call`."""

    name: str
    arguments: Json | None = None


class _Read(msgspec.Struct, frozen=True):
    """Parameters of `resources/read`."""

    uri: str


class _Prompt(msgspec.Struct, frozen=True):
    """Parameters of `prompts/get`."""

    name: str


class _Initialize(msgspec.Struct, frozen=True, rename="camel"):
    """Parameters of `initialize`."""

    protocol_version: str
    capabilities: Json
    client_info: Json


class Methods:
    """Responds to requests by a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._info: Json = {
            "name": catalogue.name,
            "title": catalogue.title,
            "version": "local",
        }

    def tool_of(self, message: Message) -> str | None:
        """Tell the name of the tool that is called, if there is such a tool."""
        name = message.params.get("name")
        if message.method != "tools/call" or not isinstance(name, str):
            return None
        return name if name in self._catalogue.tools else None

    def initialize(self, message: Message) -> tuple[str, Json]:
        """Agree on a version; a foreign one is countered with the newest that has a handshake."""
        wanted = params_of(message, _Initialize).protocol_version
        version = wanted if wanted in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1]
        return version, {
            "protocolVersion": version,
            "capabilities": _CAPABILITIES,
            "serverInfo": self._info,
            "instructions": self._catalogue.instructions,
        }

    async def respond(self, message: Message, rest: Rest, *, modern: bool) -> Json:
        """Respond to one request with its result."""
        result = await self._result(message, rest, modern=modern)
        if not modern:
            return result
        cached: Json = {}
        if message.method in _CACHED:
            cached = {"ttlMs": 0, "cacheScope": "private"}
        return {"resultType": "complete", **result, **cached, "_meta": {_SERVER_INFO: self._info}}

    async def _result(self, message: Message, rest: Rest, *, modern: bool) -> Json:  # noqa: PLR0911 - one per method
        match message.method:
            case "ping" if not modern:
                return {}
            case "server/discover" if modern:
                return self._discover()
            case "tools/list":
                tools = [tool.to_json() for tool in self._catalogue.tools.values()]
                return _listed(message, "tools", tools)
            case "resources/list":
                return _listed(message, "resources", [])
            case "resources/templates/list":
                return _listed(message, "resourceTemplates", list(self._catalogue.templates))
            case "prompts/list":
                return _listed(message, "prompts", [])
            case "tools/call":
                return (await self._call(message, rest)).to_json()
            case "resources/read":
                return await self._read(message, rest, modern=modern)
            case "prompts/get":
                raise RpcError(
                    INVALID_PARAMS, f"Unknown prompt: {params_of(message, _Prompt).name}"
                )
            case _:
                raise RpcError(METHOD_NOT_FOUND, f"Method not found: {message.method}")

    def _discover(self) -> Json:
        return {
            "supportedVersions": [*HANDSHAKE_VERSIONS, *MODERN_VERSIONS],
            "capabilities": _CAPABILITIES,
            "instructions": self._catalogue.instructions,
        }

    async def _call(self, message: Message, rest: Rest) -> ToolResult:
        call = params_of(message, _Call)
        tool = self._catalogue.tools.get(call.name)
        if tool is None:
            raise RpcError(INVALID_PARAMS, f"Unknown tool: {call.name}")
        try:
            return await tool.run(rest, _arguments(tool, call.arguments or {}))
        except BadArgumentError as error:
            raise RpcError(INVALID_PARAMS, f"Invalid arguments of {tool.name}: {error}") from None
        except ToolFailedError as error:
            return ToolResult(content=[text(str(error))], is_error=True)

    async def _read(self, message: Message, rest: Rest, *, modern: bool) -> Json:
        uri = params_of(message, _Read).uri
        contents = await self._catalogue.read(rest, uri)
        if contents is None:
            code = INVALID_PARAMS if modern else RESOURCE_NOT_FOUND
            raise RpcError(code, "Resource not found", data={"uri": uri})
        return {"contents": [{"uri": uri, **contents}]}


def _arguments(tool: Tool, arguments: Json) -> msgspec.Struct:
    try:
        return msgspec.convert(arguments, tool.arguments)
    except msgspec.ValidationError as error:
        raise BadArgumentError(str(error)) from None


def _listed(message: Message, name: str, items: list[Json]) -> Json:
    # Every list is one page, so that no cursor was ever given out.
    if params_of(message, _Page).cursor is not None:
        raise RpcError(INVALID_PARAMS, f"Invalid parameters of {message.method}: unknown cursor")
    return {name: items}
