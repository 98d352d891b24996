"""Processes of invocations that run side by side, and their common end.

This module owns which of them run. It must not start one.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["Children"]

_END_LIMIT = 10  # seconds for what a handler does when it is interrupted


class Children:
    """The processes of invocations, which another thread can end.

    Example:
        >>> from archal_lambda.invoke import Children, Function
        >>> children = Children()
        >>> Function("platform.python_implementation").invoke({}, children=children, capture=True).result is None
        True
        >>> children.end()
    """

    __module__ = "archal_lambda.invoke"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._ended = False

    @contextmanager
    def watch(self, child: subprocess.Popen[str]) -> Generator[None]:
        """Count a process among them while the block runs.

        Args:
            child: The process.
        """
        with self._lock:
            self._running.add(child)
            late = self._ended
        if late:
            child.kill()
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(child)

    def end(self) -> None:
        """Interrupt all of them, and kill those that have not ended after ten seconds.

        One that starts later is killed at once.
        """
        with self._lock:
            self._ended = True
            running = list(self._running)
        for child in running:
            child.terminate()
        until = time.monotonic() + _END_LIMIT
        while self._running and time.monotonic() < until:
            time.sleep(0.01)
        self.kill()

    def kill(self) -> None:
        """Kill all of them."""
        # Without the lock: a signal's handler may come here while its thread holds it.
        for child in list(self._running):
            child.kill()
