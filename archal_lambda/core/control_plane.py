"""The control plane: its operations as flows, when a session runs, and how to clean up behind one.

This module owns which method and path an operation has, which statuses fail it, and the rules of waiting. It must not
wait, send, or draw a random number of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from archal_lambda.core.flow import ClientOptions, Flow, RetryPolicy, Sleep, exchange
from archal_lambda.core.hooks import HOOKS, TraceHeaders
from archal_lambda.core.json import decode, without_surrogates
from archal_lambda.core.records import CallHook
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response, status_error
from archal_lambda.core.sessions import Session, SessionId, SessionList, read_sessions
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import (
    ArchalError,
    DecodeError,
    NotFoundError,
    RequestTimeout,
    ServerError,
    SessionEndedError,
    StatusError,
    TeardownFailedError,
    TransportError,
)

__all__ = [
    "ControlPlane",
    "Progress",
    "both_options",
    "control_options",
    "may_exist",
    "note_failed_cleanup",
    "settings_of",
]

T = TypeVar("T")

_NOT_FOUND = 404
_FIRST_POLL = 0.5  # seconds; a session that is reused answers in about two
_LONGEST_POLL = 3.0  # seconds; a cold start takes about thirty
_TIME_TO_LOOK = 0.25  # seconds; what is kept for the response to the last look
_SHORTEST_LOOK = 0.05  # seconds; with less left there is no point in another

Progress = Callable[[Session, float], None]
"""Called after each look at a session that is waited for, with the session and the seconds waited so far."""


class _Listed(msgspec.Struct, frozen=True):  # SessionListResponse, Archal OpenAPI 0.3.0
    sessions: list[msgspec.Raw]


def control_options(timeout: Timeout, retry: RetryPolicy | None = None) -> ClientOptions:
    """Make the options of the control plane's calls.

    Two retries, a second or two in all: enough for a deployment's blip, short enough for an invocation.
    """
    return ClientOptions(
        timeout=timeout,
        retry=retry or RetryPolicy(attempts=3, backoff=0.5),
        retry_statuses=frozenset({429, 502, 503, 504}),
        direct=True,
    )


def both_options(
    timeout: Timeout,
    retry: RetryPolicy | None,
    on_call: CallHook | None,
    trace: TraceHeaders | None,
) -> tuple[ClientOptions, ClientOptions]:
    """Make the options of a client's own calls, and of those to its sessions' clones, whose statuses are data."""
    hooks: dict[str, Any] = {"on_call": on_call, "trace": trace, "unreported": set(HOOKS)}
    control = msgspec.structs.replace(control_options(timeout, retry), **hooks)
    return control, ClientOptions(timeout=timeout, retry=retry or RetryPolicy(), **hooks)


class ControlPlane(msgspec.Struct, frozen=True):
    """The operations, as flows; each may be given a deadline of its own."""

    url: BaseUrl
    options: ClientOptions
    jitter: Callable[[], float]

    def create(self, request: Request, deadline: Deadline | None = None) -> Flow[Session]:
        """Create a session."""
        return (yield from self._read(request, deadline, Session))

    def get(self, session_id: str, deadline: Deadline | None = None) -> Flow[Session]:
        """Read one session."""
        request = Request("GET", _session_path(session_id))
        return (yield from self._read(request, deadline, Session))

    def list(self) -> Flow[SessionList]:
        """List the active sessions."""
        listed = yield from self._read(Request("GET", "/api/sessions"), None, _Listed)
        return read_sessions(listed.sessions)

    def delete(self, session_id: str) -> Flow[None]:
        """Stop a session."""
        request = Request("DELETE", _session_path(session_id))
        try:
            response = yield from self._call(request, None)
        except TransportError as error:
            raise TeardownFailedError(error) from error
        # A 404 to a repeated request means that an earlier one, whose response was lost, has done the work.
        gone = response.status_code == _NOT_FOUND and response.attempts > 1
        if response.is_success or gone:
            return
        url = self._url(request)
        failure = status_error(response, method=request.method, url=url, routed=False)
        if isinstance(failure, NotFoundError):
            raise failure
        raise TeardownFailedError(response, method=request.method, url=url) from failure

    def find_and_delete(self, creation: Request) -> Flow[None]:
        """Stop what a creation may have made; its key finds it: the same again is answered with the same session."""
        # No more than the id is read: the session may be otherwise unreadable.
        found = yield from self._read(creation, None, SessionId)
        yield from self.delete(found.session_id)

    def wait(
        self, session_id: str, deadline: Deadline, on_progress: Progress | None
    ) -> Flow[Session]:
        """Look at a session at growing intervals until it runs."""
        started = deadline.clock()
        interval = _FIRST_POLL
        while True:
            session = yield from self.get(session_id, deadline)
            elapsed = deadline.clock() - started
            if on_progress is not None:
                on_progress(session, elapsed)
            # First: a creation that is repeated may be answered with a session that is over.
            if session.ended_at is not None or session.status in {"ended", "failed"}:
                raise SessionEndedError(session_id, session.status, session.last_error)
            if session.status == "running" and session.alive is not False:
                return session
            left = deadline.remaining()
            if left < _SHORTEST_LOOK:
                reason = f"session {session_id} is not running yet"
                raise RequestTimeout(reason, phase="backoff", sent=True, elapsed=elapsed)
            pause = interval * (0.5 + self.jitter() / 2)
            interval = min(interval * 1.5, _LONGEST_POLL)
            # The time is used up: the last look comes shortly before the end, with time enough for its response.
            yield Sleep(min(pause, max(left - _TIME_TO_LOOK, left / 2)))

    def _read(
        self,
        request: Request,
        deadline: Deadline | None,
        type: type[T],  # noqa: A002 - as in decode
    ) -> Flow[T]:
        response = yield from self._call(request, deadline)
        if not response.is_success:
            raise status_error(
                response, method=request.method, url=self._url(request), routed=False
            )
        try:
            return response.decode(type)
        except DecodeError:
            content = without_surrogates(response.content)
            if content == response.content:
                raise
            return decode(content, type, response)

    def _url(self, request: Request) -> str:
        return f"{self.url}{request.path}"

    def _call(self, request: Request, deadline: Deadline | None) -> Flow[Response]:
        options = self.options if deadline is None else self.options.capped(deadline)
        return exchange(request, self.url, options, jitter=self.jitter)


def may_exist(error: BaseException) -> bool:
    """Tell whether a creation that failed may have made a session all the same.

    It may after an interruption, which is any error but ours, a lost or unreadable response, or a server's failure,
    also of an earlier attempt: what the last one was answered with says nothing of those.
    """
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, StatusError) and error.response.maybe_processed:
        return True
    return not isinstance(error, ArchalError) or isinstance(error, ServerError | DecodeError)


@contextmanager
def note_failed_cleanup(cause: BaseException) -> Generator[None]:
    """Stop a session because of an error, which is what the caller will see: a stop that fails as well is a note on it.

    A session that is not found has ended by itself. An interruption is not held up.
    """
    try:
        yield
    except NotFoundError:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the cause is what the caller must see
        why = error if isinstance(error, ArchalError) else type(error).__name__
        note = f"The session could not be stopped and may still be billed: {why}"
        if note not in getattr(cause, "__notes__", ()):
            cause.add_note(note)


def settings_of(session: Session, settings: Settings) -> Settings:
    """Make the settings for calls to a running session's clones, from those of the control plane."""
    urls = {**session.endpoints, **session.api_base_urls}
    ready = {clone: urls[clone] for clone in session.clone_ids if clone in urls}
    return settings.of_session(session.session_id, ready, _mcp_of(session, ready))


def _mcp_of(session: Session, clones: Mapping[str, str]) -> dict[str, str]:
    """Give the MCP URLs that may be used: one that may not be is no reason to give up the session."""
    found: dict[str, str] = {}
    for clone, url in session.mcp.items():
        with suppress(ValueError):
            BaseUrl(url)
            if clone in clones:
                found[clone] = url
    return found


def _session_path(session_id: str) -> str:
    if not isinstance(session_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError("session_id must be a str")
    if not session_id or session_id in {".", ".."}:
        raise ValueError("session_id must not be empty, . or ..")
    return f"/api/sessions/{quote(session_id, safe='')}"
