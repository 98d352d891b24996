"""One uvicorn server on one loopback socket and one daemon thread.

This module owns binding, starting and stopping, each within a limit of time. It must not know what the application
does.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from archal_lambda.local.server.faults import CONNECTION

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["HOST", "START_TIMEOUT", "STOP_TIMEOUT", "ServerThread", "listen"]

HOST = "127.0.0.1"
START_TIMEOUT = 10.0  # seconds until a server that does not come up is given up
STOP_TIMEOUT = 5.0  # seconds until a server that does not go down is left to its daemon thread

T = TypeVar("T")

_GRACE = 1
_BACKLOG = 128
_POLL = 0.002
_QUICK_POLL = 0.0005  # where somebody waits for an end
_TURNS = 5  # of the loop; two make a connection known
_LOOK = 0.1  # seconds between looks at whether the thread that is waited for still lives

# Without a handler, logging's last resort would print uvicorn's remarks to stderr.
logging.getLogger("uvicorn.error").addHandler(logging.NullHandler())


def listen(port: int) -> socket.socket:
    """Bind and listen, so that an occupied port fails here and not on a thread."""
    # asyncio sets TCP_NODELAY only where the protocol is spelled out; without it, the head and the
    # body of a response go out 40 ms apart (delayed acknowledgement).
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            # Elsewhere the option would let two servers share the port.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST, port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = error.strerror or "unknown reason"
        raise OSError(error.errno, f"cannot listen on {HOST}:{port}: {reason}") from error
    return sock


def _not_running() -> RuntimeError:
    return RuntimeError("the local Archal does not run: use it as a context manager")


class _Protocol(H11Protocol):
    """One that gives the application the connection itself, for what no HTTP library would send."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(*args, **options)
        app: ASGIApp = self.app

        async def with_connection(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {CONNECTION: self.transport}
            await app(scope, receive, send)

        self.app = with_connection


class _Server(uvicorn.Server):
    """One that stops when it is told to; uvicorn itself looks ten times a second, twice."""

    def __init__(
        self,
        config: uvicorn.Config,
        stopping: Callable[[], None],
        closing: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._stopping = stopping
        self.loop: asyncio.AbstractEventLoop | None = None
        self._ticks: asyncio.Future[None] | None = None
        self._closing = closing

    def tell(self) -> None:
        """Make it stop, from another thread."""
        self.should_exit = True  # seen by the first tick, where there was none so far
        if self.loop is not None and self._ticks is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended already
                self.loop.call_soon_threadsafe(self._ticks.cancel)

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._ticks = asyncio.ensure_future(super().main_loop())
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticks

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        del sockets  # the thread closes its own
        self._stopping()
        # asyncio loses what it has accepted and not yet told of when its server closes; the caller would wait for ever.
        for server in self.servers:
            for sock in server.sockets:
                with contextlib.suppress(NotImplementedError):  # of the loop of Windows
                    asyncio.get_running_loop().remove_reader(sock)
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        until = time.monotonic() + _GRACE
        while (state.connections or state.tasks) and time.monotonic() < until:  # noqa: ASYNC110 - uvicorn sets no event
            await asyncio.sleep(_QUICK_POLL)
        for task in state.tasks:
            task.cancel()
        await self._closing()
        for connection in list(state.connections):  # of those whose caller still waits
            connection.transport.abort()


class ServerThread:
    """A server for an application on a listening socket, which it takes over; idle connections are kept so long.

    `stopping` ends what the application waits for, and `closing` lets go of what it holds, after its last response.
    """

    def __init__(
        self,
        app: ASGIApp,
        sock: socket.socket,
        *,
        keep_alive: float,
        stopping: Callable[[], None],
        closing: Callable[[], Awaitable[None]],
    ) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_Protocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=keep_alive,  # type: ignore[arg-type]  # goes to loop.call_later()
            timeout_graceful_shutdown=_GRACE,
        )
        self._sock = sock
        self._server = _Server(config, stopping, closing)
        self._thread = threading.Thread(target=self._run, name="archal-local", daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Start the thread and wait until the server is up."""
        self._thread.start()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                self._server.should_exit = True
                raise RuntimeError("the local Archal did not start") from self._failure
            time.sleep(_POLL)

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something on the server's loop, from another thread, and wait until it is done."""
        loop = self._server.loop
        if threading.get_ident() == self._thread.ident:
            work.close()
            raise RuntimeError(
                "this is the local Archal's own thread, which cannot wait for itself: "
                "do not call it from on_request or from a clone"
            )
        try:
            if loop is None or not self._thread.is_alive():
                raise _not_running()
            future = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:  # the loop has been closed, if it is not ours
            work.close()
            raise _not_running() from None
        # A loop that ends just now leaves behind what it has not begun.
        while not concurrent.futures.wait([future], timeout=_LOOK).done:
            if not self._thread.is_alive():
                raise _not_running()
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise _not_running() from None

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._server.tell()
        self._thread.join(STOP_TIMEOUT)
        if self._thread.is_alive():
            raise RuntimeError("the local Archal did not stop: a clone blocks its thread")

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._sock])
        except BaseException as error:  # noqa: BLE001 - reported by start(), on the caller's thread
            self._failure = error
        finally:
            self._sock.close()
