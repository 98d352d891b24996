"""One response read twice: by h11 in the client's role, and by our reader."""

from __future__ import annotations

import dataclasses
import gzip
import zlib

import h11

from archal_lambda.transports._body import TooLarge, read_body
from archal_lambda.transports._http1 import Cut, Malformed, Received, read_head, read_usual

LIMIT = 100_000  # bytes of a body


@dataclasses.dataclass(frozen=True)
class Read:
    """What a reader makes of a response, and of what follows it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | None  # None: its content coding cannot be undone
    rest: bytes
    persistent: bool = dataclasses.field(compare=False)


@dataclasses.dataclass(frozen=True)
class Refused:
    """Why a reader takes none; `early` if what comes later could not change it."""

    reason: str
    early: bool


def ours(method, data, piece=64):
    """Read with our reader, line by line, from a peer that says this in pieces and closes."""
    received = Received()
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    try:
        head = _driven(read_head(received, method), received, pieces)
        body = bytearray()
        _driven(read_body(head, received, LIMIT), received, pieces, body)
    except Malformed as error:
        return Refused(str(error), early=True)
    except TooLarge:
        return Refused("too large", early=True)
    except Cut as error:
        return Refused(str(error), early=False)
    rest = (received.some(len(data)) or b"") + b"".join(pieces)
    return Read(head.status, _plain(head.headers.pairs), bytes(body), rest, head.persistent)


def shortcut(method, data):
    """Read with the shortcut for usual responses, as far as it goes; None where it leaves the response alone."""
    usual = read_usual(data, method)
    if usual is None:
        return None
    head, start = usual
    end = start + head.length
    body, rest = data[start:end], data[end:]
    if len(data) < end or head.length > LIMIT:
        return None
    return Read(head.status, _plain(head.headers.pairs), body, rest, head.persistent), head.hint


def _driven(steps, received, pieces, body=None):
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value
        if step is not None:
            body += step
        else:
            received.feed(pieces.pop(0) if pieces else b"")


def theirs(method, data):
    """Read with h11, from the same peer."""
    conn = h11.Connection(h11.CLIENT, max_incomplete_event_size=2**20)
    conn.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    conn.send(h11.EndOfMessage())
    if data:  # nothing at all is h11's word for the end
        conn.receive_data(data)
    ended = False
    body = bytearray()
    final = None
    while True:
        try:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                ended = True
                conn.receive_data(b"")
        except h11.RemoteProtocolError as error:
            return Refused(str(error), early=not ended)
        if isinstance(event, h11.Response):
            final = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            break
        elif isinstance(event, h11.ConnectionClosed):
            return Refused("closed", early=False)
    headers = [(name.decode(), value.decode("latin-1")) for name, value in final.headers]
    return Read(
        final.status_code,
        _plain(headers),
        _undone(headers, bytes(body)),
        conn.trailing_data[0],
        conn.our_state is h11.DONE and not ended,
    )


def _plain(pairs):
    """Write fields as h11 does; folds are blanks, and their number does not count."""
    fields = []
    for name, value in pairs:
        key, text = name.lower(), " ".join(value.replace("\t", " ").split(" ")).strip(" ")
        text = " ".join(part for part in text.split(" ") if part)
        if key == "transfer-encoding":
            text = text.lower()
        if key != "content-length" or (key, text) not in fields:
            fields.append((key, text))
    return tuple(fields)


def _undone(headers, body):
    listed = ",".join(value for name, value in headers if name == "content-encoding").lower()
    codings = [name.strip(" \t") for name in listed.split(",")]
    codings = [name for name in codings if name not in {"", "identity"}]
    if set(codings) <= {"gzip", "x-gzip", "deflate"}:
        try:
            for coding in reversed(codings):
                body = _inflated(body) if coding == "deflate" else gzip.decompress(body)
        except (OSError, EOFError, zlib.error):
            return None
    return body


def _inflated(body):
    for wbits in (15, -15):
        stream = zlib.decompressobj(wbits)
        try:
            plain = stream.decompress(body)
        except zlib.error:
            continue
        if body and (not stream.eof or stream.unused_data):
            raise EOFError
        return plain
    raise EOFError
