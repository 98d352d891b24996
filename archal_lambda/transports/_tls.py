"""TLS: the context, read once, and a socket that is closed when its handshake fails.

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

__all__ = ["Once", "tls_context"]

T = TypeVar("T")

_PATIENCE = 1.0  # seconds


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


class _TlsSocket(ssl.SSLSocket):
    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        # Asked before the handshake alone, of a peer that is gone already; what this raises, ssl.py passes on without
        # closing the socket.
        try:
            return super().recv(buflen, flags)
        except ConnectionError:
            self.close()
            raise


def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """Make a context that trusts the certificates of a PEM file, or the system's."""
    context = create_urllib3_context()
    context.sslsocket_class = _TlsSocket
    if ca_file is None:
        context.load_default_certs()
        return context
    try:
        context.load_verify_locations(ca_file)
    except OSError:  # ssl.SSLError is one
        reason = "must name a readable PEM file of CA certificates"
        raise ConfigurationError("SSL_CERT_FILE", reason) from None
    return context
