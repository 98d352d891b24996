"""Input of a connection, shared by the answers that come on it.

This module owns the buffer between the socket and whoever reads an answer. It must not wait by itself: how long a
read may take is for the connection to say.
"""

from __future__ import annotations

import errno
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Reader"]

_BUFFER = 16384  # bytes


class Reader(io.BufferedReader):
    """Input that answers share: each of them closes it, none may.

    Args:
        receive: Fills a buffer from its start with what has come, and returns the number of bytes.
    """

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._input = _Input(receive)
        super().__init__(self._input, _BUFFER)

    def close(self) -> None:
        """Do nothing: the next answer comes the same way."""

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line.

        Args:
            size: The most bytes to read.

        Returns:
            The line with its end, or what there was of it.

        Raises:
            ConnectionError: If it holds a bare CR or a NUL.
        """
        line = super().readline(size)
        # A bare CR would begin another header for http.client, and for nobody else (RFC 9112, section 2.2).
        if b"\r" in line[:-2] or b"\0" in line:
            raise ConnectionError(errno.EPROTO, "a line holds a control character")
        return line

    def allow(self, size: int | None) -> None:
        """Set how much more may come.

        Args:
            size: Bytes, beyond which reading fails with a ConnectionError; None for no limit.
        """
        self._input.allowance = size

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
        self.allowance: int | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer, as in io
        if self.probing:
            return None
        received = self._receive(buffer)
        if self.allowance is not None:
            self.allowance -= received
            if self.allowance < 0:
                raise ConnectionError(errno.EPROTO, "the header section is too large")
        return received
