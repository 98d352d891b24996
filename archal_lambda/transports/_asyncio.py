"""The asynchronous transport of CPython: the steps of the blocking one, awaited on the running event loop.

This module owns that waiting, what becomes of a call whose task is cancelled, and the threads for what can only block:
reading a secret. It must not know how a request travels. The event loop's default executor stays free for the program.
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
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports._watch import watch_of

__all__ = ["MAX_THREADS", "LoopTransport", "NoThreadError", "Threads"]

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


class LoopTransport:
    """Sends requests on the running event loop; a connection may serve one loop after another."""

    def __init__(self, sockets: UrllibTransport, threads: Threads) -> None:
        self._sockets = sockets
        self._threads = threads

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response; a cancelled call closes its connection at once."""
        steps = self._sockets.steps(request, deadline, timeout)
        watch = watch_of(asyncio.get_running_loop())
        try:
            wait = next(steps)
            while True:
                wait = steps.send(await watch.ready(wait))
        except StopIteration as stop:
            response: Response = stop.value
            return response
        finally:
            steps.close()

    async def aclose(self) -> None:
        """Close idle connections and let go of the threads; sending again makes new ones."""
        self._sockets.close()
        self._threads.close()
