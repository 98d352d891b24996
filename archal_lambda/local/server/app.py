"""The front door: one ASGI application for the control plane and the runtime proxy.

This module owns the order of things for every request: read the whole body first (a client that is still sending
never sees an early response), pass it on, and record the outcome before the caller can see it. It also owns what both
sides share: Archal's error envelope and the reading of bearer tokens. It must not know what either side responds, and
no message may contain a token or a body.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from archal_lambda.local.server.records import RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from archal_lambda.local.server.records import Redactor, SeenByClone
    from archal_lambda.local.server.traffic import Kept, Traffic

__all__ = [
    "ApiError",
    "CallerLeftError",
    "Exchange",
    "FrontDoor",
    "bearer",
    "drain",
    "envelope",
    "json_response",
    "payload_too_large",
    "unauthorized",
]

_MAX_BODY = 10_000_000  # bytes; more is read, dropped and refused with 413
_TOO_LARGE = 413
_HANDLES = b"/_archal/"
_CALLER_LEFT = (
    499  # nginx's status for a caller that closed the connection before there was a response
)

_logger = logging.getLogger("archal_lambda.local")


class ApiError(Exception):
    """A refusal by Archal itself, as opposed to a response of a clone."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code  # Archal documents the field, not its values
        self.message = message
        self.headers = dict(headers or {})


def unauthorized(header: str) -> ApiError:
    """Build the 401 for a missing or bad bearer token in a header."""
    return ApiError(
        HTTPStatus.UNAUTHORIZED,
        "unauthorized",
        f"{header} must contain 'Bearer ' and a valid Archal token",
        headers={"www-authenticate": 'Bearer realm="archal"'},  # RFC 9110, section 11.6.1
    )


def payload_too_large() -> ApiError:
    """Build the 413 for a request body above the limit."""
    return ApiError(
        _TOO_LARGE, "payload_too_large", f"request bodies are limited to {_MAX_BODY} bytes"
    )


def json_response(
    data: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Encode one JSON response."""
    return Response(
        msgspec.json.encode(data),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def envelope(error: ApiError) -> Response:
    """Render a refusal as `ErrorResponse` (Archal OpenAPI 0.3.0)."""
    # Python renamed the phrase of 413 in 3.13; the wire must not depend on that.
    phrase = "Content Too Large" if error.status == _TOO_LARGE else HTTPStatus(error.status).phrase
    slug = phrase.lower().replace(" ", "_")
    body = {"error": slug, "code": error.code, "message": error.message}
    return json_response(body, status=error.status, headers=error.headers)


def bearer(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """Read the bearer token of one header, whose name is in lower case; None if there is not exactly one."""
    # A repeated header is refused: two readers could each believe a different one.
    values = [value for key, value in headers if key == name]
    if len(values) != 1:
        return None
    scheme, _, token = values[0].decode("latin-1").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@dataclasses.dataclass(slots=True, kw_only=True)
class Exchange:
    """One request on its way."""

    scope: Scope
    receive: Receive  # its body has been taken
    send: Send
    wire: Send  # what `send` sends with, once it has made the record
    body: bytes | None = None  # None above the limit
    # The proxy fills these in as it learns them, for the record.
    session_id: str | None = None
    clone: str | None = None
    clone_saw: SeenByClone | None = None
    tool: str | None = None
    fault: str | None = None

    async def replay(self) -> Message:
        """Pass on the body, then whatever the connection says next."""
        if self.body is None:
            return await self.receive()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


class FrontDoor:
    """The ASGI application; `on_record` is called with every record, on the server's thread."""

    def __init__(  # noqa: PLR0913 - the parts are wired together in one place
        self,
        *,
        control: Callable[[Exchange], Awaitable[None]],
        proxy: Callable[[Exchange], Awaitable[None]],
        admin: ASGIApp,
        redactor: Redactor,
        traffic: Traffic,
        on_record: Callable[[RecordedRequest], None],
    ) -> None:
        self._control = control
        self._proxy = proxy
        self._admin = admin
        self._redactor = redactor
        self._traffic = traffic
        self._on_record = on_record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["raw_path"] == b"/" or scope["raw_path"].startswith(_HANDLES):
            await self._admin(scope, receive, send)  # which is nobody's call of Archal
            return
        started = time.perf_counter()
        exchange = Exchange(scope=scope, receive=receive, send=send, wire=send)
        received = b""
        kept: Kept | None = None

        async def send_recorded(message: Message) -> None:
            nonlocal kept
            # The record comes first, so that whoever has the response also finds the record.
            if message["type"] == "http.response.start":
                kept = self._record(exchange, received, status=message["status"], started=started)
                kept.begin(message)
            elif kept is not None:
                kept.take(message)
            await exchange.wire(message)

        exchange.send = send_recorded
        try:
            exchange.body = await drain(receive)
        except CallerLeftError:
            self._record(exchange, received, status=_CALLER_LEFT, started=started)
            return
        received = exchange.body or b""  # the exchange gives its own away
        is_proxied = scope["raw_path"].startswith(b"/runtime/")
        await (self._proxy if is_proxied else self._control)(exchange)

    def _record(self, exchange: Exchange, body: bytes, *, status: int, started: float) -> Kept:
        scope = exchange.scope
        redactor = self._redactor.of(scope["headers"])
        record = RecordedRequest(
            method=scope["method"],
            path=redactor.text(scope["raw_path"]),
            query=redactor.query(scope["query_string"]),
            session_id=exchange.session_id,
            clone=exchange.clone,
            status=status,
            duration_ms=(time.perf_counter() - started) * 1000,
            received_headers=redactor.headers(scope["headers"]),
            clone_saw=exchange.clone_saw,
            tool=exchange.tool,
            fault=exchange.fault,
        )
        kept = self._traffic.add(record, scope["headers"], body)
        try:
            self._on_record(record)
        except Exception:
            # A watcher's mistake must not change what the caller of the stand-in sees.
            _logger.exception("on_request failed")
        return kept


class CallerLeftError(Exception):
    """The connection was lost while the body was read."""


async def drain(receive: Receive) -> bytes | None:
    """Read the whole body of a request; None if it is above the limit."""
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeftError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= _MAX_BODY:
            body += chunk
        if not message.get("more_body", False):
            return bytes(body) if size <= _MAX_BODY else None
