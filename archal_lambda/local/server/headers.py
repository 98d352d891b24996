"""Rules about header fields that cross the proxy, as pure functions on raw ASGI headers.

This module owns which fields are stopped in either direction and how `Link`, `Location` and `Content-Location` are
moved from the service's origin to the clone's public base. It must not touch anything else: repeated fields, their
order and their bytes stay as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RawHeaders", "end_to_end", "for_caller", "for_clone", "public_reference"]

RawHeaders = list[tuple[bytes, bytes]]

# Fields of one connection only (RFC 9110, section 7.6.1; RFC 2616, section 13.5.1).
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
# Without which no request goes on, whatever `Connection` says.
_NEEDED = frozenset({b"host", b"content-length"})
# Prefixes of the fields Archal keeps to itself (Archal docs, guides/direct-api-access).
_ROUTE_CONTROL = (b"x-route-", b"x-archal-")
_URI_FIELDS = frozenset({b"location", b"content-location"})
_LINK_TARGET = re.compile(rb"<([^>]*)>")


def end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Drop the hop-by-hop fields, including those named by `Connection`."""
    pairs = [(name.lower(), value) for name, value in headers]
    listed = b",".join(value for name, value in pairs if name == b"connection")
    stopped = _HOP_BY_HOP | {option.strip().lower() for option in listed.split(b",")} - _NEEDED
    return [(name, value) for name, value in pairs if name not in stopped]


def for_clone(headers: RawHeaders, *, host: str, length: int) -> RawHeaders:
    """Make the request headers that the clone sees; the service's own `Authorization` is among them, untouched."""
    kept: RawHeaders = []
    chunked = any(name.lower() == b"transfer-encoding" for name, _ in headers)
    for name, value in end_to_end(headers):
        if name.startswith(_ROUTE_CONTROL):
            continue
        kept.append((name, host.encode("ascii") if name == b"host" else value))
    if not any(name == b"host" for name, _ in kept):  # which HTTP/1.0 may leave out
        kept.append((b"host", host.encode("ascii")))
    if chunked:
        # The body is whole by now.
        kept = [pair for pair in kept if pair[0] != b"content-length"]
        kept.append((b"content-length", str(length).encode("ascii")))
    return kept


def for_caller(headers: Iterable[tuple[bytes, bytes]], *, host: str, base: str) -> RawHeaders:
    """Make the response headers that the caller sees; references to the clone's origin point to its public base."""
    moved: RawHeaders = []
    for name, value in end_to_end(headers):
        if name in _URI_FIELDS:
            moved.append((name, public_reference(value, host=host, base=base)))
        elif name == b"link":
            moved.append((name, _public_link(value, host=host, base=base)))
        else:
            moved.append((name, value))
    return moved


def public_reference(reference: bytes, *, host: str, base: str) -> bytes:
    """Move a URI reference from the service's origin to the public base; other origins and relative paths stay."""
    # It may be absolute, `//host/…`, root-relative or relative (RFC 3986, section 4.2).
    public = base.encode("ascii")
    origin = re.compile(
        rb"(?:https?:)?//" + re.escape(host.encode("ascii")) + rb"(?=[/?#]|$)", re.IGNORECASE
    )
    if match := origin.match(reference):
        return public + reference[match.end() :]
    if reference.startswith(b"/") and not reference.startswith(b"//"):
        return public + reference
    return reference


def _public_link(value: bytes, *, host: str, base: str) -> bytes:
    # A Link value is `<target>; rel=…, <target>; …` (RFC 8288, section 3).
    def move(match: re.Match[bytes]) -> bytes:
        return b"<" + public_reference(match[1], host=host, base=base) + b">"

    return _LINK_TARGET.sub(move, value)
