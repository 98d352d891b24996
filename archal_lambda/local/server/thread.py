"""One uvicorn server on one loopback socket and one daemon thread.

This module owns binding, starting and stopping, each within a limit of time. It must not know what the application
does.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["HOST", "START_TIMEOUT", "STOP_TIMEOUT", "ServerThread", "listen"]

HOST = "127.0.0.1"
START_TIMEOUT = 10.0  # seconds until a server that does not come up is given up
STOP_TIMEOUT = 5.0  # seconds until a server that does not go down is left to its daemon thread

_GRACE = 1
_BACKLOG = 128
_POLL = 0.002
_KEEP_ALIVE = 60

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


class ServerThread:
    """A server for an application on a listening socket, which it takes over."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
        )
        self._sock = sock
        self._server = uvicorn.Server(config)
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

    def stop(self) -> None:
        """Close every connection and end the thread."""
        self._server.should_exit = True
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
