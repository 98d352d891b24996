"""One request and its response on an open connection.

This module owns their order. It must not open or keep a connection, nor know what a failure is to a caller.
"""

from __future__ import annotations

import io
import ssl
from collections.abc import Callable, Generator
from typing import TypeVar

from archal_lambda.core.bodies import BodyReader
from archal_lambda.core.headers import Headers
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.transports._body import TooLarge, read_body
from archal_lambda.transports._connection import Connection
from archal_lambda.transports._http1 import (
    Cut,
    Head,
    Malformed,
    read_head,
    read_usual,
    write_request,
)
from archal_lambda.transports._received import Received
from archal_lambda.transports._steps import Steps

__all__ = ["Answer", "converse"]

_T = TypeVar("_T")
Answer = Callable[[bytes], Steps[bool]]  # sends a reply; tells whether it went

_PIECE = 65536  # bytes
_FIRST = 16384  # bytes of a response that are looked at for the usual form


def converse(
    connection: Connection, request: Request, limit: int, answer: Answer | None
) -> Steps[tuple[Response, str | None]]:
    """Send the request and read its response, a body of `limit` bytes at most.

    Gives besides the connection's `Keep-Alive` field, empty if it has none; None if the connection cannot be used
    again. `answer` sends what the reader of the body asks for.
    """
    broken = False
    try:
        rest = connection.offer(write_request(request, _PIECE))
        if rest:
            yield from connection.write(rest)
        if len(request.content) > _PIECE:
            yield from connection.write(request.content[_PIECE:])
    except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
        # The peer stopped reading; it may have answered first, with a 413 for instance.
        broken = True
    connection.enter("headers")
    first = yield from connection.receive(_FIRST)
    usual = read_usual(first, request.method)
    at_once, persistent, more = False, True, False
    if usual is not None and _reader(request, usual[0], usual[1]) is None:
        status, headers, start, end, hint = usual
        if end <= len(first) and end - start <= limit:
            at_once, content, more = True, first[start:end], len(first) > end
        else:
            connection.enter("body")
            content = yield from _read_plain(connection, end - start, first[start:], limit)
    else:
        head, content, more = yield from _read_any(connection, request, first, limit, answer)
        status, headers = head.status, head.headers
        persistent, hint = head.persistent, head.hint
    transfer = connection.transfer(at_once=at_once)
    response = Response.of(status, headers, content, request, transfer, attempts=0)
    if not persistent or broken or more or connection.leftover():
        return response, None
    return response, hint or ""


def _read_plain(connection: Connection, length: int, first: bytes, limit: int) -> Steps[bytes]:
    """Read a body without any coding, and no byte more."""
    if length > limit:
        raise TooLarge(limit)
    body = io.BytesIO()
    left = length - body.write(first)
    while left:
        piece = yield from connection.receive(min(left, _PIECE))
        if not piece:
            raise Cut("the body is incomplete")
        left -= body.write(piece)
    return body.getvalue()


def _read_any(
    connection: Connection, request: Request, first: bytes, limit: int, answer: Answer | None
) -> Steps[tuple[Head, bytes, bool]]:
    received = Received()
    received.feed(first)
    head = yield from _fed(connection, received, read_head(received, request.method), None)
    connection.enter("body")
    body = io.BytesIO()
    reader = _reader(request, head.status, head.headers)
    try:
        pieces = read_body(head, received, limit)
        if reader is None or answer is None:
            yield from _fed(connection, received, pieces, body)
        else:
            yield from _looked_at(connection, received, pieces, body, reader, answer)
    except Malformed as error:
        error.status = head.status
        raise
    # What a reader no longer needs is still to come.
    return head, body.getvalue(), bool(received) or (reader is not None and reader.over)


def _reader(request: Request, status: int, headers: Headers) -> BodyReader | None:
    return None if request.reading is None else request.reading.begin(status, headers)


def _fed(
    connection: Connection,
    received: Received,
    reader: Generator[bytes | None, None, _T],
    body: io.BytesIO | None,
) -> Steps[_T]:
    """Feed a reader what comes, as it asks for it, and keep what it gives."""
    while True:
        try:
            piece = next(reader)
        except StopIteration as stop:
            result: _T = stop.value
            return result
        if piece is None:
            received.feed((yield from connection.receive(_PIECE)))
        elif body is not None:
            body.write(piece)


def _looked_at(  # noqa: PLR0913, PLR0917 - the parts of a body that is looked at
    connection: Connection,
    received: Received,
    pieces: Generator[bytes | None],
    body: io.BytesIO,
    reader: BodyReader,
    answer: Answer,
) -> Steps[None]:
    """Keep a body as long as its reader needs more of it."""
    heard = True
    for piece in pieces:
        if piece is None:
            received.feed((yield from connection.receive(_PIECE)))
            continue
        body.write(piece)
        replies = reader.feed(piece)
        if reader.over:
            return
        for content in replies:
            if not (heard and (yield from answer(content))):
                heard = False  # who does not take a reply does not get another: reading comes first
                break
