"""What the lines of the Node process say.

This module owns their fields, which `host.mjs` and `webhooks.mjs` fill. It must not do anything with them.
"""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = ["Line", "Made", "Told"]


class Told(msgspec.Struct, frozen=True):
    """What an instance tells: to everybody, or to the URL of one hook."""

    instance: int
    body: str
    event: str = ""
    action: str | None = None
    send: int | None = None  # what the result is told by
    url: str = ""
    hook: int = 0
    secret: str | None = None
    delivery: int | None = None
    form: bool = False
    given: tuple[tuple[str, str], ...] | None = None  # headers as they are to be

    def __repr__(self) -> str:
        return f"Told({self.instance}, {self.event!r})"  # the rest may be secret


class Made(msgspec.Struct, frozen=True):
    """An instance that listens."""

    instance: int
    port: int
    key: str

    def __repr__(self) -> str:
        return f"Made({self.instance}, {self.port})"  # the key is secret


class Line(msgspec.Struct, frozen=True):
    """An answer, or something told."""

    id: int = 0
    done: Any = None
    error: str | None = None
    told: Told | None = None
