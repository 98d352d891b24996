"""A body that is looked at as it comes, such as an event stream: what a transport has to know of whoever looks.

This module owns that seam. It must not know what the body means.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from archal_lambda.core.headers import Headers

__all__ = ["BodyReader", "Reading"]


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
    """Makes a reader of a response by its status and headers; None leaves the body alone."""
