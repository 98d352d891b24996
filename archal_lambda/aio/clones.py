"""The clones of a session, by name, as clients to await.

This module owns calls side by side. It must not know how a request travels.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self

from archal_lambda.aio._connect import connect
from archal_lambda.aio.clone import AsyncClone
from archal_lambda.core.calls import AsyncCredentials, CallHook, Terms
from archal_lambda.core.collection import CloneCollection
from archal_lambda.core.deadline import DEFAULT_TIMEOUT, Deadline, Timeout
from archal_lambda.core.exchange import Plan, RetryPolicy
from archal_lambda.core.response import MAX_RESPONSE_BYTES
from archal_lambda.core.settings import Settings
from archal_lambda.credentials import route_credentials
from archal_lambda.errors import ArchalError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.core.targets import BaseUrl
    from archal_lambda.tracing import TraceHeaders
    from archal_lambda.transports.base import AsyncTransport

__all__ = ["AsyncClones"]


class AsyncClones(CloneCollection[AsyncClone, AsyncCredentials]):
    """The clones of a session, by name. It is `Clones`, awaited.

    On CPython, calls run on up to 32 threads of their own; in Pyodide and in Cloudflare Python Workers they are
    the host's `fetch`. One object may serve several event loops, one after the other.

    Args:
        settings: Where the clones are and what proves to Archal who calls.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        retry: What happens after a transport failure. A status is never retried: it is what the test is about.
        max_response_bytes: Largest answer accepted by the built-in transport, in bytes after decoding.
        on_call: Called with a `CallRecord` after each call that was not cancelled, in the event loop.
        trace: Gives headers for each call that carry a trace on: `tracing.w3c`, `tracing.xray`, or a function of
            yours. None leaves the calls as they are.

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
        self._transport, credentials = connect(
            settings, transport, route_credentials, max_response_bytes
        )
        terms = Terms(
            credentials=credentials,
            timeout=Timeout.of(timeout),
            plan=Plan(retry or RetryPolicy()),
            on_call=on_call,
            trace=trace,
        )
        super().__init__(settings, terms)

    @classmethod
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

    def _clone(self, name: str, base: BaseUrl) -> AsyncClone:
        return AsyncClone(name, base, self._transport, self._terms)

    async def gather(
        self,
        calls: Iterable[tuple[str, Request]],
        *,
        max_concurrency: int = 8,
        timeout: float | None = None,
    ) -> list[Response | ArchalError]:
        """Make calls side by side, in tasks, under one deadline.

        Args:
            calls: Clone names and requests.
            max_concurrency: Most calls under way at once.
            timeout: Seconds for all of them together; None means the total of the client's timeout. A
                request's own timeout applies besides.

        Returns:
            For each call, in order, its response or its error. No call is left running, not even if this
            is cancelled.

        Raises:
            UnknownCloneError: If a clone is not known; then nothing is sent.
            ValueError: If a request or an argument is not allowed; then nothing is sent.
            TypeError: If a call has no `Request`; then nothing is sent.
        """
        if max_concurrency < 1:
            raise ValueError("max_concurrency must be 1 or more")
        budget = self._terms.timeout if timeout is None else Timeout.of(timeout)
        view = self.with_deadline(Deadline.after(budget.total))
        ready = [(view[name], request) for name, request in calls]
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
            failure = failures.exceptions[
                0
            ]  # a hook's or a transport's own; the first ends the rest
        else:
            return [task.result() for task in tasks]
        raise failure

    async def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
