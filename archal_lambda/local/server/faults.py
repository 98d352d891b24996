"""Faults on demand, played on this side of the wire.

This module owns how a fault looks to a caller: what is sent, held back, cut or reset, and what the record tells of it.
Which fault a request meets is for `faults.rules`. It must not know sessions or tokens.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from email.utils import formatdate
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from archal_lambda.faults.rules import mcp_paths, refusal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message, Send

    from archal_lambda.faults.fault import Fault
    from archal_lambda.faults.rules import FaultRules
    from archal_lambda.faults.service_errors import ServiceError
    from archal_lambda.local.server.app import Exchange

__all__ = ["CONNECTION", "FaultPlayer"]

# The extension of the ASGI scope that holds the connection's own end, an `asyncio.Transport`.
CONNECTION = "archal.connection"
_FRAMING = frozenset({b"connection", b"content-length", b"date", b"transfer-encoding"})
_NOTHING_SENT = 0  # in place of a status


class FaultPlayer:
    """Plays the faults of `rules` for one server; all calls are made on its loop."""

    def __init__(self, rules: FaultRules) -> None:
        self._rules = rules
        self._over = asyncio.Event()

    def end(self) -> None:
        """End every wait, because the server stops."""
        self._over.set()

    async def call(
        self, exchange: Exchange, clone: str, path: bytes | None, go: Callable[[], Awaitable[None]]
    ) -> None:
        """Serve a call that was admitted, with `go` unless a fault has it otherwise; no path means the MCP door."""
        fault = None
        if self._rules.listed():  # else nobody need look into a message
            method = exchange.scope["method"]
            paths = _mcp(exchange.body) if path is None else (path.decode("ascii"),)
            fault = self._rules.for_call(clone, method, paths)
        if fault is None:
            await go()
            return
        exchange.fault = fault.effect
        refused = refusal(fault, clone)
        if refused is not None:
            await self._delay(exchange, fault)
            await _response(refused)(exchange.scope, exchange.replay, exchange.send)
        elif fault.reset == "before":
            await self._delay(exchange, fault)
            exchange.wire = _Answer("").take
            await exchange.send({"type": "http.response.start", "status": _NOTHING_SENT})
            await _reset(exchange)
        elif fault.reset or fault.drip is not None or fault.cut is not None:
            await self._by_hand(exchange, fault, go)
        else:
            exchange.send = self._held_back(exchange, exchange.send, fault)
            await go()

    async def teardown(self, exchange: Exchange) -> Response | None:
        """Give the response that the end of a session fails with, if a fault has it so."""
        fault = self._rules.for_teardown()
        refused = None if fault is None else refusal(fault, "")
        if fault is None or refused is None:
            return None
        exchange.fault = fault.effect
        await self._delay(exchange, fault)
        return _response(refused)

    async def _by_hand(
        self, exchange: Exchange, fault: Fault, go: Callable[[], Awaitable[None]]
    ) -> None:
        answer = _Answer(exchange.scope["method"])
        exchange.wire = answer.take
        await go()
        await self._delay(exchange, fault)
        transport = exchange.scope["extensions"][CONNECTION]
        if fault.reset:
            await _reset(exchange)
            return
        if fault.drip is None:
            transport.write(answer.head() + bytes(answer.body[: fault.cut]))
        else:
            await self._drip(exchange, transport, answer.head() + bytes(answer.body), fault.drip)
        transport.close()
        await _gone(exchange)

    async def _drip(
        self, exchange: Exchange, transport: asyncio.Transport, wire: bytes, every: float
    ) -> None:
        now = asyncio.get_running_loop().time
        start, sent = now(), 0
        while sent < len(wire) and not transport.is_closing():
            # As many as are due: timers are too coarse for one at a time where they are close together.
            due = len(wire) if self._over.is_set() else int((now() - start) / every) + 1
            transport.write(wire[sent:due])
            sent = max(sent, due)
            if sent < len(wire):
                await self._pause(exchange, max(0.0, start + sent * every - now()))

    def _held_back(self, exchange: Exchange, send: Send, fault: Fault) -> Send:
        async def later(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._delay(exchange, fault)
            await send(message)

        return later

    async def _delay(self, exchange: Exchange, fault: Fault) -> None:
        if fault.delay is not None:
            await self._pause(exchange, fault.delay)

    async def _pause(self, exchange: Exchange, seconds: float) -> None:
        # Nobody waits for what comes after the caller has left, or the server stops.
        ends = [asyncio.ensure_future(self._over.wait()), asyncio.ensure_future(_gone(exchange))]
        try:
            await asyncio.wait(ends, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()


class _Answer:
    """A whole response, to be put on the wire by hand: what uvicorn sends is right by all means."""

    def __init__(self, method: str) -> None:
        self._bodiless = method == "HEAD"
        self._status = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()

    async def take(self, message: Message) -> None:
        """Keep a message instead of sending it."""
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message.get("headers", ()))
        elif not self._bodiless:
            self.body += message.get("body", b"")

    def head(self) -> bytes:
        """Write the status line and the headers."""
        kept = [pair for pair in self._headers if pair[0].lower() not in _FRAMING]
        kept += [(b"date", formatdate(usegmt=True).encode()), (b"connection", b"close")]
        if not self._bodiless and self._status not in (204, 304):
            kept.append((b"content-length", str(len(self.body)).encode()))
        phrase = ""
        with contextlib.suppress(ValueError):  # a status of the clone's own
            phrase = HTTPStatus(self._status).phrase
        lines = [f"HTTP/1.1 {self._status} {phrase}".encode()]
        lines += [name + b": " + value for name, value in kept]
        return b"\r\n".join([*lines, b"", b""])


async def _reset(exchange: Exchange) -> None:
    transport = exchange.scope["extensions"][CONNECTION]
    # A linger of no time makes it RST instead of FIN.
    linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()
    await _gone(exchange)


async def _gone(exchange: Exchange) -> None:
    # To uvicorn, a response that is missing is a mistake as long as the connection is there.
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


def _response(refused: ServiceError) -> Response:
    return Response(refused.content, refused.status, dict(refused.headers))


def _mcp(body: bytes | None) -> tuple[str, ...]:
    try:
        return mcp_paths(msgspec.json.decode(body or b"null"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return mcp_paths(None)
