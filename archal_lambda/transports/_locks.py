"""Waits of one thread for another, in which neither a signal handler nor a forked process hangs.

This module owns what the plain tools of `threading` do not promise. A signal handler runs on the thread that it
interrupts, so a lock held there, be it the one inside an `Event`, is never given back while the handler waits for it. A
forked process has one thread, so a lock held by another is never given back either. It must not know what is guarded.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref

__all__ = ["SharedLock"]


class SharedLock:
    """A lock that saves work and guards nothing: its holder's signal handlers get it too, and a fork frees it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _all.add(self)

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:  # noqa: FBT001, FBT002 - as threading has it
        """Wait for the lock, so many seconds at most."""
        return self._lock.acquire(blocking, timeout)

    def release(self) -> None:
        """Let go of it."""
        # If its holder forked meanwhile, the child has another one, which it does not hold.
        with contextlib.suppress(RuntimeError):
            self._lock.release()

    def renew(self) -> None:
        """Begin anew, in a forked process."""
        self._lock = threading.RLock()


def _renew_all() -> None:
    for lock in list(_all):
        lock.renew()


_all: weakref.WeakSet[SharedLock] = weakref.WeakSet()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
