"""Messages of both eras of MCP over HTTP, written and read.

This module owns what a message looks like. It must not decide when one is sent.

The handshake era (revisions 2024-11-05 to 2025-11-25): a session is opened by `initialize`, and each request names it.
The stateless era (from 2026-07-28): each request stands alone, and repeats itself in its headers.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import msgspec

from archal_lambda._version import __version__
from archal_lambda.core.headers import Headers
from archal_lambda.core.json import decode_plain, encode_finite, without_surrogates
from archal_lambda.core.secrets import guarded
from archal_lambda.errors import DecodeError
from archal_lambda.mcp._events import Events

__all__ = ["CLIENT", "HANDSHAKES", "STATELESS", "Answer", "Era", "headers_of", "message_of"]

STATELESS = "2026-07-28"
HANDSHAKES = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
CLIENT = {"name": "archal-lambda", "version": __version__}

# JSON-RPC 2.0, section 5.1.
_METHOD_NOT_FOUND = -32601
# MCP 2026-07-28, "Per-request protocol fields".
_META = "io.modelcontextprotocol/"
_MAX_REPLIES = 16  # to one stream; a server that asks more often gets no more
# What a request is about, and is named by in its headers (MCP 2026-07-28, "Standard request headers").
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}


class Era(msgspec.Struct, frozen=True):
    """How a server is spoken to."""

    version: str
    session_id: str | None = None
    """Of the handshake era, where the server gave one."""

    @property
    def stateless(self) -> bool:
        """Whether each request stands alone."""
        return self.version not in HANDSHAKES


@guarded
def message_of(
    era: Era, method: str, params: Mapping[str, Any], number: int | None, *, progress: bool = False
) -> bytes:
    """Write a request, or a notification, which has no number."""
    meta: dict[str, Any] = {}
    if progress and number is not None:
        meta["progressToken"] = number
    if era.stateless:
        meta[f"{_META}protocolVersion"] = era.version
        meta[f"{_META}clientInfo"] = CLIENT
        meta[f"{_META}clientCapabilities"] = {}
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        message["id"] = number
    if params or meta:
        message["params"] = {**params, "_meta": meta} if meta else dict(params)
    try:
        return encode_finite(message, what="arguments")
    except UnicodeEncodeError:  # which shows the text
        raise ValueError("arguments contain a lone surrogate, which is not text") from None


@guarded
def headers_of(
    era: Era, method: str, params: Mapping[str, Any], mirrored: Mapping[str, str]
) -> dict[str, str]:
    """Write the headers of a request; `mirrored` are arguments that a tool wants to have there, by their names."""
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    if method != "initialize":  # what is to be spoken is agreed on there
        headers["MCP-Protocol-Version"] = era.version
    if era.session_id is not None:
        headers["Mcp-Session-Id"] = era.session_id
    if era.stateless:
        headers["Mcp-Method"] = method
        named_by = _NAMED_BY.get(method)
        if named_by is not None:
            headers["Mcp-Name"] = _field(str(params[named_by]))
        headers |= {f"Mcp-Param-{name}": _field(value) for name, value in mirrored.items()}
    return headers


def _field(value: str) -> str:
    """Write a text as the value of a header: as it is, or coded if a header could not hold it."""
    plain = value.isascii() and value.isprintable() and value == value.strip()
    if plain and not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


class Answer:
    """Reads a response for the message that answers a request; a `BodyReader`.

    Notifications of progress are told to `progress`. A request of the server's is answered: a ping by nothing, and all
    else by an error, for this client offers nothing. What else there is in a stream is skipped.
    """

    def __init__(
        self,
        number: int,
        headers: Headers,
        progress: Callable[[float, float | None], object] | None,
    ) -> None:
        self.message: dict[str, Any] | None = None
        self.over = False
        self.busy = False  # whether the server told of work on the request
        self.unreadable = False  # whether something came that is no message
        self._replies = 0
        self._number = number
        self._progress = progress
        media_type = (headers.get("content-type") or "").partition(";")[0].strip().lower()
        self._events = Events() if media_type == "text/event-stream" else None

    @property
    def is_stream(self) -> bool:
        """Whether messages come as events, of which the answer need not be the last."""
        return self._events is not None

    @guarded
    def feed(self, piece: bytes) -> Sequence[bytes]:
        """Look at the next piece of a stream; see `BodyReader`."""
        replies: list[bytes] = []
        for data in self._events.feed(piece) if self._events is not None else ():
            replies.extend(self._read(data))
        return replies

    def end(self, content: bytes) -> None:
        """Look at the rest of a body, which of one that is no stream is all of it."""
        if self._events is not None:
            self.feed(content + b"\n\n")
        else:
            self._read(content)

    def _read(self, data: bytes) -> list[bytes]:
        """Take a message, or a batch of them (MCP 2025-03-26)."""
        replies: list[bytes] = []
        try:
            found: object = _decoded(data)
        except DecodeError:
            self.unreadable = True
            return replies
        for one in cast("list[object]", found) if isinstance(found, list) else (found,):
            if self.over:
                break
            message = cast("dict[str, Any]", one) if isinstance(one, dict) else {}
            if message.get("jsonrpc") == "2.0":  # else it is an error page, or no message at all
                replies.extend(self._take(message))
        return replies

    def _take(self, message: dict[str, Any]) -> list[bytes]:
        method, number = message.get("method"), message.get("id")
        if not isinstance(method, str):
            # An error that names no request is of this one: a server may not have got as far as its number.
            if number == self._number or (number is None and "error" in message):
                self.message, self.over = message, True
            return []
        self.busy = True
        if number is not None:
            self._replies += 1
            if self._replies > _MAX_REPLIES:
                return []
            refusal = {"code": _METHOD_NOT_FOUND, "message": "not offered by this client"}
            outcome: dict[str, Any] = {"result": {}} if method == "ping" else {"error": refusal}
            return [encode_finite({"jsonrpc": "2.0", "id": number, **outcome}, what="answer")]
        if method == "notifications/progress" and self._progress is not None:
            params = message.get("params")
            if isinstance(params, dict):
                self._tell(cast("dict[str, Any]", params))
        return []

    def _tell(self, params: dict[str, Any]) -> None:
        done, total = params.get("progress"), params.get("total")
        ours = params.get("progressToken") == self._number
        if ours and self._progress is not None and isinstance(done, int | float):
            with suppress(OverflowError):  # a number that no float holds
                known = float(total) if isinstance(total, int | float) else None
                self._progress(float(done), known)


def _decoded(data: bytes) -> Any:  # noqa: ANN401 - JSON may be anything
    try:
        return decode_plain(data)
    except DecodeError:
        mended = without_surrogates(data)  # as text has them that a tool has cut
        if mended == data:
            raise
    return decode_plain(mended)
