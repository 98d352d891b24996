"""Bodies: what a caller gives to send, and a response's that is looked at as it comes, such as an event stream.

This module owns what becomes of the one, and what a transport has to know of whoever looks at the other. It must not
know what a body means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from archal_lambda.core.headers import Headers
from archal_lambda.core.json import encode_finite
from archal_lambda.core.url import ParamsInput, encode_form

__all__ = ["BodyReader", "Reading", "encode_body"]


class BodyReader(Protocol):
    """Looks at one response's body, piece by piece."""

    over: bool
    """Whether it needs no more: the transport then lets go of the connection, and gives what came until then."""

    def feed(self, piece: bytes) -> Sequence[bytes]:
        """Look at the next piece; give the bodies of requests to send to the same address before reading on."""
        ...


class Reading(NamedTuple):
    """What a request carries for the sake of its response, beside what travels."""

    operation: str
    """What the call does, in words for a `CallRecord`."""
    begin: Callable[[int, Headers], BodyReader | None]
    """Makes a reader of a response by its status and headers, anew if it is asked again; None leaves the body alone."""


def _typed(name: str) -> tuple[str, bytes]:
    return name, f"Content-Type: {name}\r\n".encode()


_JSON, _FORM = _typed("application/json"), _typed("application/x-www-form-urlencoded")


def encode_body(
    json: object, form: ParamsInput | None, content: bytes | str | None
) -> tuple[bytes, tuple[str, bytes] | None]:
    """Encode the one body that is given; give besides its media type, and the header that says so."""
    if (json is not None) + (form is not None) + (content is not None) > 1:
        raise ValueError("give at most one of json, form and content")
    if json is not None:
        return encode_finite(json, what="json"), _JSON
    if form is not None:
        return encode_form(form).encode(), _FORM
    if content is None:
        return b"", None
    if isinstance(content, str):
        return content.encode(), None
    if isinstance(content, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        return bytes(content), None
    raise TypeError("content must be bytes or a string")
