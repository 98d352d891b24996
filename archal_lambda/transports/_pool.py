"""Idle connections, kept for the next call.

This module owns which connection is used again and for how long. It must not open one, nor know what travels on it.

Age is wall-clock time: the monotonic clock stands still while Lambda freezes the process, and the peer's does not. The
one used last is used first, so that the others grow old and are closed. Four things end a connection that is kept: its
age, bytes that arrived unasked, a fork (a child would read its parent's responses), and a restore from a snapshot.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from importlib import import_module

from archal_lambda.transports._connection import Connection

__all__ = ["ConnectionPool"]

_Entry = tuple[Connection, float]
_Stacks = dict[str, "deque[_Entry]"]


class ConnectionPool:
    """Idle connections by origin (scheme, host and port).

    `usable` tells whether a connection is still in step with its peer; one of `max_seconds` or more is not used again.
    """

    def __init__(
        self,
        *,
        usable: Callable[[Connection], bool],
        max_seconds: float,
        wall_clock: Callable[[], float],
    ) -> None:
        self._usable = usable
        self._max_seconds = max_seconds
        self._wall_clock = wall_clock
        self._stacks: _Stacks = {}
        self._lock = threading.Lock()
        # A client that is dropped unclosed must not leave its sockets to the garbage collector.
        weakref.finalize(self, _close_all, self._stacks)
        _all.add(self)

    def take(self, origin: str) -> Connection | None:
        """Take the freshest usable connection, the caller's from now on; those too old or out of step are closed."""
        with self._lock:
            stack = self._stacks.get(origin)
            if not stack:
                return None
            now = self._wall_clock()
            while stack and not self._fresh(stack[0], now):
                stack.popleft()[0].close()
            while stack:
                entry = stack.pop()
                if self._fresh(entry, now) and self._usable(entry[0]):
                    return entry[0]
                entry[0].close()
        return None

    def put(self, origin: str, connection: Connection) -> None:
        """Keep a connection whose last response was read to its end."""
        with self._lock:
            self._stacks.setdefault(origin, deque()).append((connection, self._wall_clock()))

    def _fresh(self, entry: _Entry, now: float) -> bool:
        # Below 0 the clock was set back, and the age is unknown.
        return 0 <= now - entry[1] < self._max_seconds

    def unlock(self) -> None:
        """Begin anew with the lock, in a forked process."""
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection kept."""
        with self._lock:
            _close_all(self._stacks)


def _close_all(stacks: _Stacks) -> None:
    for stack in stacks.values():
        while stack:
            stack.pop()[0].close()


def _drop_all() -> None:
    for idle in list(_all):
        idle.close()


def _drop_inherited() -> None:
    for idle in list(_all):
        idle.unlock()  # another thread of the parent may have held the lock
        idle.close()


_all: weakref.WeakSet[ConnectionPool] = weakref.WeakSet()
# A connection inherited by a forked process is the parent's: both would read each other's responses.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_inherited)
# Lambda SnapStart: connections opened before the snapshot are dead after a restore, and nobody says so.
with contextlib.suppress(ImportError):
    import_module("snapshot_restore_py").register_after_restore(_drop_all)
