"""Idle connections, kept for the next call.

This module owns which connection is used again and for how long. It must not open one, nor know what travels on
it.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from archal_lambda.transports._wire import Wire

__all__ = ["IdleWires"]

_Stacks = dict[str, "deque[tuple[Wire, float]]"]


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
            # Below 0 the clock was set back, and the age is unknown.
            while stack and not 0 <= now - stack[0][1] < self._max_seconds:
                stack.popleft()[0].close()
            while stack:
                wire, _ = stack.pop()
                if self._usable(wire):
                    return wire
                wire.close()
        return None

    def put(self, origin: str, wire: Wire) -> None:
        """Keep a connection for later.

        Args:
            origin: Scheme, host and port.
            wire: A connection whose last answer was read to its end.
        """
        with self._lock:
            self._stacks.setdefault(origin, deque()).append((wire, self._wall_clock()))

    def close(self) -> None:
        """Close every connection kept."""
        with self._lock:
            _close_all(self._stacks)


def _close_all(stacks: _Stacks) -> None:
    for stack in stacks.values():
        while stack:
            stack.pop()[0].close()
