"""A hold on an exchange under way, for ending it from another thread.

This module owns who may touch a connection while it is handed from one call to the next. It must not open, close or
reuse one.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.transports._wire import Wire

__all__ = ["Leash"]


class Leash:
    """Ties one call to the connection it is on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wire: Wire | None = None
        self._cut = False

    def tie(self, wire: Wire) -> None:
        """Begin; called by the thread that makes the call.

        Args:
            wire: The connection, open or not.

        Raises:
            ConnectionAbortedError: If the call was given up before it began.
        """
        with self._lock:
            if self._cut:
                raise ConnectionAbortedError("the call was cancelled")
            self._wire = wire

    def untie(self) -> None:
        """End; from here on the connection may be another call's."""
        with self._lock:
            self._wire = None

    def cut(self) -> None:
        """Give the call up: what waits on its connection fails at once. Any thread may do so, at any time."""
        with self._lock:
            self._cut = True
            if self._wire is not None:
                self._wire.abort()
