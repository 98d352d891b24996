"""TLS: the context, read once.

This module owns which certificates are trusted and the wait of one thread for another that reads them. It must not know
connections or deadlines.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Generic, TypeVar

from urllib3.util.ssl_ import create_urllib3_context

from archal_lambda.errors import ConfigurationError
from archal_lambda.transports._locks import SharedLock

__all__ = ["Once", "Trust", "tls_context"]

T = TypeVar("T")

_PATIENCE = 1.0  # seconds
_MAX_SESSIONS = 256  # origins; each session of clones has one of its own


class Once(Generic[T]):
    """A value made when it is first asked for, once for all threads; if that fails, the next who asks tries again."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = SharedLock()
        self._made: T | None = None

    def get(self, seconds: float) -> T:
        """Return the value; another thread that makes it is waited for `seconds`, then it is a `TimeoutError`."""
        if self._made is not None:
            return self._made
        # The lock saves work, no more: whoever holds it may be slow.
        locked = self._lock.acquire(timeout=min(seconds, _PATIENCE))
        try:
            if self._made is None:
                if not locked and seconds <= _PATIENCE:
                    raise TimeoutError("another thread did not end in time")
                self._made = self._make()
            return self._made
        finally:
            if locked:
                self._lock.release()


class Trust:
    """A context, and the sessions that were begun under it and may be gone on with (RFC 8446, section 2.2)."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        self._sessions: dict[str, ssl.SSLSession] = {}

    def session(self, origin: str) -> ssl.SSLSession | None:
        """Give the last session with an origin."""
        return self._sessions.get(origin)

    def forget(self, origin: str) -> None:
        """Begin anew with an origin: it may be its session that a server does not take any more."""
        self._sessions.pop(origin, None)

    def remember(self, origin: str, session: ssl.SSLSession | None) -> None:
        """Keep a session; the oldest go when there are too many."""
        if session is not None:
            self._sessions[origin] = session
            for oldest in list(self._sessions)[:-_MAX_SESSIONS]:
                self._sessions.pop(oldest, None)


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Make a context that trusts the certificates of a PEM file, or the system's."""
    context = create_urllib3_context()
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError:  # ssl.SSLError is one
        reason = "must name a readable PEM file of CA certificates"
        raise ConfigurationError("SSL_CERT_FILE", reason) from None
    return context
