"""Time budgets: how long one call may take, and the moment by which it must be over.

This module owns the arithmetic of budgets. It never waits; the only clock it knows is the one passed in
(monotonic by default: wall clocks jump, and a deadline lives inside one invocation).
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

import math
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol, Self

import msgspec

__all__ = ["DEFAULT_TIMEOUT", "Deadline", "LambdaContext", "Timeout"]

_CONNECT = 3.0
_LONGEST = 1e9  # seconds; what sockets and locks can wait ends at 2**63 nanoseconds


class LambdaContext(Protocol):
    """The one part of AWS Lambda's context object that budgets need."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds left before Lambda stops the invocation.

        Returns:
            A whole number of milliseconds.
        """
        ...


LambdaContext.__module__ = "archal_lambda"  # outside: inside it would be a member of the protocol


class _Total(msgspec.Struct, frozen=True):
    total: float


class Timeout(_Total, frozen=True, kw_only=True):
    """The limits of one call, in seconds.

    Args:
        total: The whole call: retries, waits and the body included. Never unlimited.
        connect: Name resolution, TCP and TLS of one attempt together; None for no limit but `total`.
        read: The longest silence of the peer; None for no limit but `total`.

    Raises:
        ValueError: If a limit is not a finite number above 0, or `total` is None.
    """

    __module__ = "archal_lambda"

    connect: float | None = _CONNECT
    read: float | None = None

    def __post_init__(self) -> None:
        # Most are made of one float and defaults, which need no second look.
        if type(self.total) is not float or not 0 < self.total <= _LONGEST:
            msgspec.structs.force_setattr(self, "total", _seconds("total", self.total))
        if self.connect is not _CONNECT and self.connect is not None:
            msgspec.structs.force_setattr(self, "connect", _seconds("connect", self.connect))
        if self.read is not None:
            msgspec.structs.force_setattr(self, "read", _seconds("read", self.read))

    @classmethod
    def of(cls, value: "float | Timeout") -> "Timeout":
        """Accept a plain number of seconds where a `Timeout` is meant.

        Args:
            value: Seconds for the whole call, or a ready `Timeout`.

        Returns:
            A `Timeout`.

        Raises:
            ValueError: If the number is not finite and above 0, or None.
        """
        if type(value) is float:
            return _of_seconds(value)  # of many calls with one limit, it is checked once
        return value if isinstance(value, Timeout) else cls(value)


@lru_cache(maxsize=32)
def _of_seconds(total: float) -> Timeout:
    return Timeout(total)


class Deadline(msgspec.Struct, frozen=True):
    """A moment after which nothing may be waited for.

    Args:
        at: The moment, on the scale of `clock`, in seconds.
        clock: Returns the current moment in seconds.
    """

    __module__ = "archal_lambda"

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> Self:
        """Set a deadline relative to now.

        Args:
            seconds: How far away it is; 0 or less is already over.
            clock: Returns the current moment in seconds.

        Returns:
            The deadline.
        """
        return cls(clock() + seconds, clock)

    @classmethod
    def from_context(
        cls,
        context: LambdaContext,
        *,
        reserve: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> Self:
        """Derive the deadline from what Lambda leaves the invocation.

        Args:
            context: The context object of the invocation.
            reserve: Seconds kept back in which to answer.
            clock: Returns the current moment in seconds.

        Returns:
            The deadline; already over if less than the reserve is left.

        Raises:
            ValueError: If the reserve is negative or not a finite number.
        """
        if not (math.isfinite(reserve) and reserve >= 0):
            raise ValueError("reserve must be a number of seconds, 0 or more")
        return cls.after(context.get_remaining_time_in_millis() / 1000 - reserve, clock=clock)

    def remaining(self) -> float:
        """Return the time left.

        Returns:
            Seconds, never below 0.
        """
        left = self.at - self.clock()
        return left if left > 0 else 0.0

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining() == 0

    def within(self, seconds: float | None) -> "Deadline":
        """Tighten the deadline.

        Args:
            seconds: A limit counted from now; None leaves the deadline as it is.

        Returns:
            The earlier of this deadline and now plus `seconds`, on the same clock.
        """
        if seconds is None:
            return self
        at = self.clock() + seconds
        return Deadline(at, self.clock) if at < self.at else self

    def __repr__(self) -> str:
        return f"<Deadline in {self.remaining():.3f} s>"


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"timeout {name} must be a number of seconds, not {type(value).__name__}")  # noqa: TRY004 - one error for every bad limit
    if not 0 < value <= _LONGEST:
        raise ValueError(f"timeout {name} must be a finite number of seconds above 0")
    return float(value)


# 15 s is the cap that Archal's own guide to direct calls advises (docs.archal.ai, guides/direct-api-access).
DEFAULT_TIMEOUT = Timeout(15.0)
