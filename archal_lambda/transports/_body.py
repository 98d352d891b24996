"""Bodies, read strictly and without I/O.

This module owns where a body ends, the undoing of its content codings, and the limit on its size. It must not
know requests, connections or deadlines.

A body is a generator of its pieces, decoded; between them it yields None when it needs more, as heads do. So it can be
had as a whole, or as it comes, under the same limits.

Other clients read on where a body is cut or malformed: they take `-1` for a chunk size, whatever follows a chunk for
its end, and half a gzip stream for a whole one.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator, Iterator
from typing import Any

from archal_lambda.transports._http1 import (
    FIELD,
    MAX_FIELDS,
    MAX_HEAD,
    MAX_LINE,
    Cut,
    Head,
    Malformed,
    Received,
    unmatched,
)

__all__ = ["TooLarge", "read_body"]

_PIECE = 65536
_INCOMPLETE = "the body is incomplete"
_MISCODED = "the body does not match its content coding"
_MAX_CODINGS = 3  # each may expand a thousandfold; more than one is rare
# A megabyte of empty gzip streams takes a tenth of a second to undo, and comes as a kilobyte if it is coded twice.
_MAX_STREAMS = 1000  # bgzip makes one for each 64 KB
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n\0]*)?\r\n")  # RFC 9112, section 7.1
_CODINGS = frozenset({"gzip", "x-gzip", "deflate"})  # RFC 9110, section 8.4.1
# The `wbits` by which zlib undoes them.
_GZIP, _ZLIB, _RAW = 31, 15, -15


_Pieces = Generator[bytes | None, None, None]


class TooLarge(Exception):  # noqa: N818 - says what a body is
    """The body exceeds the limit in `args`."""


def read_body(head: Head, received: Received, limit: int) -> _Pieces:
    """Read a body to its end; it may have `limit` bytes after decoding, else it is `TooLarge`.

    Codings other than gzip and deflate, which nobody asked for, are left as they are.
    """
    codings = _codings(head)
    if head.length is not None and head.length > limit and not codings:
        raise TooLarge(limit)
    pieces = _chunks(received) if head.chunked else _plain(received, head.length)
    # Without a frame, a coding that does not come to its end is the only sign of a cut.
    ends_early = Malformed if head.chunked or head.length is not None else Cut
    stages: list[_Stage] = [] if codings else [_Capped(limit)]
    for coding in reversed(codings):
        # The limit holds behind each: a small body may hold a large one that decodes to nothing.
        stages += [_Undone(coding, ends_early), _Capped(limit)]
    for piece in pieces:
        if piece is None:
            yield None
        else:
            yield from _through(stages, piece)
    for stage in stages:
        stage.end()


def _codings(head: Head) -> list[str]:
    if "content-encoding" not in head.headers:
        return []
    listed = head.headers["content-encoding"].lower().split(",")
    codings = [name for coding in listed if (name := coding.strip()) not in {"", "identity"}]
    if not all(coding in _CODINGS for coding in codings):
        return []
    if len(codings) > _MAX_CODINGS:
        raise Malformed("the body has too many content codings")
    return codings


def _plain(received: Received, length: int | None) -> _Pieces:
    if length is not None:
        yield from _exactly(received, length)
        return
    while (piece := received.some(_PIECE)) != b"":
        yield piece


def _exactly(received: Received, size: int) -> _Pieces:
    while size:
        piece = received.some(min(size, _PIECE))
        if piece == b"":
            raise Cut(_INCOMPLETE)
        yield piece
        size -= len(piece or b"")


def _chunks(received: Received) -> _Pieces:
    while size := (yield from _chunk_size(received)):
        yield from _exactly(received, size)
        while (end := received.line(2)) is None:
            yield None
        if end != b"\r\n":
            if end in {b"", b"\r"}:
                raise Cut(_INCOMPLETE)
            raise Malformed("a chunk does not end where its size says")
    left = MAX_HEAD
    for _ in range(MAX_FIELDS + 1):
        limit = min(left, MAX_LINE)
        while (line := received.line(limit)) is None:
            yield None
        if line == b"\r\n":
            return
        if FIELD.fullmatch(line) is None:
            raise unmatched(line, limit, "a trailer is malformed")
        left -= len(line)
    raise Malformed(f"there are more than {MAX_FIELDS} trailers")


def _chunk_size(received: Received) -> Generator[None, None, int]:
    while (line := received.line(MAX_LINE)) is None:
        yield
    match = _CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise unmatched(line, MAX_LINE, "a chunk size is malformed")
    return int(match[1], 16)


class _Capped:
    """Passes pieces on up to a size."""

    def __init__(self, limit: int) -> None:
        self._limit = self._left = limit

    def feed(self, piece: bytes) -> Iterator[bytes]:
        self._left -= len(piece)
        if self._left < 0:
            raise TooLarge(self._limit)
        yield piece

    def end(self) -> None:
        """Any end is one."""


class _Undone:
    """Undoes one content coding."""

    def __init__(self, coding: str, ends_early: type[Malformed | Cut]) -> None:
        self._coding = coding
        self._ends_early = ends_early
        self._stream: Any = None  # a `decompressobj`, whose type has no public name
        self._streams = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        data, more = piece, False
        while data or more:
            stream = self._stream
            if stream is None or stream.eof:
                stream = self._stream = self._next(data[0])
            try:
                decoded = stream.decompress(data, _PIECE)
            except zlib.error:
                raise Malformed(_MISCODED) from None
            more = len(decoded) == _PIECE and not stream.eof
            data = stream.unused_data or stream.unconsumed_tail
            yield decoded

    def end(self) -> None:
        if self._stream is not None and not self._stream.eof:
            raise self._ends_early("the coded body is incomplete")

    def _next(self, first: int) -> Any:  # noqa: ANN401 - as above
        # gzip may hold several streams (RFC 1952, section 2.2), deflate is one.
        if self._streams and self._coding == "deflate":
            raise Malformed(_MISCODED)
        self._streams += 1
        if self._streams > _MAX_STREAMS:
            raise Malformed("the body has too many gzip streams")
        return zlib.decompressobj(_wbits(self._coding, first))


_Stage = _Capped | _Undone


def _through(stages: list[_Stage], piece: bytes) -> Iterator[bytes]:
    """Send a piece through all stages, one small part at a time."""
    if not stages:
        yield piece
        return
    for part in stages[0].feed(piece):
        yield from _through(stages[1:], part)


def _wbits(coding: str, first: int) -> int:
    if coding != "deflate":
        return _GZIP
    # Servers leave out zlib's wrapper (RFC 9110, section 8.4.1.2). Its first byte (RFC 1950, section 2.2) cannot begin
    # bare deflate (RFC 1951, section 3.2.4), but for a stored block with something in its padding.
    return _ZLIB if first & 0x8F == zlib.DEFLATED else _RAW
