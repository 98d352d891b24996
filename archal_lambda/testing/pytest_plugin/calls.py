"""The calls of a test, as lines for its report.

This module owns their words. It must not show a header, a body, or a query but as the local Archal's records have it,
which are without secrets.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.core.records import CallRecord
    from archal_lambda.local import RecordedRequest

__all__ = ["by_records", "by_requests"]

_FIRST, _LAST = 10, 30  # lines; what went wrong is mostly at the end
_WIDEST = 240  # characters
_FAILED = 400
_DEEP = 5


def by_requests(requests: Iterable[RecordedRequest]) -> list[str]:
    """Write what reached the local Archal."""
    return _capped([_request(request) for request in requests])


def by_records(records: Iterable[CallRecord]) -> list[str]:
    """Write what the clients of `archal_clones` were told of their calls."""
    return _capped([_record(record) for record in records])


def _request(request: RecordedRequest) -> str:
    saw = request.clone_saw
    # What is refused at the route has no clone in its record; its path says which was meant.
    parts = request.path.split("/", 4)  # "", "runtime", the session, the clone, the rest
    to_clone = len(parts) == _DEEP and parts[1] == "runtime"
    clone, path = parts[3:] if to_clone else ("control plane", request.path[1:])
    where = f"{request.method} /{path}" + (f"?{request.query}" if request.query else "")
    facts = [f"{request.duration_ms:.1f} ms"]
    if request.tool:
        facts.append(f"tool {request.tool}")
    if request.fault:
        facts.append(f"fault {request.fault}")
    elif request.status >= _FAILED and to_clone:
        facts.append(f"refused by the {'clone' if saw else 'route'}")
    if saw is not None:
        service = "without" if saw.headers.get("authorization") is None else "with"
        facts.append(f"the clone saw {saw.method} {saw.path}, {service} a service credential")
    elif to_clone:
        facts.append("the clone saw nothing")
    return f"{clone}: {where} -> {request.status:d} ({'; '.join(facts)})"


def _record(record: CallRecord) -> str:
    outcome = record.error or record.status_code
    facts = [f"{record.elapsed * 1000:.1f} ms"]
    if record.attempts > 1:
        facts.append(f"{record.attempts} attempts")
    if record.rejected_by:
        facts.append(f"refused by the {record.rejected_by}")
    if record.code:
        facts.append(f"code {record.code}")
    if record.request_id:
        facts.append(f"request {record.request_id}")
    what = record.operation or f"{record.method} {record.path}"
    return f"{record.clone or 'control plane'}: {what} -> {outcome} ({'; '.join(facts)})"


def _capped(lines: list[str]) -> list[str]:
    short = [line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…" for line in lines]
    left_out = len(short) - _FIRST - _LAST
    if left_out > 0:
        short[_FIRST:-_LAST] = [f"… {left_out} more …"]
    return short or ["none"]
