"""One clone, as a client to await.

This module owns a call to a clone from request to response. It must not know how a request travels.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from archal_lambda.core.deadline import Deadline
from archal_lambda.core.paging import Pages
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.verbs import Verbs
from archal_lambda.errors import TransportError
from archal_lambda.transports.base import AsyncTransport, acall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from archal_lambda.core.calls import AsyncCredentials, Terms
    from archal_lambda.core.request import CallOptions
    from archal_lambda.core.targets import BaseUrl

__all__ = ["AsyncClone"]

T = TypeVar("T")


class AsyncClone(Verbs[Coroutine[Any, Any, Response]]):
    """One clone of a session; get it as `clones["github"]`. It is `Clone`, awaited.

    A clone's 4xx and 5xx are returned, not raised: they are the behaviour under test. Ask for an error with
    `Response.raise_for_status()`.

    Args:
        name: The clone's id.
        base: Its REST base URL.
        transport: What sends.
        terms: Route, limits and deadline.
    """

    def __init__(
        self, name: str, base: BaseUrl, transport: AsyncTransport, terms: Terms[AsyncCredentials]
    ) -> None:
        self.name = name
        self.base_url = str(base)
        self._base = base
        self._transport = transport
        self._terms = terms

    def with_deadline(self, deadline: Deadline) -> Self:
        """Cap every call.

        Args:
            deadline: When all calls must be over, whatever their own timeouts say.

        Returns:
            The same clone under that deadline.
        """
        return type(self)(self.name, self._base, self._transport, self._terms.capped(deadline))

    def paginate(
        self,
        path: str,
        *,
        type: type[list[T]],  # noqa: A002 - the name msgspec users know
        **options: Unpack[CallOptions],
    ) -> AsyncIterator[T]:
        """Walk through a list, page by page, along `Link: <…>; rel="next"` (RFC 8288).

        Args:
            path: The first page.
            type: What a page holds, such as `list[Issue]`.
            **options: As in `request`; `params` go with the first page, `timeout` counts for each.

        Returns:
            An asynchronous iterator over the items; it fetches a page when it needs one.

        Raises:
            ValueError: If an argument is not allowed.
            StatusError: While iterating, if a page's status is not 2xx.
            DecodeError: While iterating, if a page is of another shape or its link is malformed.
            TransportError: While iterating, if a page did not come in time.
        """
        pages = Pages(path, self._base, options)
        return self._walk(pages, type)

    async def send(self, request: Request) -> Response:
        """Make one route-authorized call from a ready request.

        Args:
            request: A request relative to the clone's base.

        Returns:
            The answer, whatever its status.

        Raises:
            ValueError: If the request has a header that is the settings' to give; nothing is sent.
            TransportError: If no complete answer came within the time.
        """
        try:
            response = await acall(
                self._transport,
                self._terms.traced(request),
                self._base,
                self._terms,
                sleep=asyncio.sleep,
            )
        except TransportError as error:
            self._terms.report(self.name, request, error)
            raise
        self._terms.report(self.name, request, response)
        return response

    async def check(self, request: Request) -> None:
        """Make sure that a request may go to this clone.

        Args:
            request: A request relative to the clone's base.

        Raises:
            TypeError: If it is no `Request`.
            ValueError: If it has a header that is the settings' to give.
            ConfigurationError: If the credentials cannot be had.
        """
        if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("calls must be pairs of a clone's name and a Request")
        terms = self._terms
        deadline = terms.deadline or Deadline.after(terms.timeout.total)
        request.addressed(self._base, await terms.credentials.headers(deadline))

    async def _walk(self, pages: Pages, type: type[list[T]]) -> AsyncIterator[T]:  # noqa: A002 - as above
        while pages.request is not None:
            response = (await self.send(pages.request)).raise_for_status()
            items = response.decode(type)
            pages.turn(response)
            for item in items:
                yield item

    def __repr__(self) -> str:
        return f"<AsyncClone {self.name} at {self.base_url}>"
