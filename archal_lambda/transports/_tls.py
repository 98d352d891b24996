"""TLS: the context, read once.

This module owns which certificates are trusted and the wait of one thread for another that reads them. It must not know
connections or deadlines.
"""

from __future__ import annotations

import contextlib
import os
import ssl
from collections.abc import Callable
from typing import Generic, TypeVar

from urllib3.util.ssl_ import create_urllib3_context

from archal_lambda.core.settings import process_variable
from archal_lambda.core.snapshot import at_restore, at_snapshot
from archal_lambda.errors import ConfigurationError
from archal_lambda.transports._locks import SharedLock

__all__ = ["Once", "Secured", "Trust", "tls_context"]

T = TypeVar("T")

_PATIENCE = 1.0  # seconds
_RECORD_HEAD = 5  # bytes; type, version and length
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


class Secured:
    """One TLS connection without I/O: records go in and out, the socket is somebody else's."""

    def __init__(self, trust: Trust, host: str, origin: str) -> None:
        self._trust, self._origin = trust, origin
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        # A name with its last dot is the same name, but not in a certificate (RFC 6066, section 3).
        self._tls = trust.context.wrap_bio(
            self._incoming,
            self._outgoing,
            server_hostname=host.removesuffix("."),
            session=trust.session(origin),
        )
        self._left = 0  # bytes of a record that has begun
        self._head = b""  # part of the head of the next
        self.write = self._tls.write

    def shake_hands(self) -> bool:
        """Go on with the handshake; tell whether it is done, else more must come."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, most: int) -> bytes | None:
        """Read what is there, nothing at the end; None if more must come."""
        try:
            return self._tls.read(most)
        except ssl.SSLWantReadError:
            return None

    def to_send(self) -> bytes:
        """Take the records that are ready."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def feed(self, raw: bytes) -> None:
        """Add what came; nothing at all is the end."""
        if not raw:
            self._incoming.write_eof()
            return
        self._incoming.write(raw)
        # OpenSSL does not tell of half a record: their ends are found here (RFC 8446, section 5.1).
        data, at = self._head + raw, self._left
        while len(data) - at >= _RECORD_HEAD:
            at += _RECORD_HEAD + int.from_bytes(data[at + 3 : at + _RECORD_HEAD])
        self._left = max(at - len(data), 0)
        self._head = data[at:]

    def leftover(self) -> bool:
        """Tell whether more came than was read, if only half a record."""
        if self._left or self._head:
            return True
        if not (self._incoming.pending or self._tls.pending()):
            return False
        try:
            return (
                self.read(1) is not None
            )  # None: a record that holds nothing, such as a session ticket
        except ssl.SSLError:
            return True

    def remember(self) -> None:
        """Keep the session for the next connection. Its tickets come with a response."""
        self._trust.remember(self._origin, self._tls.session)

    def forget(self) -> None:
        """Let the next connection begin anew."""
        self._trust.forget(self._origin)


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Give a context that trusts the certificates of a PEM file, or the system's."""
    return _in_snapshot.get(ca_file) or _made(ca_file)


def _made(ca_file: str | None) -> ssl.SSLContext:
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


def _prime() -> None:
    """Read the certificates that this process trusts: nothing else of a first call takes as long."""
    ca_file = process_variable("SSL_CERT_FILE") or None
    with contextlib.suppress(ConfigurationError):  # the call that needs them says it
        _in_snapshot[ca_file] = _made(ca_file)


def _reseed() -> None:
    """Mix in new randomness: OpenSSL's generator, seeded before the snapshot, is the same in each restored copy."""
    ssl.RAND_add(os.urandom(32), 32.0)


_in_snapshot: dict[str | None, ssl.SSLContext] = {}  # by CA file
at_snapshot(_prime)
at_restore(_reseed)
