"""Names to addresses, in bounded time.

This module owns the wait for the resolver, which has no timeout of its own. It must not open a socket.
"""

from __future__ import annotations

import socket
import threading
from typing import Any

__all__ = ["Address", "resolve"]

Address = tuple[Any, ...]


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Resolve a name.

    Args:
        host: A host name or address; for an address nothing is asked of a resolver.
        port: The port.
        seconds: How long it may take.

    Returns:
        What `socket.getaddrinfo` gives for TCP.

    Raises:
        TimeoutError: If it takes longer.
        OSError: If the name does not resolve.
    """
    if _is_address(host):
        return _look_up(host, port)
    # getaddrinfo() takes no timeout. Its thread is left behind if it hangs, and ends when the C library's own
    # limits do; it holds nothing but the name.
    results: list[list[Address] | OSError] = []

    def run() -> None:
        try:
            results.append(_look_up(host, port))
        except OSError as error:
            results.append(error)
        except UnicodeError:
            results.append(OSError("the host is no valid name"))

    thread = threading.Thread(target=run, name="archal-lambda-resolve", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise OSError("no thread could be started to resolve the name") from None
    thread.join(seconds)
    if not results:
        raise TimeoutError("the name was not resolved in time")
    if isinstance(results[0], OSError):
        raise results[0]
    return results[0]


def _look_up(host: str, port: int) -> list[Address]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True
