"""HTTP/1.1, without I/O: a request's head written, a response's head read, strictly.

This module owns which response counts, where its body ends, and whether that can be trusted. It must not read bodies,
which `_body` does, nor know connections or deadlines.

A reader is a generator over what came (`Received`). It yields None when it needs more; whoever drives it feeds what
comes next and goes on. So one reader serves sockets that block, event loops and tests.

Nearly all responses have the usual form and come in one piece. One regular expression takes them as a whole
(`read_usual`), and their headers are cut out when somebody looks. It must never find anything else than the reader
that goes line by line, to which every other response is left.

`http.client` is not asked: it forgives what no two programs forgive alike, which is how one response is smuggled into
another, and it parses headers as if they were e-mail, which took nearly half the CPU time of a call.

The rule for what is lenient: where the RFC names one reading, that one is taken; where programs differ, the response is
refused, or read and the connection dropped behind it, so that nothing of it can be taken for the next response.
"""

from __future__ import annotations

import re
from collections.abc import Generator

from archal_lambda.core.headers import Headers, with_token_names
from archal_lambda.core.patterns import lazy
from archal_lambda.core.request import Request
from archal_lambda.transports._received import Received

__all__ = [
    "FIELD",
    "MAX_FIELDS",
    "MAX_HEAD",
    "MAX_LINE",
    "Cut",
    "Head",
    "Malformed",
    "read_head",
    "read_usual",
    "unmatched",
    "write_request",
]

MAX_LINE = 65536  # bytes; as http.client allows
# RFC 9110 sets no number. A field of three bytes costs two hundred in memory, so there is one, as curl has it.
MAX_FIELDS = 5000
MAX_HEAD = 256 * 1024  # bytes of all interim responses and the final one; they may be endless
_PROTOCOL = b"HTTP/1."
# What a server of HTTP/2 says first: the connection's settings, or that it goes away (RFC 9113, sections 3.4 and 6.8).
_HTTP2 = lazy(rb"\0[\0-\x40].[\x04\x07].\0\0\0\0", re.DOTALL)
_FRAME = 9  # bytes of a frame's head
_FIRST_FINAL = 200
_SWITCHING_PROTOCOLS = 101
_NO_CONTENT = 204
_BODILESS = frozenset({_NO_CONTENT, 304})  # RFC 9110, section 6.4.1
# A line may end with a bare LF (RFC 9112, section 2.2). A bare CR or a NUL has no place in one.
_STATUS = lazy(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n\0]*)?\r?\n")
FIELD = lazy(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\n\0]*)\r?\n")  # RFC 9112, section 5
# A name with blanks in it or behind it, which servers send and programs read differently.
_SPACED = lazy(rb"([!#$%&'*+.^_`|~0-9A-Za-z-][!#$%&'*+.^_`|~0-9A-Za-z \t-]*):([^\r\n\0]*)\r?\n")
# Never read from anything but a plain line.
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_FOLD = lazy(rb"[ \t]([^\r\n\0]*)\r?\n")  # RFC 9112, section 5.2
_LENGTH = lazy(r"[0-9]{1,18}")  # RFC 9112, section 6.3: a list or a sign is an attack


# Usual fields: they say nothing of the frame, nor of the connection but that it is kept. Names that could are told by
# their first letter, which spares all others a second look.
_FRAMED_BY = (
    rb"ontent-(?:length|encoding):|ransfer-encoding:|onnection:(?![ \t]*+keep-alive[ \t]*+\r\n)"
)
_OTHER = (
    rb"(?:(?![CcTt](?i:" + _FRAMED_BY + rb"))"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\x01-\x09\x0b\x0c\x0e-\xff]*+\r\n)*+"
)
# Final, with a body, of HTTP/1.1, every line end written out, one plain length and no coding. The second plus of `*+`
# means that nothing taken is given back, so that no response takes long to refuse. Not verbose, which takes three times
# as long to compile.
_USUAL = re.compile(
    rb"HTTP/1\.1 (?!204|304)([2-9][0-9]{2})(?: [^\r\n\0]*+)?+\r\n"
    rb"(" + _OTHER + rb"(?i:content-length):[ \t]*+([0-9]{1,18})[ \t]*+\r\n" + _OTHER + rb")\r\n"
)
_SMALL_K, _LARGE_K = b"kK"
_HINT = lazy(rb"(?:\A|\n)keep-alive:([^\r]*)")


class Malformed(Exception):  # noqa: N818 - says what a response is
    """The response breaks the rules, whatever might follow; the message quotes nothing of it.

    `status` is that of the response, where its status line was read.
    """

    status: int | None = None


class Cut(Exception):  # noqa: N818 - the same
    """The response ends before it is complete; the message quotes nothing of it."""


class Head:
    """Status and headers of a final response, and where its body ends.

    `chunked` bodies come in chunks; `length` is in bytes, None if chunks or the end of the connection end the body;
    `persistent` connections may be used again behind it, for as long as `hint`, their `Keep-Alive` field, says.
    """

    __slots__ = ("chunked", "headers", "hint", "length", "persistent", "status")

    def __init__(
        self, status: int, headers: Headers, length: int | None, hint: str | None = None
    ) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.hint = hint
        self.chunked = False
        self.persistent = True


def _framed(status: int, minor: int, headers: Headers, *, bodiless: bool) -> Head:
    """Find where the body ends; headers that cannot be trusted to say so are `Malformed`."""
    if status == _SWITCHING_PROTOCOLS:
        raise Malformed("the peer switched protocols without being asked to")
    chunked = "transfer-encoding" in headers
    if chunked and headers["transfer-encoding"].lower() != "chunked":
        raise Malformed("the transfer coding is not supported")
    lengths = set(headers.get_all("content-length"))
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise Malformed("the content length is malformed")
    length = int(next(iter(lengths))) if lengths and not chunked else None
    head = Head(status, headers, length, headers.get("keep-alive"))
    head.persistent = _kept_alive(minor, headers)
    if bodiless:
        # A body that is announced all the same may yet come, and must not be the next call's response.
        if chunked or (status == _NO_CONTENT and length):
            head.persistent = False
        head.length = 0
    elif chunked:
        head.chunked = True
        # With a length besides, or before HTTP/1.1, chunks are how responses are smuggled (RFC 9112,
        # sections 6.1 and 6.3): read them, then drop the connection.
        head.persistent = head.persistent and minor > 0 and not lengths
    elif length is None:
        head.persistent = False
    return head


def write_request(request: Request, most: int) -> bytes:
    """Write a prepared request: its line, its headers, and up to `most` bytes of its body."""
    base = request.base
    if base is None:
        raise TypeError("the request has no base URL")
    first = f"{request.method} {request.target} HTTP/1.1\r\nHost: {base.netloc}\r\n"
    return b"".join((first.encode(), request.lines, b"\r\n", request.content[:most]))


def read_usual(data: bytes, method: str) -> tuple[int, Headers, int, int, str | None] | None:
    """Read a whole head of the usual form; None leaves it to `read_head`.

    Gives the status, the headers, where the body begins and ends, and the connection's `Keep-Alive` field. `data` is
    what came first, and less than `MAX_FIELDS` fields would fill.
    """
    match = _USUAL.match(data)
    if match is None or method == "HEAD":
        return None
    status, fields, length = match.groups()
    hint = None
    if _SMALL_K in fields or _LARGE_K in fields:
        lowered = fields.lower()
        if lowered.find(b"keep-alive:") >= 0:  # not `in`, which first tries to take it for a number
            hint = b", ".join(_HINT.findall(lowered)).decode("latin-1")
    start = match.end()
    return int(status), Headers.of_lines(fields), start, start + int(length), hint


def read_head(received: Received, method: str) -> Generator[None, None, Head]:
    """Read up to the end of the final response's headers; interim responses are skipped, the body is left unread."""
    left = MAX_HEAD
    while True:
        limit = min(left, MAX_LINE)
        while (line := received.line(limit)) is None:
            _check_protocol(
                received.beginning(_FRAME)
            )  # one that speaks another waits for us to go on
            yield
        match = _STATUS.fullmatch(line)
        if match is None:
            _check_protocol(line)
            raise unmatched(line, limit, "the status line is malformed")
        status = int(match[2])
        try:
            fields, left, plain = yield from _fields(received, left - len(line))
            # Taken for the final one, an interim response (RFC 9110, section 15.2) would make the final one the next
            # call's.
            if status >= _FIRST_FINAL or status == _SWITCHING_PROTOCOLS:
                bodiless = method == "HEAD" or status in _BODILESS
                head = _framed(status, int(match[1]), Headers.of(fields), bodiless=bodiless)
                head.persistent = head.persistent and plain
                return head
        except Malformed as error:
            error.status = status
            raise


def _check_protocol(begun: bytes) -> None:
    if not _PROTOCOL.startswith(begun[: len(_PROTOCOL)]):
        http2 = _HTTP2.match(begun) is not None
        raise Malformed("the server speaks HTTP/2 only" if http2 else "it is not HTTP/1.1")


def unmatched(line: bytes, limit: int, reason: str) -> Malformed | Cut:
    """Say what a line is that was read up to `limit` bytes and does not match: malformed for a reason, or cut off."""
    if line.endswith(b"\n"):
        return Malformed(reason)
    if len(line) < limit:
        return Cut("the response is incomplete")
    return Malformed(f"a line is longer than {MAX_LINE} bytes, or all are than {MAX_HEAD}")


_Fields = tuple[list[tuple[str, str]], int, bool]


def _fields(received: Received, left: int) -> Generator[None, None, _Fields]:
    fields: list[tuple[str, str]] = []
    plain = True
    for _ in range(MAX_FIELDS + 1):
        limit = min(left, MAX_LINE)
        while (line := received.line(limit)) is None:
            yield
        left -= len(line)
        if line in {b"\r\n", b"\n"}:
            return fields if plain else with_token_names(fields), left, plain
        if match := FIELD.fullmatch(line):
            fields.append((match[1].decode(), _value(match[2])))
            continue
        # From here on, a field is not what it should be; that of a framing field cannot be trusted.
        if fields and (match := _FOLD.fullmatch(line)):
            name, value = fields[-1]
            fields[-1] = (name, f"{value} {_value(match[1])}".strip(" "))
        elif match := _SPACED.fullmatch(line):
            plain = False
            name = _value(match[1])
            fields.append((name, _value(match[2])))
        else:
            raise unmatched(line, limit, "a header field is malformed")
        if name.lower() in _FRAMING:
            raise Malformed("a header field that frames the body is malformed")
    raise Malformed(f"there are more than {MAX_FIELDS} header fields")


def _value(raw: bytes) -> str:
    return raw.strip(b" \t").decode("latin-1")


def _kept_alive(minor: int, headers: Headers) -> bool:
    if "connection" not in headers:
        return minor > 0
    options = [option.strip() for option in headers["connection"].lower().split(",")]
    return "close" not in options and (minor > 0 or "keep-alive" in options)
