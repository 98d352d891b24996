"""What is delivered, to whom, and what came of it.

This module owns the values that clones, the engine and the carriers pass on. It must not do anything with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Protocol

from archal_lambda.core.secrets import Secret

__all__ = ["Carrier", "Hook", "Job", "Message", "Pairs", "Result"]

Pairs = tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a clone tells, the same for everybody."""

    service: str  # whose headers and signature it has
    event: str
    action: str | None = None
    body: bytes = dataclasses.field(repr=False)
    id: str | None = None  # where the service gives one id to all that are told
    about: int | None = None  # of GitHub, the repository's id
    given: Pairs | None = dataclasses.field(
        default=None, repr=False
    )  # headers that are signed already


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """Where a clone's own hook sends to."""

    id: int
    url: str = dataclasses.field(repr=False)
    secret: Secret | None = None
    form: bool = False  # as `payload=…`, which GitHub calls its content type `form`
    insecure: bool = False  # whether a certificate of anybody's will do


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one attempt."""

    status: int | None = None
    error: str | None = None  # the type of an exception, or a few words of ours
    headers: Pairs = dataclasses.field(default=(), repr=False)
    body: bytes = dataclasses.field(default=b"", repr=False)
    seconds: float = 0.0


class Carrier(Protocol):
    """Brings one delivery to its target, on a thread of its own."""

    timeout: float  # seconds until it is given up

    def carry(self, headers: Pairs, body: bytes) -> Result:
        """Bring it, and tell what came of it."""
        ...

    def abandon(self) -> None:
        """Let go, from another thread: nobody waits any more."""
        ...


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One delivery on its way."""

    message: Message
    owner: tuple[str, str]  # session and clone
    hook: Hook
    target: str  # as it is shown
    lane: str  # deliveries of one lane keep their order
    make_carrier: Callable[[], Carrier] = dataclasses.field(repr=False)
    id: str
    attempt: int = 1
    depth: int = 0  # how many deliveries led to it
    done: Callable[[Job, Pairs, Result], None] | None = dataclasses.field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What it is, for people."""
        return f"{self.owner[1]} {self.message.event} to {self.target}"
