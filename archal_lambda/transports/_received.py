"""Bytes that came, between those who receive them and those who read them.

This module owns what is left unread. It must not know what the bytes mean, nor wait for more.
"""

from __future__ import annotations

__all__ = ["Received"]


class Received:
    """What came on a connection and was read by nobody yet."""

    __slots__ = ("_at", "_data", "_seen", "ended")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._seen = 0  # up to here there is no line feed
        self.ended = False

    def __len__(self) -> int:
        return len(self._data) - self._at

    def feed(self, data: bytes) -> None:
        """Add what came; nothing at all is the end."""
        if not data:
            self.ended = True
        elif self._at == len(self._data):
            self._data, self._at, self._seen = data, 0, 0
        else:
            self._seen -= self._at
            self._data, self._at = self._data[self._at :] + data, 0

    def line(self, limit: int) -> bytes | None:
        """Take up to the next line feed, or `limit` bytes, or what there is at the end; None if more must come."""
        data, at = self._data, self._at
        end = data.find(b"\n", max(at, self._seen), at + limit) + 1
        if not end:
            end = min(len(data), at + limit)
            if end < at + limit and not self.ended:
                self._seen = end
                return None
        self._at = end
        return data[at:end]

    def beginning(self, size: int) -> bytes:
        """Look at the first bytes, which stay."""
        return self._data[self._at : self._at + size]

    def some(self, limit: int) -> bytes | None:
        """Take up to `limit` bytes of what there is, nothing at the end; None if more must come."""
        data, at = self._data, self._at
        if at == len(data) and not self.ended:
            return None
        self._at = min(len(data), at + limit)
        return data[at : self._at]
