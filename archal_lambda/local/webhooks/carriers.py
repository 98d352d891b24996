"""What brings a delivery to its target: a handler of this process, a function of another, or a loopback URL.

This module owns the way there and back. It must not reach another machine, ask DNS, or use a proxy of the environment.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import logging
import socket
import ssl
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

from archal_lambda.lambda_events.events import make_event
from archal_lambda.lambda_events.results import failure_response, read_result
from archal_lambda.lambda_events.values import Shape, WebRequest
from archal_lambda.local.webhooks.limits import NOT_LOOPBACK
from archal_lambda.local.webhooks.loopback import is_loopback
from archal_lambda.local.webhooks.outgoing import Pairs, Result
from archal_lambda.testing.context import LocalContext

if TYPE_CHECKING:
    from archal_lambda.local.webhooks.outgoing import Hook

__all__ = ["FunctionCarrier", "HandlerCarrier", "UrlCarrier"]

_URL_TIMEOUT = (
    10.0  # seconds; GitHub waits as long (docs.github.com, "Best practices for using webhooks")
)
_MAX_RESPONSE = 65_536  # bytes of a response that are read

_logger = logging.getLogger("archal_lambda.local")


class HandlerCarrier:
    """Calls a handler with the event of a shape."""

    def __init__(
        self, handler: Callable[[Any, Any], object], *, shape: Shape, path: str, timeout: float
    ) -> None:
        self._handler = handler
        self._shape: Shape = shape
        self._path = path
        self.timeout = timeout

    def carry(self, headers: Pairs, body: bytes) -> Result:
        """Call it; what it raises is told by its type."""
        context = LocalContext(timeout=self.timeout)
        event = _event(self._shape, self._path, headers, body, context.aws_request_id)
        try:
            found = self._handler(event, context)
        except (
            BaseException
        ) as error:  # also `sys.exit()`, which ends a function's process and not this one
            if not isinstance(error, SystemExit):
                _logger.warning("a webhook's handler raised", exc_info=True)
            return _failed(self._shape, type(error).__name__)
        return _answered(found, self._shape)

    def abandon(self) -> None:
        """Nothing can end a handler of this process; it is left to its daemon thread."""


class FunctionCarrier:
    """Invokes a function in a process of its own."""

    def __init__(self, function: Any, *, shape: Shape, path: str, timeout: float) -> None:  # noqa: ANN401 - whatever has `invoke`
        self._function = function
        self._shape: Shape = shape
        self._path = path
        self.timeout = timeout

    def carry(self, headers: Pairs, body: bytes) -> Result:
        """Invoke it; an outcome with an `error` has failed."""
        request_id = LocalContext().aws_request_id
        outcome = self._function.invoke(_event(self._shape, self._path, headers, body, request_id))
        error = getattr(outcome, "error", None)
        if error:
            kind = (
                cast("dict[str, object]", error).get("errorType")
                if isinstance(error, dict)
                else None
            )
            return _failed(self._shape, str(kind or "Error"))
        return _answered(getattr(outcome, "result", outcome), self._shape)

    def abandon(self) -> None:
        """The function ends by its own limit."""


class UrlCarrier:
    """Sends a request to a loopback address, as the service would."""

    def __init__(self, hook: Hook, *, timeout: float = _URL_TIMEOUT) -> None:
        self._url = hook.url
        self._insecure = hook.insecure
        self.timeout = timeout
        self._sock: socket.socket | None = (
            None  # also of a response whose connection has let go of it
        )

    def carry(self, headers: Pairs, body: bytes) -> Result:
        """Send it, and read the beginning of the response."""
        try:
            parts = urlsplit(self._url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return Result(error="not a URL")
        if not is_loopback(self._url):
            return Result(error=NOT_LOOPBACK)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self._connect(parts.scheme == "https", host, port)
        try:
            connection.connect()
            self._sock = connection.sock
            connection.putrequest("POST", target, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", parts.netloc.rpartition("@")[2])
            for name, value in (*headers, *_authorization(parts)):
                connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            content = response.read(_MAX_RESPONSE)
            fields = tuple((name.lower(), value) for name, value in response.getheaders())
            return Result(status=response.status, headers=fields, body=content)
        except (OSError, http.client.HTTPException, UnicodeError, ValueError) as error:
            return Result(error=type(error).__name__)  # whose words may hold what was sent
        finally:
            connection.close()

    def abandon(self) -> None:
        """Break the connection, which ends what waits for it."""
        sock = self._sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, secure: bool, host: str, port: int | None) -> http.client.HTTPConnection:  # noqa: FBT001 - one of two
        # A name is somebody's to resolve; this one is fixed (RFC 6761, section 6.3).
        address = "127.0.0.1" if host == "localhost" else host
        if not secure:
            return http.client.HTTPConnection(address, port, timeout=self.timeout)
        tls = ssl.create_default_context()
        if self._insecure:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        return http.client.HTTPSConnection(address, port, timeout=self.timeout, context=tls)


def _authorization(url: SplitResult) -> Pairs:
    # A URL's user and password are Basic's (RFC 7617).
    if url.username is None:
        return ()
    pair = f"{unquote(url.username)}:{unquote(url.password or '')}"
    return (("Authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"),)


def _event(shape: Shape, path: str, headers: Pairs, body: bytes, request_id: str) -> dict[str, Any]:
    names = {name.lower() for name, _ in headers}
    sent = [(name.lower(), value) for name, value in headers]
    if "content-length" not in names:
        sent.append(("content-length", str(len(body))))
    request = WebRequest("POST", path, "", tuple(sent), body)
    return make_event(request, shape, now=time.time(), request_id=request_id)


def _answered(found: object, shape: Shape) -> Result:
    response = read_result(found, shape)
    return Result(status=response.status_code, headers=response.headers, body=response.content)


def _failed(shape: Shape, error: str) -> Result:
    response = failure_response(shape)
    return Result(
        status=response.status_code, error=error, headers=response.headers, body=response.content
    )
