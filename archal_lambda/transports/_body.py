"""Bodies, read strictly.

This module owns where a body ends, the undoing of its content codings, and the limit on its size. It must not
know requests, connections or deadlines.

Other clients read on where a body is cut or malformed: they take `-1` for a chunk size, whatever follows a chunk for
its end, and half a gzip stream for a whole one.
"""

from __future__ import annotations

import io
import re
import zlib
from http.client import HTTPException
from typing import TYPE_CHECKING

from archal_lambda.transports._http1 import (
    FIELD,
    MAX_FIELDS,
    MAX_HEAD,
    MAX_LINE,
    Cut,
    Head,
    Malformed,
    unmatched,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader


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


class TooLarge(HTTPException):
    """The body exceeds the limit in `args`."""


def read_body(head: Head, reader: BufferedReader, limit: int) -> bytes:
    """Read a body to its end; it may have `limit` bytes after decoding, else it is `TooLarge`.

    Codings other than gzip and deflate, which nobody asked for, are left as they are.
    """
    codings = _codings(head)
    length = head.length
    if length is not None and not codings:
        if length > limit:
            raise TooLarge(limit)
        content = reader.read(length)
        if len(content) < length:
            raise Cut(_INCOMPLETE)
        return content
    # Without a frame, a coding that does not come to its end is the only sign of a cut.
    framed = head.chunked or length is not None
    pieces = _chunks(reader) if head.chunked else _plain(reader, length)
    for coding in reversed(codings):
        # The limit holds for each: a small body may hold a large one that decodes to nothing.
        pieces = _capped(_undone(pieces, coding, Malformed if framed else Cut), limit)
    # Not join(), which keeps every piece: of chunks of two bytes each, thirty times their size.
    body = io.BytesIO()
    for piece in _capped(pieces, limit):
        body.write(piece)
    return body.getvalue()


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


def _plain(reader: BufferedReader, length: int | None) -> Iterator[bytes]:
    if length is not None:
        yield from _exactly(reader, length)
        return
    while piece := reader.read1(_PIECE):
        yield piece


def _exactly(reader: BufferedReader, size: int) -> Iterator[bytes]:
    while size:
        piece = reader.read1(min(size, _PIECE))
        if not piece:
            raise Cut(_INCOMPLETE)
        size -= len(piece)
        yield piece


def _chunks(reader: BufferedReader) -> Iterator[bytes]:
    while size := _chunk_size(reader):
        yield from _exactly(reader, size)
        end = reader.read(2)
        if end != b"\r\n":
            if end in {b"", b"\r"}:
                raise Cut(_INCOMPLETE)
            raise Malformed("a chunk does not end where its size says")
    left = MAX_HEAD
    for _ in range(MAX_FIELDS + 1):
        limit = min(left, MAX_LINE)
        line = reader.readline(limit)
        if line == b"\r\n":
            return
        if FIELD.fullmatch(line) is None:
            raise unmatched(line, limit, "a trailer is malformed")
        left -= len(line)
    raise Malformed(f"there are more than {MAX_FIELDS} trailers")


def _chunk_size(reader: BufferedReader) -> int:
    line = reader.readline(MAX_LINE)
    match = _CHUNK_SIZE.fullmatch(line)
    if match is None:
        raise unmatched(line, MAX_LINE, "a chunk size is malformed")
    return int(match[1], 16)


def _undone(
    pieces: Iterator[bytes], coding: str, ends_early: type[Malformed | Cut]
) -> Iterator[bytes]:
    stream = None
    streams = 0
    for piece in pieces:
        data, more = piece, False
        while data or more:
            if stream is None or stream.eof:
                # gzip may hold several streams (RFC 1952, section 2.2), deflate is one.
                if streams and coding == "deflate":
                    raise Malformed(_MISCODED)
                stream = zlib.decompressobj(_wbits(coding, data[0]))
                streams += 1
                if streams > _MAX_STREAMS:
                    raise Malformed("the body has too many gzip streams")
            try:
                decoded = stream.decompress(data, _PIECE)
            except zlib.error:
                raise Malformed(_MISCODED) from None
            more = len(decoded) == _PIECE and not stream.eof
            data = stream.unused_data or stream.unconsumed_tail
            yield decoded
    if stream is not None and not stream.eof:
        raise ends_early("the coded body is incomplete")


def _wbits(coding: str, first: int) -> int:
    if coding != "deflate":
        return _GZIP
    # Servers leave out zlib's wrapper (RFC 9110, section 8.4.1.2). Its first byte (RFC 1950, section 2.2) cannot begin
    # bare deflate (RFC 1951, section 3.2.4), but for a stored block with something in its padding.
    return _ZLIB if first & 0x8F == zlib.DEFLATED else _RAW


def _capped(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLarge(limit)
        yield piece
