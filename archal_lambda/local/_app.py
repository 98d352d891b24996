"""The front door: one ASGI application for the control plane and the runtime proxy.

Owns the order of things for every request: read the whole body first (a client that is still
sending never sees an early answer), hand over, and record the outcome before the caller can see it.
It must not know what either side answers.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from typing import TYPE_CHECKING

from archal_lambda.local._record import RecordedRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Receive, Scope, Send

    from archal_lambda.local._record import Redactor, SeenByClone

MAX_BODY = 10_000_000
"""Bytes of a request body that are kept; more is read, dropped and answered with 413."""

CALLER_LEFT = 499
"""nginx's status for a caller that closed the connection before there was an answer."""

_logger = logging.getLogger("archal_lambda.local")


class CallerLeftError(Exception):
    """The connection was lost while the body was read."""


@dataclasses.dataclass(slots=True, kw_only=True)
class Exchange:
    """One request on its way; the proxy fills in what it learns.

    Args:
        scope: ASGI scope as received.
        receive: ASGI channel, of which the body has been taken.
        send: ASGI channel to the caller.
        body: The whole body, None if it was above the limit.
        session_id: Set once the session is known.
        clone: Set once the clone is known.
        clone_saw: Set once the clone is asked.
    """

    scope: Scope
    receive: Receive
    send: Send
    body: bytes | None = None
    session_id: str | None = None
    clone: str | None = None
    clone_saw: SeenByClone | None = None

    async def replay(self) -> Message:
        """Hand the body on, then whatever the connection says next.

        Returns:
            An ASGI ``http.request`` message, later ``http.disconnect``.
        """
        if self.body is None:
            return await self.receive()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


class FrontDoor:
    """The ASGI application.

    Args:
        control: Answers everything that is not below ``/runtime/``.
        proxy: Answers everything below ``/runtime/``.
        redactor: Cleans what is recorded.
        on_record: Called with every record, on the server's thread.
    """

    def __init__(
        self,
        *,
        control: Callable[[Exchange], Awaitable[None]],
        proxy: Callable[[Exchange], Awaitable[None]],
        redactor: Redactor,
        on_record: Callable[[RecordedRequest], None],
    ) -> None:
        self._control = control
        self._proxy = proxy
        self._redactor = redactor
        self._on_record = on_record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        exchange = Exchange(scope=scope, receive=receive, send=send)

        async def send_recorded(message: Message) -> None:
            # The record comes first, so that whoever has the answer also finds the record.
            if message["type"] == "http.response.start":
                self._record(exchange, status=message["status"], started=started)
            await send(message)

        exchange.send = send_recorded
        try:
            exchange.body = await _drain(receive)
        except CallerLeftError:
            self._record(exchange, status=CALLER_LEFT, started=started)
            return
        is_proxied = scope["raw_path"].startswith(b"/runtime/")
        await (self._proxy if is_proxied else self._control)(exchange)

    def _record(self, exchange: Exchange, *, status: int, started: float) -> None:
        scope = exchange.scope
        record = RecordedRequest(
            method=scope["method"],
            path=self._redactor.text(scope["raw_path"]),
            query=self._redactor.query(scope["query_string"]),
            session_id=exchange.session_id,
            clone=exchange.clone,
            status=status,
            duration_ms=(time.perf_counter() - started) * 1000,
            received_headers=self._redactor.headers(scope["headers"]),
            clone_saw=exchange.clone_saw,
        )
        try:
            self._on_record(record)
        except Exception:
            # A watcher's mistake must not change what the caller of the stand-in sees.
            _logger.exception("on_request failed")


async def _drain(receive: Receive) -> bytes | None:
    body = bytearray()
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeftError
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size <= MAX_BODY:
            body += chunk
        if not message.get("more_body", False):
            return bytes(body) if size <= MAX_BODY else None
