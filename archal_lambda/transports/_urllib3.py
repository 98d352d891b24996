"""The synchronous transport, on urllib3's connections.

This module owns connections: opening, reusing, ageing and closing them, one exchange on each, and the mapping of
every failure to our errors. Retries and redirects are not its business: urllib3's own are never reached, because
they carry `x-route-authorization` to other hosts and wait longer than a budget.
"""

from __future__ import annotations

import ssl
import time
from http.client import HTTPException
from typing import TYPE_CHECKING

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context
from urllib3.util.wait import wait_for_read

from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.errors import (
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)
from archal_lambda.transports._body import TooLarge, read_body
from archal_lambda.transports._head import Malformed, read_head
from archal_lambda.transports._idle import IdleWires
from archal_lambda.transports._once import Once
from archal_lambda.transports._wire import Wire

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from archal_lambda.core.deadline import Deadline, Timeout
    from archal_lambda.core.request import Request
    from archal_lambda.core.targets import BaseUrl
    from archal_lambda.transports._leash import Leash

__all__ = ["UrllibTransport"]

# An idle connection older than this is closed, not used: Lambda freezes the process between invocations, and
# load balancers forget idle connections meanwhile. httpx keeps 5 s, AWS NAT gateways 350 s.
MAX_IDLE_SECONDS = 15.0
_PIECE = 65536


class UrllibTransport:
    """Sends requests over HTTP/1.1, each under a real deadline.

    Args:
        ca_file: PEM file with the CA certificates to trust; None means the system's.
        max_response_bytes: Largest answer accepted, in bytes after decoding.
        max_idle_seconds: Oldest idle connection used again, in seconds of wall-clock time.
        wall_clock: Returns the time of day in seconds. Not monotonic on purpose: that clock stands still while
            Lambda freezes the process.
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
        self._context = Once(lambda: _tls_context(ca_file))
        self._idle = IdleWires(usable=_usable, max_seconds=max_idle_seconds, wall_clock=wall_clock)

    def send(
        self, request: Request, deadline: Deadline, timeout: Timeout, *, leash: Leash | None = None
    ) -> Response:
        """Send a request and read the whole answer.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt.
            leash: Lets another thread end the exchange.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: If there is no complete answer.
            ConfigurationError: If the CA file cannot be read.
        """
        base = request.base
        if base is None:
            raise TypeError("the request has no base URL")
        wire = self._idle.take(base.origin) or Wire(deadline.within(timeout.connect))
        try:
            if leash is not None:
                leash.tie(wire)
            if wire.sock is None:
                wire.sock = self._connect(wire, base, deadline)
            wire.begin(deadline, timeout.read)
            response, reusable = self._converse(wire, request)
        except (OSError, HTTPException, urllib3.exceptions.HTTPError) as error:
            failure = _translate(error, wire, request)
            failure.transfer = wire.transfer()
            # Other errors quote what the peer said, and the frames of each hold parts of it.
            cause = error.with_traceback(None) if isinstance(error, OSError) else None
        except BaseException:
            _release(leash)
            wire.close()
            raise
        else:
            _release(leash)
            if reusable:
                self._idle.put(base.origin, wire)
            else:
                wire.close()
            return response
        _release(leash)
        wire.close()
        raise failure from cause

    def close(self) -> None:
        """Close every idle connection; sending again opens new ones."""
        self._idle.close()

    def _connect(self, wire: Wire, base: BaseUrl, deadline: Deadline) -> socket.socket:
        connection: _Plain | _Tls
        if base.scheme == "https":
            context = self._context.get(deadline.remaining())
            connection = _Tls(base.host, base.port, ssl_context=context)
        else:
            connection = _Plain(base.host, base.port)
        connection.wire = wire
        connection.connect()
        if isinstance(connection.sock, ssl.SSLSocket):
            # An end without the closing alert may be an attacker's (RFC 9112, section 9.8): no end, an error.
            connection.sock.suppress_ragged_eofs = False  # type: ignore[attr-defined]  # as in ssl.py
        return connection.sock

    def _converse(self, wire: Wire, request: Request) -> tuple[Response, bool]:
        broken = False
        try:
            _write(wire, request)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            # The peer stopped reading; it may have answered first, with a 413 for instance.
            broken = True
        wire.enter("headers")
        head = read_head(wire.reader, request.method)
        wire.enter("body")
        content = read_body(head, wire.reader, self._max_bytes)
        response = Response(head.status, headers=head.headers, content=content, request=request)
        response.transfer = wire.transfer()
        reusable = head.persistent and not broken and not wire.leftover()
        return response, reusable


class _Plain(HTTPConnection):
    wire: Wire

    def _new_conn(self) -> socket.socket:
        return self.wire.dial(self._dns_host, self.port)


class _Tls(HTTPSConnection):
    wire: Wire

    def _new_conn(self) -> socket.socket:
        sock = self.wire.dial(self._dns_host, self.port)
        self.wire.enter("tls")
        return sock


class _TlsSocket(ssl.SSLSocket):
    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        # Asked before the handshake alone, of a peer that is gone already; what this raises, ssl.py passes on without
        # closing the socket.
        try:
            return super().recv(buflen, flags)
        except ConnectionError:
            self.close()
            raise


def _release(leash: Leash | None) -> None:
    if leash is not None:
        leash.untie()


def _usable(wire: Wire) -> bool:
    # An idle connection with something to read was closed by the peer, or holds bytes nobody asked for.
    return wire.sock is not None and not wait_for_read(wire.sock, timeout=0)


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    context = create_urllib3_context()
    context.sslsocket_class = _TlsSocket
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError:  # ssl.SSLError is one
        pass
    else:
        return context
    raise ConfigurationError("SSL_CERT_FILE", "must name a readable PEM file of CA certificates")


def _write(wire: Wire, request: Request) -> None:
    # Bytes stay out of local variables: a traceback that shows locals would show the credentials.
    wire.write(memoryview(_head(request) + request.content[:_PIECE]))
    if len(request.content) > _PIECE:
        wire.write(memoryview(request.content)[_PIECE:])


def _head(request: Request) -> bytes:
    host = "" if request.base is None else request.base.netloc
    fields = "".join(f"{name}: {value}\r\n" for name, value in request.headers.pairs)
    return f"{request.method} {request.target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n".encode(
        "latin-1"
    )


def _translate(error: Exception, wire: Wire, request: Request) -> TransportError:
    method, url, sent = request.method, request.url, wire.sent
    if isinstance(error, TooLarge):
        return ResponseTooLarge(limit=error.args[0], method=method, url=url, sent=sent)
    if isinstance(error, TimeoutError | urllib3.exceptions.TimeoutError):
        reason = f"timed out ({wire.phase})"
        return RequestTimeout(reason, phase=wire.phase, method=method, url=url, sent=sent)
    if wire.phase in {"resolve", "connect", "tls"}:
        reason = f"no connection: {_reason(error)}"
        return ConnectError(reason, method=method, url=url, sent=sent)
    return ConnectionLost(f"connection lost: {_reason(error)}", method=method, url=url, sent=sent)


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
