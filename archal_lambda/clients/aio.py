"""The clients of a session's clones, awaited: on asyncio, in Pyodide, and in Cloudflare Python Workers.

This module owns what differs from the synchronous clients: who waits. What a call does is for the same flows to say. An
awaited method does what its synchronous counterpart documents.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncIterator,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from archal_lambda.core.auth import route_credentials
from archal_lambda.core.client import CallOptions, CloneCollection, Verbs
from archal_lambda.core.flow import ClientOptions, RetryPolicy, check, exchange
from archal_lambda.core.hooks import TraceHeaders
from archal_lambda.core.pagination import ItemsIn, Pages, items_of
from archal_lambda.core.records import CallHook
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import DEFAULT_TIMEOUT, Deadline, Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.core.values import checked_pairs
from archal_lambda.errors import ArchalError
from archal_lambda.transports._async_platform import async_driver
from archal_lambda.transports.base import AsyncDriver, AsyncTransport, jitter

if TYPE_CHECKING:
    from archal_lambda.mcp.client import AsyncMcp

__all__ = ["AsyncClone", "AsyncClones"]

T = TypeVar("T")


class AsyncClone(Verbs[Coroutine[Any, Any, Response]]):
    """One clone of a session; get it as `clones["github"]`. It is `Clone`, awaited.

    A clone's 4xx and 5xx are returned, not raised: they are the behaviour under test. Ask for an error with
    `Response.raise_for_status()`.

    Attributes:
        name: The clone's id.
        base_url: Its REST base URL.
    """

    __module__ = "archal_lambda"

    def __init__(
        self,
        name: str,
        base: BaseUrl,
        driver: AsyncDriver,
        options: ClientOptions,
        settings: Settings,
    ) -> None:
        self.name = name
        self.base_url = str(base)
        self._base = base
        self._driver = driver
        self._options = options
        self._settings = settings

    @property
    def mcp(self) -> AsyncMcp:
        """The clone's MCP server: its tools, resources and prompts.

        Raises:
            ConfigurationError: If nothing says where it is.
        """
        from archal_lambda.mcp.client import AsyncMcp  # noqa: PLC0415 - few functions need it

        return AsyncMcp(self.name, self._base, self._settings, self._driver, self._options)

    def with_deadline(self, deadline: Deadline) -> Self:
        """Cap every call. See `Clone.with_deadline`."""
        return type(self)(
            self.name, self._base, self._driver, self._options.capped(deadline), self._settings
        )

    @guarded
    def paginate(
        self,
        path: str,
        *,
        type: type[list[T]],  # noqa: A002 - the name msgspec users know
        items: ItemsIn | None = None,
        max_pages: int | None = None,
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[T]:
        """Walk through a list, page by page. See `Clone.paginate`; this iterator is asynchronous."""
        return self._walk(Pages(path, self._base, options, max_pages), type, items)

    @guarded
    async def send(self, request: Request) -> Response:
        """Make one route-authorized call from a ready request. See `Clone.send`."""
        return await self._send(request)

    async def _send(self, request: Request) -> Response:
        driver = self._driver
        return await driver.run(
            exchange(request, self._base, self._options, jitter, self.name, driver.known)
        )

    @guarded
    async def check(self, request: Request) -> None:
        """Make sure that a request may go to this clone, without sending it. See `Clone.check`."""
        await self._driver.run(check(request, self._base, self._options))

    async def _walk(
        self,
        pages: Pages,
        type: type[list[T]],  # noqa: A002 - as above
        items: ItemsIn | None,
    ) -> AsyncIterator[T]:
        while pages.request is not None:
            page = await self._page(pages, type, items)
            with suppress(StopIteration):
                while True:
                    yield next(
                        page
                    )  # not a variable of this frame, which the next page may fail in

    @guarded
    async def _page(
        self,
        pages: Pages,
        type: type[list[T]],  # noqa: A002 - as above
        items: ItemsIn | None,
    ) -> Iterator[T]:
        response = (await self.send(pages.take())).raise_for_status()
        found = items_of(response, type, items)
        pages.turn(response, empty=not found)
        return iter(found)

    def __repr__(self) -> str:
        return f"<AsyncClone {self.name} at {self.base_url}>"


class AsyncClones(CloneCollection[AsyncClone]):
    """The clones of a session, by name. It is `Clones`, awaited.

    On CPython, calls are made on the running event loop; in Pyodide and in Cloudflare Python Workers they are
    the host's `fetch`. One object may serve several event loops, one after the other.

    Args:
        settings: Where the clones are and what proves to Archal who calls.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        retry: What happens after a transport failure. A status is never retried: it is what the test is about.
        max_response_bytes: Largest response accepted by the built-in transport, in bytes after decoding.
        on_call: Called with a `CallRecord` after each call that was not cancelled, in the event loop. An
            error of its own is logged once, and never breaks a call.
        trace: Gives headers for each call that carry a trace on: `tracing.w3c`, `tracing.xray`, or a function of
            yours. None leaves the calls as they are; so does one that fails, which is logged once.

    Raises:
        ConfigurationError: If the settings name no clone and no session, or no route header.
        ValueError: If the timeout is out of range.

    Example:
        >>> clones = AsyncClones.from_env({
        ...     "AGENT_CLONE_URLS": '{"github": "https://clone.test/github/api"}',
        ...     "AGENT_ROUTE_HEADERS": '{"x-route-authorization": "Bearer t"}',
        ... })
        >>> clones["github"]
        <AsyncClone github at https://clone.test/github/api>
    """

    __module__ = "archal_lambda"

    @guarded
    def __init__(  # noqa: PLR0913 - each by name
        self,
        settings: Settings,
        *,
        transport: AsyncTransport | None = None,
        timeout: float | Timeout = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        on_call: CallHook | None = None,
        trace: TraceHeaders | None = None,
    ) -> None:
        settings.require_clones()
        self._driver = async_driver(
            settings, route_credentials, transport=transport, max_response_bytes=max_response_bytes
        )
        options = ClientOptions(
            timeout=Timeout.of(timeout),
            retry=retry or RetryPolicy(),
            on_call=on_call,
            trace=trace,
        )
        super().__init__(settings, options)

    @classmethod
    def of(cls, settings: Settings, driver: AsyncDriver, options: ClientOptions) -> Self:
        """Make clients of ready parts, as `AsyncSessions.open` does; see the class."""
        made = object.__new__(cls)
        CloneCollection.__init__(made, settings, options)  # pyright: ignore[reportUnknownMemberType] - of a generic class
        made._driver = driver
        return made

    @classmethod
    @guarded
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:  # noqa: ANN401 - passed on
        """Make clients from environment variables, without I/O. See `Clones.from_env`."""
        return cls(Settings.from_env(environ), **options)

    def _clone(self, name: str, base: BaseUrl) -> AsyncClone:
        return AsyncClone(name, base, self._driver, self._options, self._settings)

    @guarded
    async def gather(
        self,
        calls: Iterable[tuple[str, Request]],
        *,
        max_concurrency: int = 8,
        timeout: float | None = None,
    ) -> list[Response | ArchalError]:
        """Make calls side by side, in tasks, under one deadline.

        See `Clones.gather`. No call is left running, not even if this is cancelled.
        """
        if max_concurrency < 1:
            raise ValueError("max_concurrency must be 1 or more")
        budget = self._options.timeout if timeout is None else Timeout.of(timeout)
        view = self.with_deadline(Deadline.after(budget.total))
        pairs = checked_pairs(calls, what="calls")
        ready = [(view[name], request) for name, request in pairs]
        for clone, request in ready:  # a wrong one is found before the first is sent
            await clone.check(request)
        slots = asyncio.Semaphore(max_concurrency)

        async def outcome(clone: AsyncClone, request: Request) -> Response | ArchalError:
            async with slots:
                try:
                    return await clone.send(request)
                except ArchalError as error:
                    return error

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(outcome(*call)) for call in ready]
        except BaseExceptionGroup as failures:
            # A hook's or a transport's own; the first ends the rest.
            failure = failures.exceptions[0]
        else:
            return [task.result() for task in tasks]
        raise failure

    async def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        await self._driver.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
