"""What became of a call, for whoever watches.

This module owns the record of a call, its figures, and how grave an outcome is. It must not measure anything. No record
may contain a query string, nor anything of a header or body but a request id and a code that can be no credential.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

from itertools import pairwise
from typing import Literal, Protocol

import msgspec

__all__ = ["CallHook", "CallRecord", "Level", "Transfer", "has_failed", "log_fields", "log_level"]

Level = Literal["INFO", "WARNING", "ERROR"]

_NOT_FOUND = 404
_TOO_MANY_REQUESTS = 429
_SERVER_ERROR = 500


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
    """One call to a clone or to the control plane, as it ended.

    Args:
        clone: The clone's id; empty for a call to the control plane.
        method: The HTTP method.
        path: The path below the clone's base, or of the control plane's API, without query.
        status_code: The status of the response, or None if there was none.
        error: The name of the error's class, or None if there was a response.
        sent: Whether the request may have reached the clone.
        attempts: How often it was tried.
        elapsed: Seconds the call took in all.
        time_left: Seconds left of the deadline the client works under, or None without one.
        transfer: Phases, bytes and reuse of the last attempt, where the transport measured them.
        rejected_by: Who refused a call to a clone, `"route"` or `"clone"`, where there is telling; see
            `Response.rejected_by`.
        session_id: The session, where the settings, the address or the path names it.
        code: The machine-readable code of a failed response, such as `token_expired`. None where it has none of
            small letters and underscores, which alone can be no credential.
        operation: What a call by MCP does, such as `tools/call create_issue`; None of a call by REST.
        request_id: The id that the server gave the request, in `x-request-id` or a header like it.
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
    rejected_by: str | None = None
    session_id: str | None = None
    code: str | None = None
    request_id: str | None = None
    operation: str | None = None


class CallHook(Protocol):
    """Told of each call when it is over, on the thread or in the event loop that made it: any function of a record.

    A hook that raises an `Exception` does not break the call. Its first failure is a warning on the logger
    `archal_lambda`.
    """

    def __call__(self, record: CallRecord, /) -> None:
        """Take note of a call.

        Args:
            record: The call, as it ended.
        """
        ...


CallHook.__module__ = "archal_lambda"  # outside: inside it would be a member of the protocol


def has_failed(record: CallRecord) -> bool:
    """Tell whether a call is a failure to whoever runs it: a clone's own refusals are not, they are what is tested."""
    status = record.status_code
    if status is None or status >= _SERVER_ERROR or record.rejected_by == "route":
        return True
    # Whatever the control plane refuses is one, but for stopping a session that has ended by itself.
    return not (record.clone or 200 <= status < 300 or _was_gone(record))  # noqa: PLR2004 - the class of status codes


def log_level(record: CallRecord) -> Level:
    """Say how grave the outcome of a call is.

    | outcome | level |
    | --- | --- |
    | no response; refused at the route; the control plane failed or refused | ERROR |
    | a clone's 429 or 5xx; tried more than once; stopping a session that was gone | WARNING |
    | everything else, a clone's other 4xx among it | INFO |
    """
    by_clone = bool(record.clone and record.status_code and record.rejected_by != "route")
    if has_failed(record) and not by_clone:
        return "ERROR"
    status = record.status_code or 0
    busy = status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
    return "WARNING" if busy or record.attempts > 1 or _was_gone(record) else "INFO"


def _was_gone(record: CallRecord) -> bool:
    return not record.clone and (record.method, record.status_code) == ("DELETE", _NOT_FOUND)


def log_fields(record: CallRecord) -> dict[str, object]:
    """Write a record as the fields of a structured log line, durations in milliseconds, without what is not known."""
    left = record.time_left
    fields: dict[str, object] = {
        "clone": record.clone or None,
        "session_id": record.session_id,
        "method": record.method,
        "path": record.path,
        "operation": record.operation,
        "status": record.status_code,
        "error": record.error,
        "rejected_by": record.rejected_by,
        "code": record.code,
        "request_id": record.request_id,
        "sent": record.sent,
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
