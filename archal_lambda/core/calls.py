"""What all calls of a client have in common, and the record of each.

This module owns a client's terms: route, limits, deadline, and who is told. It must not send anything, and no
record may hold a header, a body or a query string.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import msgspec

from archal_lambda.core.response import Response

if TYPE_CHECKING:
    from archal_lambda.core.deadline import Deadline, Timeout
    from archal_lambda.core.exchange import Plan
    from archal_lambda.core.headers import Headers
    from archal_lambda.core.request import Request
    from archal_lambda.core.transfer import Transfer
    from archal_lambda.errors import TransportError

__all__ = ["AsyncCredentials", "CallHook", "CallRecord", "Credentials", "Terms", "log_fields"]

P = TypeVar("P")


class CallRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One call to a clone, as it ended.

    Args:
        clone: The clone's id.
        method: The HTTP method.
        path: The path below the clone's base, without query.
        status_code: The status of the answer, or None if there was none.
        error: The name of the error's class, or None if there was an answer.
        sent: Whether the request may have reached the clone.
        attempts: How often it was tried.
        elapsed: Seconds the call took in all.
        time_left: Seconds left of the deadline the client works under, or None without one.
        transfer: Phases, bytes and reuse of the last attempt, where the transport measured them.
    """

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


def log_fields(record: CallRecord) -> dict[str, object]:
    """Write a record as the fields of a structured log line.

    Args:
        record: The call.

    Returns:
        Names and values, durations in milliseconds; what is not known is left out.
    """
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


CallHook = Callable[[CallRecord], None]


class Credentials(Protocol):
    """Gives the headers that prove who calls."""

    def headers(self, deadline: Deadline) -> Headers:
        """Return the headers for a request.

        Args:
            deadline: When they must be there, if they have to be fetched.

        Returns:
            The headers.

        Raises:
            ConfigurationError: If there are none to be had.
            RequestTimeout: If they were not there by the deadline.
        """
        ...

    def renew(self, refused: Headers, deadline: Deadline) -> bool:
        """Look for newer ones, because some were refused.

        Args:
            refused: What was refused.
            deadline: When this must be over.

        Returns:
            True if there are others now.
        """
        ...


class AsyncCredentials(Protocol):
    """Gives the headers that prove who calls, without holding up an event loop."""

    async def headers(self, deadline: Deadline) -> Headers:
        """Return the headers for a request; see `Credentials`.

        Args:
            deadline: When they must be there, if they have to be fetched.

        Returns:
            The headers.

        Raises:
            ConfigurationError: If there are none to be had.
            RequestTimeout: If they were not there by the deadline.
        """
        ...

    async def renew(self, refused: Headers, deadline: Deadline) -> bool:
        """Look for newer ones, because some were refused.

        Args:
            refused: What was refused.
            deadline: When this must be over.

        Returns:
            True if there are others now.
        """
        ...


class Terms(msgspec.Struct, Generic[P], frozen=True, kw_only=True):
    """What all calls of a client have in common.

    Args:
        credentials: What proves to Archal who calls: `Credentials`, or `AsyncCredentials` to await.
        timeout: The limits of a call that gives none.
        plan: What may be tried again.
        on_call: Told of each call, or None.
        trace: Gives the headers that carry a trace on, for each call, or None.
        deadline: When all calls must be over, or None.
    """

    credentials: P
    timeout: Timeout
    plan: Plan
    on_call: CallHook | None = None
    trace: Callable[[], Mapping[str, str]] | None = None
    deadline: Deadline | None = None

    def capped(self, deadline: Deadline) -> Terms[P]:
        """Tighten the deadline.

        Args:
            deadline: A further deadline.

        Returns:
            These terms under the earlier of both.
        """
        if self.deadline is not None and self.deadline.remaining() <= deadline.remaining():
            return self
        return msgspec.structs.replace(self, deadline=deadline)

    def traced(self, request: Request) -> Request:
        """Add the headers that carry a trace on, where that is asked for.

        Args:
            request: A request.

        Returns:
            The request, its own headers unchanged.

        Raises:
            ValueError: If there is a header that no caller may give.
        """
        return request if self.trace is None else request.completed(self.trace())

    def report(self, clone: str, request: Request, outcome: Response | TransportError) -> None:
        """Tell whoever watches of a finished call.

        Args:
            clone: The clone's id.
            request: What was sent.
            outcome: How it ended.
        """
        if self.on_call is None:
            return
        status, error, sent = None, None, True
        if isinstance(outcome, Response):
            status = outcome.status_code
        else:
            error, sent = type(outcome).__name__, outcome.sent
        self.on_call(
            CallRecord(
                clone=clone,
                method=request.method,
                path=request.path,
                status_code=status,
                error=error,
                sent=sent,
                attempts=outcome.attempts,
                elapsed=outcome.elapsed,
                time_left=None if self.deadline is None else self.deadline.remaining(),
                transfer=outcome.transfer,
            )
        )
