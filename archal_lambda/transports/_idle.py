"""Idle connections, kept for the next call.

This module owns which connection is used again and for how long. It must not open one, nor know what travels on
it.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import deque
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from archal_lambda.transports._wire import Wire

__all__ = ["IdleWires"]

_Entry = tuple["Wire", float]
_Stacks = dict[str, "deque[_Entry]"]


class IdleWires:
    """Idle connections by origin; the one used last is used first.

    Args:
        usable: Tells whether a connection is still in step with its peer.
        max_seconds: Oldest connection used again.
        wall_clock: Returns the time of day in seconds.
    """

    def __init__(
        self,
        *,
        usable: Callable[[Wire], bool],
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

    def take(self, origin: str) -> Wire | None:
        """Take the freshest usable connection; those too old or out of step are closed.

        Args:
            origin: Scheme, host and port.

        Returns:
            A connection that now belongs to the caller, or None.
        """
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

    def put(self, origin: str, wire: Wire) -> None:
        """Keep a connection for later.

        Args:
            origin: Scheme, host and port.
            wire: A connection whose last answer was read to its end.
        """
        with self._lock:
            self._stacks.setdefault(origin, deque()).append((wire, self._wall_clock()))

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


_all: weakref.WeakSet[IdleWires] = weakref.WeakSet()
# A connection inherited by a forked process is the parent's: both would read each other's answers.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_inherited)
# Lambda SnapStart: connections opened before the snapshot are dead after a restore, and nobody says so.
with contextlib.suppress(ImportError):
    import_module("snapshot_restore_py").register_after_restore(_drop_all)
