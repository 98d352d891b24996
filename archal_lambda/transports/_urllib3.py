"""The transport of hosts with sockets: one exchange on each connection, under a real deadline.

This module owns connections: opening, reusing, ageing and closing them, and the mapping of every failure to our errors.
It must not retry, nor follow a redirect. Of urllib3 it has the rules for TLS, and nothing else: urllib3's own retries
and redirects carry `x-route-authorization` to other hosts and wait longer than a budget, its sockets let a peer that
drips restart the clock, and its connections can be used on one thread at a time only.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import TypedDict

from archal_lambda.core.records import Transfer
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import (
    CertificateError,
    ConnectError,
    ConnectionLost,
    ProtocolError,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)
from archal_lambda.transports._body import TooLarge
from archal_lambda.transports._connection import Connection
from archal_lambda.transports._exchange import converse
from archal_lambda.transports._http1 import Cut, Malformed
from archal_lambda.transports._pool import MAX_IDLE_SECONDS, ConnectionPool, idle_seconds
from archal_lambda.transports._steps import Steps, run
from archal_lambda.transports._tls import Once, Trust, tls_context

__all__ = ["UrllibTransport"]

_REPLY_SECONDS = 1.0  # for what is sent while a response comes, which nobody reads meanwhile
_NO_PROTOCOL = "no application protocol"  # in OpenSSL's words; Python has no name for this alert


class UrllibTransport:
    """Sends requests over HTTP/1.1, each under a real deadline.

    `ca_file` is a PEM file, None means the system's certificates; `max_response_bytes` counts after decoding. A
    connection may be idle for `max_idle_seconds`, or what its server says, by `wall_clock`: the monotonic one stands
    still while Lambda freezes the process. No connection belongs to a thread or an event loop.
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
        self._trust = Once(lambda: Trust(tls_context(ca_file)))
        self._max_idle_seconds = max_idle_seconds
        self._idle = ConnectionPool(usable=Connection.untouched, wall_clock=wall_clock)

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response."""
        return run(self.steps(request, deadline, timeout))

    def steps(self, request: Request, deadline: Deadline, timeout: Timeout) -> Steps[Response]:
        """Send a request and read the whole response, whoever waits; ending the steps early closes the connection."""
        base = request.base
        if base is None:
            raise TypeError("the request has no base URL")
        kept = self._idle.take(base.origin)
        connection = kept or Connection(deadline.within(timeout.connect))
        try:
            if kept is None:
                yield from self._open(connection, base, deadline)
            connection.begin(deadline, timeout.read)
            answer = None
            if request.reading is not None:
                answer = partial(self._answer, request, deadline, timeout)
            response, hint = yield from converse(connection, request, self._max_bytes, answer)
        except (OSError, Malformed, Cut, TooLarge) as error:
            failure = _translated(error, connection, request)
            # Other errors quote what the peer said, and the frames of each contain parts of it.
            cause = error.with_traceback(None) if isinstance(error, OSError) else None
        except BaseException:
            connection.close()
            raise
        else:
            seconds = self._max_idle_seconds
            if hint:
                seconds = idle_seconds(hint, seconds)
            if hint is not None and seconds:
                self._idle.put(base.origin, connection, seconds)
            else:
                connection.close()
            return response
        connection.close()
        raise failure from cause  # here, where nothing else stands behind it

    def _answer(
        self, request: Request, deadline: Deadline, timeout: Timeout, content: bytes
    ) -> Steps[bool]:
        """Send what a reader of the response asks for, while the response is still coming; tell whether it went."""
        try:
            yield from self.steps(
                request.answering(content), deadline.within(_REPLY_SECONDS), timeout
            )
        except TransportError:
            return False  # the call itself goes on
        return True

    def close(self) -> None:
        """Close every idle connection; sending again opens new ones."""
        self._idle.close()

    def _open(self, connection: Connection, base: BaseUrl, deadline: Deadline) -> Steps[None]:
        secure = base.scheme == "https"
        trust = self._trust.get(deadline.remaining()) if secure else None
        yield from connection.open(base.host, base.port)
        if trust is not None:
            yield from connection.secure(trust, base.host, base.origin)


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
    if isinstance(error, Malformed):
        return ProtocolError(f"response refused: {error}", status_code=error.status, **facts)
    if isinstance(error, TimeoutError):
        return RequestTimeout(f"timed out ({phase})", phase=phase, **facts)
    if phase in {"resolve", "connect", "tls"}:
        refused = isinstance(error, ssl.SSLCertVerificationError)
        failure = CertificateError if refused else ConnectError
        return failure(f"no connection: {_reason(error)}", **facts)
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
        if _NO_PROTOCOL in str(
            error
        ):  # the alert of a server that was offered HTTP/1.1 (RFC 7301, section 3.2)
            return "the server speaks HTTP/2 only"
        # Errors that Python code raises have no reason.
        return f"TLS: {getattr(error, 'reason', None) or type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, Cut):
        return str(error)
    # Other messages may quote what the peer sent.
    return type(error).__name__
