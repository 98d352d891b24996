"""What an emulator tells, as the host's lines have it.

This module owns the fields, which `webhooks.mjs` fills. It must not do anything with them.
"""

from __future__ import annotations

import msgspec

__all__ = ["Told"]


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
