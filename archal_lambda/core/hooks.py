"""What a client's hooks are told and asked, and what becomes of one that fails.

This module owns the making of a call's record, and one rule: a hook never breaks a call. An error of a hook is
reported once for each client, as a warning on the logger `archal_lambda`, and the call goes on without it. The report
names the error's class and where it was raised. It leaves out the error's text and its traceback, which may contain
anything. An interruption, such as Ctrl-C, is no error of the hook and passes.
"""
# Annotations are evaluated here, as in `flow`.

import re
from collections.abc import Callable, Mapping
from types import TracebackType
from urllib.parse import unquote

from archal_lambda.core.patterns import lazy
from archal_lambda.core.records import CallHook, CallRecord
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import TransportError

__all__ = ["HOOKS", "TraceHeaders", "record_of", "tell", "tell_progress", "traced"]

TraceHeaders = Callable[[], Mapping[str, str]]
"""Gives the headers for one call that carry a trace on; none outside a trace."""

HOOKS = frozenset({"on_call", "progress", "trace"})

# What services and gateways call the id of a request, the most common first.
_REQUEST_IDS = (
    "x-request-id",
    "x-github-request-id",
    "request-id",
    "x-amzn-requestid",
    "x-amz-request-id",
    "x-slack-req-id",
    "cf-ray",
)
_RANK = {name: rank for rank, name in enumerate(_REQUEST_IDS)}
_REQUEST_ID = lazy(r"[A-Za-z0-9][A-Za-z0-9._:/+=@-]{0,127}")
_FAILED = 400
# Where an address names its session: the session's own host, or the runtime proxy's path.
_HOST = lazy(r"([a-z0-9-]+)\.clones\.archal\.ai")
_RUNTIME = lazy(r"/runtime/([A-Za-z0-9._~-]+)/")
_CONTROL = lazy(r"/api/sessions/([^/]+)")


def record_of(  # noqa: PLR0913 - the facts of a call, each by name
    request: Request,
    outcome: Response | TransportError,
    *,
    clone: str,
    base: BaseUrl,
    session_id: str | None,
    time_left: float | None,
) -> CallRecord:
    """Make the record of a call that is over; `session_id` is what the settings say."""
    status = error = rejected_by = code = request_id = None
    sent = True
    if isinstance(outcome, Response):
        status = outcome.status_code
        request_id = _request_id(outcome)
        if status >= _FAILED:
            # Archal itself answers a call to the control plane: there is no route, and no clone behind it.
            rejected_by = outcome.rejected_by if clone else None
            code = outcome.error_code
    else:
        error, sent = type(outcome).__name__, outcome.sent
    return CallRecord(
        clone=clone,
        method=request.method,
        path=request.path,
        status_code=status,
        error=error,
        sent=sent,
        attempts=outcome.attempts,
        elapsed=outcome.elapsed,
        time_left=time_left,
        transfer=outcome.transfer,
        rejected_by=rejected_by,
        session_id=_session_of(base, session_id) if clone else _session_in(request.path),
        code=code,
        request_id=request_id,
        operation=None if request.reading is None else request.reading.operation,
    )


def tell(on_call: CallHook, record: CallRecord, unreported: set[str]) -> None:
    """Tell a hook of a call; `unreported` has the hooks whose first failure is still to be reported."""
    try:
        on_call(record)
    except Exception as error:  # noqa: BLE001 - whatever it is, the call has its result
        failure = _describe(error)
    else:
        return
    _report("on_call", failure, unreported)


def tell_progress(
    progress: Callable[[float, float | None], object],
    unreported: set[str],
    done: float,
    total: float | None,
) -> None:
    """Tell a hook how far a call is."""
    try:
        progress(done, total)
    except Exception as error:  # noqa: BLE001 - as above; and what it raises is not the transport's
        failure = _describe(error)
    else:
        return
    _report("progress", failure, unreported)


def traced(request: Request, trace: TraceHeaders, unreported: set[str]) -> Request:
    """Add the headers of a trace, all or none: one that a caller may not give is a failure of the hook's."""
    try:
        return request.completed(trace())
    except Exception as error:  # noqa: BLE001 - as above
        failure = _describe(error)
    _report("trace", failure, unreported)
    return request


def _describe(error: Exception) -> str:
    last: TracebackType | None = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    name = type(error).__name__
    if last is None:
        return name
    code = last.tb_frame.f_code
    file = re.split(r"[\\/]", code.co_filename)[-1]
    return f"{name} in {code.co_name} ({file}, line {last.tb_lineno})"


def _report(hook: str, failure: str, unreported: set[str]) -> None:
    # Outside of any `except`, so that no handler of the log finds the error. Threads that fail at once report once.
    try:
        unreported.remove(hook)
    except KeyError:
        return
    import logging  # noqa: PLC0415 - a hook that works needs no log

    logging.getLogger("archal_lambda").warning(
        "the %s hook failed: %s; calls go on, and this client does not report it again",
        hook,
        failure,
    )


def _request_id(response: Response) -> str | None:
    # Every call with a hook comes by here, and few responses need an index of their headers otherwise.
    found = {key: value for name, value in response.headers.pairs if (key := name.lower()) in _RANK}
    if not found:
        return None
    value = found[min(found, key=_RANK.__getitem__)]
    return value if _REQUEST_ID.fullmatch(value) else None


def _session_of(base: BaseUrl, known: str | None) -> str | None:
    # The address is right where the settings name another session; only a host has lost its capitals.
    named = _HOST.fullmatch(base.host) or _RUNTIME.match(base.path + "/")
    if named is None or (known is not None and known.lower() == named[1].lower()):
        return known
    return named[1]


def _session_in(path: str) -> str | None:
    found = _CONTROL.match(path)
    return None if found is None else unquote(found[1])
