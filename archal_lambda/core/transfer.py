"""What travelled for one attempt, and how long each part of it took.

This module owns the figures alone. It must not measure anything.
"""

from __future__ import annotations

from itertools import pairwise

import msgspec

__all__ = ["Transfer"]


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one attempt.

    Args:
        reused: Whether the connection was there already.
        bytes_sent: Bytes of the request, headers included, that were handed to the connection.
        bytes_received: Bytes that came, before any decoding.
        marks: The phases that were entered and when, in seconds, closed by the last one and when it ended.
    """

    reused: bool
    bytes_sent: int
    bytes_received: int
    marks: tuple[tuple[str, float], ...]

    @property
    def phases(self) -> dict[str, float]:
        """Seconds in each phase, in order.

        `resolve`, `connect`, `tls`, `send`, `headers` (the wait for the answer), `body`.
        """
        # Worked out when it is asked for: every call has figures, few are looked at.
        return {phase: end - at for (phase, at), (_, end) in pairwise(self.marks)}
