"""Event streams (WHATWG HTML, "Server-sent events") to the data of their events.

This module owns that form alone. It must not wait for anything, nor know what the data means.
"""

from __future__ import annotations

__all__ = ["Events"]

_BOM = b"\xef\xbb\xbf"


class Events:
    """Takes a stream piece by piece, cut anywhere, and gives the data of each event that is complete."""

    def __init__(self) -> None:
        self._line: list[
            bytes
        ] = []  # what there is of the next line; joined once, however many pieces it has
        self._after_cr = False  # a line feed right behind a carriage return is part of the same end
        self._begun = False
        self._type = b""
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> list[bytes]:
        """Take what came; give the data of the messages that it completes, of which those without data are none."""
        if not piece:
            return []
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._after_cr = False
        self._line.append(piece)
        if self._begun and not (b"\n" in piece or b"\r" in piece):
            return []
        text = b"".join(self._line)
        if not self._begun:
            if len(text) < len(_BOM) and _BOM.startswith(text):
                return []
            text, self._begun = text.removeprefix(_BOM), True
        self._after_cr = text.endswith(b"\r")
        lines = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        self._line = [lines.pop()]
        found: list[bytes] = []
        for line in lines:
            self._take(line, found)
        return found

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if not line:
            if self._data and self._type in {b"", b"message"}:
                found.append(b"\n".join(self._data))
            self._type, self._data = b"", []
            return
        name, _, value = line.partition(b":")  # a comment has no name
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._type = value
