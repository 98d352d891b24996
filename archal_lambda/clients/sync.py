"""The synchronous clients of a session's clones.

This module owns the names that users call. It must not know how a request travels, nor decide anything about a call:
that is for the flows to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from archal_lambda.core.auth import route_credentials
from archal_lambda.core.client import CallOptions, CloneCollection, Verbs
from archal_lambda.core.flow import ClientOptions, Flow, RetryPolicy, check, exchange
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
from archal_lambda.transports._platform import driver, gather
from archal_lambda.transports.base import Driver, Transport, jitter

if TYPE_CHECKING:
    from archal_lambda.mcp.client import Mcp

__all__ = ["Clone", "Clones"]

T = TypeVar("T")


class Clone(Verbs[Response]):
    """One clone of a session; get it as `clones["github"]`.

    A clone's 4xx and 5xx are returned, not raised: they are the behaviour under test. Ask for an error with
    `Response.raise_for_status()`.

    Attributes:
        name: The clone's id.
        base_url: Its REST base URL.
    """

    __module__ = "archal_lambda"

    def __init__(
        self, name: str, base: BaseUrl, driver: Driver, options: ClientOptions, settings: Settings
    ) -> None:
        self.name = name
        self.base_url = str(base)
        self._base = base
        self._driver = driver
        self._options = options
        self._settings = settings

    @property
    def mcp(self) -> Mcp:
        """The clone's MCP server: its tools, resources and prompts.

        Raises:
            ConfigurationError: If nothing says where it is.
        """
        from archal_lambda.mcp.client import Mcp  # noqa: PLC0415 - few functions need it

        return Mcp(self.name, self._base, self._settings, self._driver, self._options)

    def with_deadline(self, deadline: Deadline) -> Self:
        """Cap every call.

        Args:
            deadline: When all calls must be over, whatever their own timeouts say.

        Returns:
            The same clone under that deadline.
        """
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
    ) -> Iterator[T]:
        """Walk through a list, page by page, along `Link: <…>; rel="next"` (RFC 8288).

        It ends at a page without such a link, at one whose link says `results="false"` (Sentry), and at an empty page.
        Of a link only path and query are taken: whatever host it names, this clone is asked.

        Args:
            path: The first page.
            type: What the list of a page is, such as `list[Issue]`.
            items: Where the list is in a page that is an object: its key, or a function that takes it out of the page
                as plain Python values. None means that a page is the list.
            max_pages: Most pages to fetch, 1 or more; None means 1,000.
            **options: As in `request`; `params` go with the first page, `timeout` counts for each.

        Returns:
            An iterator over the items; it fetches a page when it needs one.

        Raises:
            ValueError: If an argument is not allowed.
            PageLimitError: While iterating, if the list goes on behind the last page allowed.
            StatusError: While iterating, if a page's status is not 2xx.
            DecodeError: While iterating, if a page is of another shape or its link is malformed.
            TransportError: While iterating, if a page did not come in time.
        """
        return self._walk(Pages(path, self._base, options, max_pages), type, items)

    @guarded
    def send(self, request: Request) -> Response:
        """Make one route-authorized call from a ready request.

        Args:
            request: A request relative to the clone's base.

        Returns:
            The response, whatever its status.

        Raises:
            ValueError: If the request has a header that is the settings' to give; nothing is sent.
            TransportError: If no complete response came within the time.
        """
        return self._send(request)

    def _send(self, request: Request) -> Response:
        return self._driver.carry_out(self._exchange(request))

    def _exchange(self, request: Request) -> Flow[Response]:
        known = self._driver.known
        return exchange(request, self._base, self._options, jitter, self.name, known)

    @guarded
    def check(self, request: Request) -> None:
        """Make sure that a request may go to this clone, without sending it.

        Args:
            request: A request relative to the clone's base.

        Raises:
            TypeError: If it is not a `Request`.
            ValueError: If it has a header that is the settings' to give.
            ConfigurationError: If the credentials cannot be had.
        """
        self._driver.run(check(request, self._base, self._options))

    def _walk(self, pages: Pages, type: type[list[T]], items: ItemsIn | None) -> Iterator[T]:  # noqa: A002 - as above
        while pages.request is not None:
            yield from self._page(pages, type, items)

    @guarded
    def _page(self, pages: Pages, type: type[list[T]], items: ItemsIn | None) -> Iterator[T]:  # noqa: A002 - as above
        response = self.send(pages.take()).raise_for_status()
        found = items_of(response, type, items)
        pages.turn(response, empty=not found)
        return iter(found)

    def __repr__(self) -> str:
        return f"<Clone {self.name} at {self.base_url}>"


class Clones(CloneCollection[Clone]):
    """The clones of a session, by name.

    Args:
        settings: Where the clones are and what proves to Archal who calls.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        retry: What happens after a transport failure. A status is never retried: it is what the test is about.
        max_response_bytes: Largest response accepted by the built-in transport, in bytes after decoding.
        on_call: Called with a `CallRecord` after each call, on the thread that made it. An error of its
            own is logged once, and never breaks a call.
        trace: Gives headers for each call that carry a trace on: `tracing.w3c`, `tracing.xray`, or a function of
            yours. None leaves the calls as they are; so does one that fails, which is logged once.

    Raises:
        ConfigurationError: If the settings name no clone and no session, or no route header.
        ValueError: If the timeout is out of range.

    Example:
        >>> clones = Clones.from_env({
        ...     "AGENT_CLONE_URLS": '{"github": "https://clone.test/github/api"}',
        ...     "AGENT_ROUTE_HEADERS": '{"x-route-authorization": "Bearer t"}',
        ... })
        >>> clones["github"]
        <Clone github at https://clone.test/github/api>
    """

    __module__ = "archal_lambda"

    @guarded
    def __init__(  # noqa: PLR0913 - each by name
        self,
        settings: Settings,
        *,
        transport: Transport | None = None,
        timeout: float | Timeout = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        on_call: CallHook | None = None,
        trace: TraceHeaders | None = None,
    ) -> None:
        settings.require_clones()
        self._driver = driver(
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
    def of(cls, settings: Settings, driver: Driver, options: ClientOptions) -> Self:
        """Make clients of ready parts, as `Sessions.open` does; see the class."""
        made = object.__new__(cls)
        CloneCollection.__init__(made, settings, options)  # pyright: ignore[reportUnknownMemberType] - of a generic class
        made._driver = driver
        return made

    @classmethod
    @guarded
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:  # noqa: ANN401 - passed on
        """Make clients from environment variables, without I/O.

        Args:
            environ: The variables; None means those of the process.
            **options: As in the constructor.

        Returns:
            The clients.

        Raises:
            ConfigurationError: If a variable is missing or wrong; the error names it.
        """
        return cls(Settings.from_env(environ), **options)

    def _clone(self, name: str, base: BaseUrl) -> Clone:
        return Clone(name, base, self._driver, self._options, self._settings)

    @guarded
    def gather(
        self,
        calls: Iterable[tuple[str, Request]],
        *,
        max_concurrency: int = 8,
        timeout: float | None = None,
    ) -> list[Response | ArchalError]:
        """Make calls side by side, under one deadline; on this thread, unless the transport is yours.

        Args:
            calls: Clone names and requests.
            max_concurrency: Most calls under way at once.
            timeout: Seconds for all of them together; None means the total of the client's timeout. A
                request's own timeout applies besides.

        Returns:
            For each call, in order, its response or its error. No call is left running.

        Raises:
            UnknownCloneError: If a clone is not known; then nothing is sent.
            ValueError: If a request or an argument is not allowed; then nothing is sent.
            TypeError: If a call has no `Request`; then nothing is sent.
        """
        if max_concurrency < 1:
            raise ValueError("max_concurrency must be 1 or more")
        budget = self._options.timeout if timeout is None else Timeout.of(timeout)
        view = self.with_deadline(Deadline.after(budget.total))
        pairs = checked_pairs(calls, what="calls")
        ready = [(view[name], request) for name, request in pairs]
        for clone, request in ready:  # a wrong one is found before the first is sent
            clone.check(request)

        # Clones of its own making.
        flows = [clone._exchange(request) for clone, request in ready]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        return gather(self._driver, flows, max_concurrency) if flows else []

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        self._driver.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
