"""What became of a call, for whoever watches.

This module owns the record of a call and its figures. It must not measure anything, and no record may contain a
header, a body or a query string.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

from itertools import pairwise
from typing import Protocol

import msgspec

__all__ = ["CallHook", "CallRecord", "Transfer", "log_fields"]


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """What travelled for one attempt, and how long each part of it took.

    Args:
        reused: Whether the connection was there already.
        bytes_sent: Bytes of the request, headers included, that were handed to the connection.
        bytes_received: Bytes that came, before any decoding.
        marks: The phases that were entered and when, in seconds, closed by the last one and when it ended.
    """

    __module__ = "archal_lambda"

    reused: bool
    bytes_sent: int
    bytes_received: int
    marks: tuple[tuple[str, float], ...]

    @property
    def phases(self) -> dict[str, float]:
        """Seconds in each phase, in order.

        `resolve`, `connect`, `tls`, `send`, `headers` (the wait for the response), `body`.
        """
        # Worked out when it is asked for: every call has figures, few are looked at.
        return {phase: end - at for (phase, at), (_, end) in pairwise(self.marks)}


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call to a clone, as it ended.

    Args:
        clone: The clone's id.
        method: The HTTP method.
        path: The path below the clone's base, without query.
        status_code: The status of the response, or None if there was none.
        error: The name of the error's class, or None if there was a response.
        sent: Whether the request may have reached the clone.
        attempts: How often it was tried.
        elapsed: Seconds the call took in all.
        time_left: Seconds left of the deadline the client works under, or None without one.
        transfer: Phases, bytes and reuse of the last attempt, where the transport measured them.
    """

    __module__ = "archal_lambda"

    clone: str
    method: str
    path: str
    status_code: int | None
    error: str | None
    sent: bool
    attempts: int
    elapsed: float
    time_left: float | None
    transfer: Transfer | None = None


class CallHook(Protocol):
    """Told of each call when it is over, on the thread or in the event loop that made it: any function of a record."""

    def __call__(self, record: CallRecord, /) -> None:
        """Take note of a call.

        Args:
            record: The call, as it ended.
        """
        ...


CallHook.__module__ = "archal_lambda"  # outside: inside it would be a member of the protocol


def log_fields(record: CallRecord) -> dict[str, object]:
    """Write a record as the fields of a structured log line, durations in milliseconds, without what is not known."""
    left = record.time_left
    fields: dict[str, object] = {
        "clone": record.clone,
        "method": record.method,
        "path": record.path,
        "status": record.status_code,
        "error": record.error,
        "attempts": record.attempts,
        "duration_ms": round(record.elapsed * 1000, 1),
        "time_left_ms": None if left is None else round(left * 1000),
    }
    if record.transfer is not None:
        fields["reused"] = record.transfer.reused
        fields["phases_ms"] = {
            phase: round(seconds * 1000, 1) for phase, seconds in record.transfer.phases.items()
        }
    return {name: value for name, value in fields.items() if value is not None}
