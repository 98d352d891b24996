"""The asynchronous transport of CPython: the blocking one, on threads of its own.

This module owns the threads, and what becomes of a call whose task is cancelled. It must not know how a request
travels. The event loop's default executor stays free for the program.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from archal_lambda.errors import RequestTimeout
from archal_lambda.transports._leash import Leash

if TYPE_CHECKING:
    from collections.abc import Callable

    from archal_lambda.core.calls import Credentials
    from archal_lambda.core.deadline import Deadline, Timeout
    from archal_lambda.core.headers import Headers
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.transports._urllib3 import UrllibTransport

__all__ = ["MAX_THREADS", "CredentialsAside", "NoThreadError", "ThreadTransport", "Threads"]

T = TypeVar("T")

# Enough for any gather() of a sensible size; a call beyond it waits for its turn, under its own deadline.
MAX_THREADS = 32
_BUSY = "no thread was free in time"


class NoThreadError(Exception):
    """No thread was free in time; the task did not and will not run."""


class Threads:
    """A pool of threads for calls that block; it belongs to no event loop."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    async def run(self, task: Callable[[], T], deadline: Deadline) -> T:
        """Run something that blocks on a thread.

        Args:
            task: What to run; it must be over by the deadline.
            deadline: When to stop waiting for a free thread.

        Returns:
            What the task returns.

        Raises:
            NoThreadError: If no thread was free in time.
            CancelledError: If the waiting task is cancelled; what already runs on a thread runs on.
            BaseException: What the task raises.
        """
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MAX_THREADS, "archal-lambda-call")
        job = self._pool.submit(task)
        waiter = asyncio.wrap_future(job)
        try:
            await asyncio.wait([waiter], timeout=deadline.remaining())
            if not waiter.done():
                if job.cancel():
                    raise NoThreadError
                await asyncio.wait([waiter])  # it runs, and ends by the deadline itself
            return waiter.result()
        finally:
            if not waiter.cancel() and not waiter.cancelled():
                waiter.exception()  # seen, so that asyncio does not complain of an error nobody saw

    def close(self) -> None:
        """Let the threads end as they become free; a later task starts new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)


class ThreadTransport:
    """Sends requests with a blocking transport, without holding up the event loop.

    Args:
        blocking: What sends.
        threads: Where it sends.
    """

    def __init__(self, blocking: UrllibTransport, threads: Threads) -> None:
        self._blocking = blocking
        self._threads = threads

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole answer.

        A cancelled call closes its connection, so that its thread is free at once; while a name is being resolved
        or TLS set up, by the end of the `connect` limit.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: If there is no complete answer.
            ConfigurationError: If the CA file cannot be read.
        """
        leash = Leash()
        try:
            return await self._threads.run(
                lambda: self._blocking.send(request, deadline, timeout, leash=leash), deadline
            )
        except asyncio.CancelledError:
            leash.cut()
            raise
        except NoThreadError:
            pass
        raise RequestTimeout(_BUSY, phase="connect", method=request.method, url=request.url)

    async def aclose(self) -> None:
        """Close idle connections and let go of the threads; sending again makes new ones."""
        self._blocking.close()
        self._threads.close()


class CredentialsAside:
    """Credentials that block when they are asked, asked on a thread.

    Args:
        credentials: The credentials.
        threads: Where to ask them.
    """

    def __init__(self, credentials: Credentials, threads: Threads) -> None:
        self._credentials = credentials
        self._threads = threads

    async def headers(self, deadline: Deadline) -> Headers:
        """Return the headers for a request.

        Args:
            deadline: When they must be there.

        Returns:
            The headers.

        Raises:
            ConfigurationError: If there are none to be had.
            RequestTimeout: If no thread was free in time.
        """
        return await self._ask(lambda: self._credentials.headers(deadline), deadline)

    async def renew(self, refused: Headers, deadline: Deadline) -> bool:
        """Look for newer ones, because some were refused.

        Args:
            refused: What was refused.
            deadline: When this must be over.

        Returns:
            True if there are others now.

        Raises:
            RequestTimeout: If no thread was free in time.
        """
        return await self._ask(lambda: self._credentials.renew(refused, deadline), deadline)

    async def _ask(self, question: Callable[[], T], deadline: Deadline) -> T:
        try:
            return await self._threads.run(question, deadline)
        except NoThreadError:
            pass
        raise RequestTimeout(_BUSY, phase="connect")
