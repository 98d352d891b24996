"""Names to addresses, in bounded time.

This module owns the wait for the resolver, which has no timeout of its own. It must not open a socket.
"""

from __future__ import annotations

import copy
import os
import socket
import threading
import time
from typing import Any

__all__ = ["Address", "resolve"]

Address = tuple[Any, ...]

# Calls that need a name at the same time share one lookup, so that a resolver that hangs holds one thread for all of
# them. One that takes longer is joined by nobody: its question may be lost, and a new one answered at once.
_SHARED_SECONDS = 1.0


def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Resolve a name to what `socket.getaddrinfo` gives for TCP; a `TimeoutError` if it takes longer.

    For an address nothing is asked of a resolver.
    """
    if _is_address(host):
        return _look_up(host, port)
    lookup = _shared(host, port)
    if not lookup.over.wait(seconds):
        raise TimeoutError("the name was not resolved in time")
    if isinstance(lookup.outcome, OSError):
        raise copy.copy(lookup.outcome)  # each thread adds its frames to what it raises
    return lookup.outcome


class _Lookup:
    """A question to the resolver, on a thread of its own.

    The thread is left behind if it hangs, and ends when the C library's own limits do; it holds nothing but the name.
    """

    def __init__(self, host: str, port: int) -> None:
        self._key = host, port
        # Not monotonic: that clock stands still while Lambda freezes the process, and the answer is lost meanwhile.
        self._began = time.time()
        self.over = threading.Event()
        self.outcome: list[Address] | OSError = OSError("the resolver failed")
        threading.Thread(target=self._run, name="archal-lambda-resolve", daemon=True).start()

    def joinable(self) -> bool:
        return 0 <= time.time() - self._began < _SHARED_SECONDS and not self.over.is_set()

    def _run(self) -> None:
        try:
            self.outcome = _look_up(*self._key)
        except OSError as error:
            self.outcome = error.with_traceback(None)
        except UnicodeError:
            self.outcome = OSError("the host is not a valid name")
        finally:
            self.over.set()
            with _lock:
                if _under_way.get(self._key) is self:
                    del _under_way[self._key]


def _shared(host: str, port: int) -> _Lookup:
    with _lock:
        lookup = _under_way.get((host, port))
        if lookup is None or not lookup.joinable():
            try:
                lookup = _under_way[host, port] = _Lookup(host, port)
            except RuntimeError:
                raise OSError("no thread could be started to resolve the name") from None
        return lookup


def _look_up(host: str, port: int) -> list[Address]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True


def _forget() -> None:
    global _lock  # noqa: PLW0603 - another thread of the parent may hold it
    _lock = threading.Lock()
    _under_way.clear()


_lock = threading.Lock()
_under_way: dict[tuple[str, int], _Lookup] = {}
# The threads of the parent are not in a forked process.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
