"""Input of a connection, shared by the answers that come on it.

This module owns the buffer between the socket and whoever reads an answer. It must not wait by itself: how long a
read may take is for the connection to say.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Reader"]

_BUFFER = 16384  # bytes


class Reader(io.BufferedReader):
    """Input that answers share.

    Args:
        receive: Fills a buffer from its start with what has come, and returns the number of bytes.
    """

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._input = _Input(receive)
        super().__init__(self._input, _BUFFER)

    def buffered(self) -> bool:
        """Tell whether something came that nobody has read.

        Returns:
            True if the buffer is not empty; the socket is not asked.
        """
        self._input.probing = True  # makes peek() look at the buffer alone
        try:
            return bool(self.peek(1))
        finally:
            self._input.probing = False


class _Input(io.RawIOBase):
    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        super().__init__()
        self._receive = receive
        self.probing = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer, as in io
        return None if self.probing else self._receive(buffer)
