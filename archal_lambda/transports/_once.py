"""A value that is costly to make, made once for all threads.

This module owns the wait of one thread for another that makes it. It must not know what the value is.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Once"]

T = TypeVar("T")

_PATIENCE = 1.0  # seconds


class Once(Generic[T]):
    """A value made when it is first asked for.

    Args:
        make: Makes it; if that fails, the next who asks tries again.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: T | None = None

    def get(self, seconds: float) -> T:
        """Return the value.

        Args:
            seconds: How long another thread that makes it may be waited for.

        Returns:
            The value, the same for all.

        Raises:
            TimeoutError: If it takes longer.
            BaseException: What making it raises.
        """
        if self._made is not None:
            return self._made
        # The lock saves work, no more: whoever holds it may be a thread that a fork left behind.
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
