"""The synchronous transport, on urllib3's connections.

This module owns connections: opening, reusing, ageing and closing them, one exchange on each, and the mapping of
every failure to our errors. Retries and redirects are not its business: urllib3's own are never reached, because
they carry `x-route-authorization` to other hosts and wait longer than a budget.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from http.client import HTTPException
from typing import TypedDict

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.wait import wait_for_read

from archal_lambda.core.records import Transfer
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import (
    ConnectError,
    ConnectionLost,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)
from archal_lambda.transports._body import TooLarge, read_body
from archal_lambda.transports._connection import CancelHandle, Connection, current
from archal_lambda.transports._http1 import Malformed, read_head, write_head
from archal_lambda.transports._pool import MAX_IDLE_SECONDS, ConnectionPool, idle_seconds
from archal_lambda.transports._tls import Once, tls_context

__all__ = ["UrllibTransport"]

_PIECE = 65536


class UrllibTransport:
    """Sends requests over HTTP/1.1, each under a real deadline.

    `ca_file` is a PEM file, None means the system's certificates; `max_response_bytes` counts after decoding. A
    connection may be idle for `max_idle_seconds`, or what its server says, by `wall_clock`: the monotonic one stands
    still while Lambda freezes the process.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        max_idle_seconds: float = MAX_IDLE_SECONDS,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._max_bytes = max_response_bytes
        # Reading the CA certificates takes tens of milliseconds, which a fan-out must not spend on each call.
        self._context = Once(lambda: tls_context(ca_file))
        self._max_idle_seconds = max_idle_seconds
        self._idle = ConnectionPool(usable=_usable, wall_clock=wall_clock)

    def send(
        self,
        request: Request,
        deadline: Deadline,
        timeout: Timeout,
        *,
        handle: CancelHandle | None = None,
    ) -> Response:
        """Send a request and read the whole response; `handle` lets another thread end the exchange."""
        handle = handle or current.handle
        base = request.base
        if base is None:
            raise TypeError("the request has no base URL")
        kept = self._idle.take(base.origin)
        connection = kept or Connection(deadline.within(timeout.connect))
        try:
            if handle is not None:
                handle.attach(connection)
            if connection.sock is None:
                connection.sock = self._connect(connection, base, deadline)
            connection.begin(deadline, timeout.read)
            response, seconds = self._converse(connection, request)
        except (OSError, HTTPException, urllib3.exceptions.HTTPError) as error:
            failure = _translated(error, connection, request)
            # Other errors quote what the peer said, and the frames of each contain parts of it.
            cause = error.with_traceback(None) if isinstance(error, OSError) else None
        except BaseException:
            _end(handle, connection)
            raise
        else:
            self._keep(connection, base.origin, handle, seconds)
            return response
        _end(handle, connection)
        raise failure from cause  # here, where nothing else stands behind it

    def _keep(
        self, connection: Connection, origin: str, handle: CancelHandle | None, seconds: float
    ) -> None:
        if handle is not None:
            handle.detach()
        if seconds:
            self._idle.put(origin, connection, seconds)
        else:
            connection.close()

    def close(self) -> None:
        """Close every idle connection; sending again opens new ones."""
        self._idle.close()

    def _connect(self, owner: Connection, base: BaseUrl, deadline: Deadline) -> socket.socket:
        connection: _Plain | _Tls
        if base.scheme == "https":
            context = self._context.get(deadline.remaining())
            connection = _Tls(base.host, base.port, ssl_context=context)
        else:
            connection = _Plain(base.host, base.port)
        connection.owner = owner
        connection.connect()
        if isinstance(connection.sock, ssl.SSLSocket):
            # An end without the closing alert may be an attacker's (RFC 9112, section 9.8): no end, an error.
            connection.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # as in ssl.py
        return connection.sock

    def _converse(self, connection: Connection, request: Request) -> tuple[Response, float]:
        broken = False
        try:
            _write(connection, request)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            # The peer stopped reading; it may have answered first, with a 413 for instance.
            broken = True
        connection.enter("headers")
        head = read_head(connection.reader, request.method)
        connection.enter("body")
        content = read_body(head, connection.reader, self._max_bytes)
        response = Response.of(head.status, head.headers, content, request, connection.transfer())
        if not head.persistent or broken or connection.leftover():
            return response, 0.0
        if "keep-alive" in head.headers:
            return response, idle_seconds(head.headers["keep-alive"], self._max_idle_seconds)
        return response, self._max_idle_seconds


class _Plain(HTTPConnection):
    owner: Connection

    def _new_conn(self) -> socket.socket:
        return self.owner.dial(self._dns_host, self.port)


class _Tls(HTTPSConnection):
    owner: Connection

    def _new_conn(self) -> socket.socket:
        sock = self.owner.dial(self._dns_host, self.port)
        self.owner.enter("tls")
        return sock


def _end(handle: CancelHandle | None, connection: Connection) -> None:
    # In this order: a connection that is let go of may be another call's.
    if handle is not None:
        handle.detach()
    connection.close()


def _usable(connection: Connection) -> bool:
    # An idle connection with something to read was closed by the peer, or holds bytes nobody asked for.
    return connection.sock is not None and not wait_for_read(connection.sock, timeout=0)


def _write(connection: Connection, request: Request) -> None:
    connection.write(memoryview(write_head(request) + request.content[:_PIECE]))
    if len(request.content) > _PIECE:
        connection.write(memoryview(request.content)[_PIECE:])


def _translated(error: Exception, connection: Connection, request: Request) -> TransportError:
    phase = connection.phase
    facts = _Facts(
        method=request.method,
        url=request.url,
        sent=connection.sent,
        transfer=connection.transfer(),
    )
    if isinstance(error, TooLarge):
        return ResponseTooLarge(limit=error.args[0], **facts)
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        return RequestTimeout(f"timed out ({phase})", phase=phase, **facts)
    if phase in {"resolve", "connect", "tls"}:
        return ConnectError(f"no connection: {_reason(error)}", **facts)
    return ConnectionLost(f"connection lost: {_reason(error)}", **facts)


class _Facts(TypedDict):
    method: str
    url: str
    sent: bool
    transfer: Transfer


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not accepted: {getattr(error, 'verify_message', 'no reason given')}"
    if isinstance(error, ssl.SSLError):
        # Errors that Python code raises have no reason.
        return f"TLS: {getattr(error, 'reason', None) or type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, Malformed):
        return str(error)
    # Other messages may quote what the peer sent.
    return type(error).__name__
