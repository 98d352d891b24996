"""The asynchronous transport of CPython: the blocking one, on threads of its own.

This module owns the threads, and what becomes of a call whose task is cancelled. It must not know how a request
travels. The event loop's default executor stays free for the program.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from archal_lambda.core.auth import Credentials
from archal_lambda.core.headers import Headers
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import RequestTimeout
from archal_lambda.transports._connection import CancelHandle
from archal_lambda.transports._urllib3 import UrllibTransport

__all__ = ["MAX_THREADS", "NoThreadError", "ThreadTransport", "Threads"]

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
        self._pid = 0  # of the process whose threads they are

    async def run(self, task: Callable[[], T], deadline: Deadline) -> T:
        """Run something that blocks on a thread; it must be over by the deadline.

        A `NoThreadError` if none was free by then. What already runs on a thread runs on, if the
        waiting task is cancelled.
        """
        pool = self._pool
        if pool is None or self._pid != os.getpid():  # a fork leaves the threads behind
            pool = self._pool = ThreadPoolExecutor(MAX_THREADS, "archal-lambda-call")
            self._pid = os.getpid()
        job = pool.submit(task)
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

    def authorize(
        self, credentials: Credentials
    ) -> Callable[[Deadline, Headers | None], Awaitable[Headers]]:
        """Make credentials that block when they are asked into ones to await."""

        async def ask(deadline: Deadline, refused: Headers | None) -> Headers:
            try:
                return await self.run(lambda: credentials.headers(deadline, refused), deadline)
            except NoThreadError:
                raise RequestTimeout(_BUSY, phase="connect") from None

        return ask

    def close(self) -> None:
        """Let the threads end as they become free; a later task starts new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)


class ThreadTransport:
    """Sends requests with a blocking transport, without holding up the event loop."""

    def __init__(self, blocking: UrllibTransport, threads: Threads) -> None:
        self._blocking = blocking
        self._threads = threads

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response.

        A cancelled call closes its connection, so that its thread is free at once; while a name is being resolved
        or TLS set up, by the end of the `connect` limit.
        """
        handle = CancelHandle()
        try:
            return await self._threads.run(
                lambda: self._blocking.send(request, deadline, timeout, handle=handle), deadline
            )
        except asyncio.CancelledError:
            handle.cancel()
            raise
        except NoThreadError:
            method, url = request.method, request.url
            raise RequestTimeout(_BUSY, phase="connect", method=method, url=url) from None

    async def aclose(self) -> None:
        """Close idle connections and let go of the threads; sending again makes new ones."""
        self._blocking.close()
        self._threads.close()
