"""The MCP client of a clone, synchronous and awaited.

This module owns the public calls. What each takes is for the flows to say.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar, overload

import msgspec

from archal_lambda.core.flow import ClientOptions
from archal_lambda.core.headers import Headers
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.mcp import _calls
from archal_lambda.mcp._address import address_of
from archal_lambda.mcp._post import Progress
from archal_lambda.mcp._servers import Server
from archal_lambda.mcp.values import (
    Prompt,
    PromptResult,
    Resource,
    ResourceContents,
    Tool,
    ToolResult,
)
from archal_lambda.transports.base import AsyncDriver, Driver, jitter

__all__ = ["AsyncMcp", "Mcp"]

T = TypeVar("T")


class _Client:
    """What both clients know: whom to call, and under which limits."""

    def __init__(
        self,
        clone: str,
        rest: BaseUrl,
        settings: Settings,
        options: ClientOptions,
        known: Headers | None,
    ) -> None:
        base, path = address_of(settings, clone, rest)
        secret = settings.token_secret.name if settings.token_secret else None
        caller = hash((known.lines if known else None, secret))
        self._server = Server(clone, base, path, options, jitter, known, caller)

    @property
    def url(self) -> str:
        """The address of the MCP server."""
        return self._server.url

    def _within(self, timeout: float | Timeout | None) -> Server:
        """Give the server with one deadline for all that a call takes."""
        server = self._server
        options = server.options
        if timeout is not None:
            options = msgspec.structs.replace(options, timeout=Timeout.of(timeout))
        return server._replace(options=options.capped(options.within(options.timeout)))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._server.clone} at {self.url}>"


class Mcp(_Client):
    """A clone's MCP server; get it as `clones["github"].mcp`.

    Both eras of the protocol are spoken, and what a server speaks is remembered for the process: a call of a
    stateless server (from 2026-07-28) is one POST, and one of an older server is, after a handshake of two. A call is
    under one deadline, whatever it takes, and is never sent again once it may have arrived.

    Every call raises `McpError` if the server refuses it, `TransportError` if no answer came in time, and
    `RouteRejectedError` or another `StatusError` if the answer is no MCP.
    """

    __module__ = "archal_lambda"

    def __init__(
        self, clone: str, rest: BaseUrl, settings: Settings, driver: Driver, options: ClientOptions
    ) -> None:
        super().__init__(clone, rest, settings, options, driver.known)
        self._driver = driver

    @guarded
    def tools(self, *, timeout: float | Timeout | None = None) -> list[Tool]:
        """List the tools, all pages of them.

        Args:
            timeout: Seconds for the whole call, or a `Timeout`; None means the client's.

        Returns:
            The tools, in the server's order.

        Raises:
            McpError: If the server refuses, or its pages have no end.
            TransportError: If no answer came within the time.
        """
        return self._driver.run(_calls.list_tools(self._within(timeout)))

    @overload
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        type: None = None,
        timeout: float | Timeout | None = None,
        progress: Progress | None = None,
    ) -> ToolResult: ...
    @overload
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        type: type[T],
        timeout: float | Timeout | None = None,
        progress: Progress | None = None,
    ) -> T: ...
    @guarded
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        type: Any = None,  # noqa: A002 - the name msgspec users know
        timeout: float | Timeout | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """Call a tool.

        Args:
            name: The tool's name.
            arguments: Its arguments, as JSON can hold them: a mapping, or a Struct.
            type: What to decode the structured result into, or else the one text, which is then JSON.
            timeout: Seconds for the whole call, or a `Timeout`; None means the client's.
            progress: Called with what is done and, where it is known, the total, as the server tells of it.

        Returns:
            The result, or the decoded value. A failure of the tool is a result with `is_error`.

        Raises:
            McpError: If the server refuses; with `type`, also if the tool failed, and `.detail` is what it said.
            DecodeError: If the result does not have the type.
            ValueError: If the name is empty, or an argument is a number or text that JSON cannot hold.
            TypeError: If the arguments are no mapping, or one is nothing that JSON can hold.
            TransportError: If no answer came within the time; `.sent` says whether the tool may have run.
        """
        flow = _calls.call_tool(self._within(timeout), name, arguments, type, progress)
        return self._driver.run(flow)

    @guarded
    def resources(self, *, timeout: float | Timeout | None = None) -> list[Resource]:
        """List the resources, all pages of them. See `tools`.

        Args:
            timeout: As in `tools`.

        Returns:
            The resources, in the server's order.
        """
        return self._driver.run(_calls.list_resources(self._within(timeout)))

    @guarded
    def read(self, uri: str, *, timeout: float | Timeout | None = None) -> list[ResourceContents]:
        """Read a resource. See `tools`.

        Args:
            uri: Its address.
            timeout: As in `tools`.

        Returns:
            Its parts, most often one.
        """
        return self._driver.run(_calls.read_resource(self._within(timeout), uri))

    @guarded
    def prompts(self, *, timeout: float | Timeout | None = None) -> list[Prompt]:
        """List the prompts, all pages of them. See `tools`.

        Args:
            timeout: As in `tools`.

        Returns:
            The prompts, in the server's order.
        """
        return self._driver.run(_calls.list_prompts(self._within(timeout)))

    @guarded
    def prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        timeout: float | Timeout | None = None,
    ) -> PromptResult:
        """Fill a prompt in. See `tools`.

        Args:
            name: Its name.
            arguments: What to fill in.
            timeout: As in `tools`.

        Returns:
            The messages for a model.
        """
        return self._driver.run(_calls.get_prompt(self._within(timeout), name, arguments))


class AsyncMcp(_Client):
    """A clone's MCP server; get it as `clones["github"].mcp`. It is `Mcp`, awaited."""

    __module__ = "archal_lambda"

    # What takes a value is no coroutine function: the frame of one that is cancelled before it begins would show it.

    def __init__(
        self,
        clone: str,
        rest: BaseUrl,
        settings: Settings,
        driver: AsyncDriver,
        options: ClientOptions,
    ) -> None:
        super().__init__(clone, rest, settings, options, driver.known)
        self._driver = driver

    @guarded
    async def tools(self, *, timeout: float | Timeout | None = None) -> list[Tool]:
        """List the tools. See `Mcp.tools`."""
        return await self._driver.run(_calls.list_tools(self._within(timeout)))

    @overload
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        type: None = None,
        timeout: float | Timeout | None = None,
        progress: Progress | None = None,
    ) -> Coroutine[Any, Any, ToolResult]: ...
    @overload
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        type: type[T],
        timeout: float | Timeout | None = None,
        progress: Progress | None = None,
    ) -> Coroutine[Any, Any, T]: ...
    @guarded
    def call(
        self,
        name: str,
        arguments: Mapping[str, Any] | msgspec.Struct | None = None,
        *,
        type: Any = None,  # noqa: A002 - the name msgspec users know
        timeout: float | Timeout | None = None,
        progress: Progress | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Call a tool. See `Mcp.call`."""
        flow = _calls.call_tool(self._within(timeout), name, arguments, type, progress)
        return self._driver.run(flow)

    @guarded
    async def resources(self, *, timeout: float | Timeout | None = None) -> list[Resource]:
        """List the resources. See `Mcp.resources`."""
        return await self._driver.run(_calls.list_resources(self._within(timeout)))

    @guarded
    def read(
        self, uri: str, *, timeout: float | Timeout | None = None
    ) -> Coroutine[Any, Any, list[ResourceContents]]:
        """Read a resource. See `Mcp.read`."""
        return self._driver.run(_calls.read_resource(self._within(timeout), uri))

    @guarded
    async def prompts(self, *, timeout: float | Timeout | None = None) -> list[Prompt]:
        """List the prompts. See `Mcp.prompts`."""
        return await self._driver.run(_calls.list_prompts(self._within(timeout)))

    @guarded
    def prompt(
        self,
        name: str,
        arguments: Mapping[str, str] | None = None,
        *,
        timeout: float | Timeout | None = None,
    ) -> Coroutine[Any, Any, PromptResult]:
        """Fill a prompt in. See `Mcp.prompt`."""
        return self._driver.run(_calls.get_prompt(self._within(timeout), name, arguments))
