"""Status lines and headers, read strictly.

This module owns which answer counts and whether its framing can be trusted. It must not read bodies.
"""

from __future__ import annotations

import email.errors
import re
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.transports._wire import Wire

__all__ = ["Malformed", "check_framing", "header_pairs", "read_head"]

_FIRST_FINAL = 200
_SWITCHING_PROTOCOLS = 101
_HTTP_1_0 = 10
_NO_CONTENT = 204
# Of all interim answers and the final one. http.client alone allows 6 MB, and interim answers without end.
_MAX_HEAD = 256 * 1024
_LENGTH = re.compile(r"[0-9]{1,18}[ \t]*")  # RFC 9112, section 6.3: a list or a sign is an attack
# A bad Content-Type of a body in parts is a defect, too, but none of the framing.
_MALFORMED_HEADERS = (
    email.errors.FirstHeaderLineIsContinuationDefect,
    email.errors.InvalidHeaderDefect,
    email.errors.MisplacedEnvelopeHeaderDefect,
    email.errors.MissingHeaderBodySeparatorDefect,
)


class Malformed(HTTPException):
    """The answer breaks the rules; the message quotes nothing of it."""


def read_head(wire: Wire, method: str) -> HTTPResponse:
    """Read up to the end of the final answer's headers; interim answers are skipped.

    Args:
        wire: The connection.
        method: The request's method, on which the answer's framing depends.

    Returns:
        The answer, its body unread.

    Raises:
        HTTPException: If what came is no answer.
    """
    wire.reader.allow(_MAX_HEAD)
    while True:
        answer = HTTPResponse(wire, method=method)  # type: ignore[arg-type]  # makefile() is all it needs
        answer.begin()
        if wire.ended:  # http.client takes the end of the stream for the end of the headers
            raise Malformed("the header section is incomplete")
        if answer.status == _SWITCHING_PROTOCOLS:
            raise Malformed("the peer switched protocols without being asked to")
        # http.client skips 100 only; any other interim answer (RFC 9110, section 15.2) would be taken for the
        # final one, and the final one for the next call's.
        if answer.status >= _FIRST_FINAL:
            wire.reader.allow(None)
            return answer


def check_framing(answer: HTTPResponse, *, bodiless: bool) -> bool:
    """Refuse an answer whose end is not certain.

    Args:
        answer: The answer, its body unread.
        bodiless: Whether it has no body whatever its headers say.

    Returns:
        Whether the connection may be used again after it.

    Raises:
        Malformed: If the headers cannot be trusted to say where the body ends.
    """
    message = answer.msg
    payload = message.get_payload()  # what follows a line that is no header
    if (
        any(isinstance(defect, _MALFORMED_HEADERS) for defect in message.defects)
        or (payload and isinstance(payload, str))
        or message.get_unixfrom() is not None
    ):
        raise Malformed("the header section is malformed")
    codings = message.get_all("transfer-encoding", [])
    lengths = set(message.get_all("content-length", []))
    if codings and not answer.chunked and codings[0].strip().lower() == "chunked":
        answer.chunked, answer.chunk_left, answer.length = True, None, None
    if codings and (len(codings) > 1 or not answer.chunked):
        raise Malformed("the transfer coding is not supported")
    if len(lengths) > 1 or not all(_LENGTH.fullmatch(length) for length in lengths):
        raise Malformed("the content length is malformed")
    # http.client looks at the first of these fields only.
    for field in message.get_all("connection", []):
        if "close" in [option.strip().lower() for option in field.split(",")]:
            return False
    if bodiless:
        # A body that is announced all the same may yet come, and must not be the next call's answer.
        return not codings and (answer.status != _NO_CONTENT or lengths <= {"0"})
    # With a length besides, or before HTTP/1.1, chunks are how responses are smuggled (RFC 9112, sections 6.1
    # and 6.3): read them, then drop the connection.
    return not codings or not (lengths or answer.version == _HTTP_1_0)


def header_pairs(answer: HTTPResponse) -> list[tuple[str, str]]:
    """List the answer's headers.

    Args:
        answer: The answer.

    Returns:
        Names and values in order, folded lines (RFC 9112, section 5.2) in one.
    """
    return [
        (name, " ".join(value.split()) if "\n" in value or "\r" in value else value)
        for name, value in answer.msg.items()
    ]
