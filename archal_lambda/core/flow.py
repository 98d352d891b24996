"""One call's life: who calls, when to send, when to try again, when to give up.

This module owns credentials' renewal, retries and back-off, as generators that say what to do next and are told what
came of it. It must not wait, send, read a clock of its own or draw a random number.

A flow is a generator. It yields one of three steps, and is sent what came of it:

    Authorize(deadline, refused)      the headers that prove who calls, or the transport error of looking for them
    Send(request, deadline, timeout)  the response, or the transport error
    Sleep(seconds)                    None

and returns its result, or raises. Everything that decides is in flows, so it stands once, and a test can step through
every decision without a clock or a socket. What carries a flow out is one of two drivers (`transports.base`), which
decide nothing: one blocks, one awaits. Flows call each other with `yield from`: waiting for a session is a loop of
calls.

In a call, nested from the outside in:

    exchange     limits, and the facts of the whole call on what it ends with
    followed     the same for where a redirect leads, if the caller wants that
    _authorized  headers; once more with newer ones where the route refused them
    _attempts    the retries of one prepared request
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

from collections.abc import Callable, Generator
from typing import TypeVar

import msgspec

from archal_lambda.core.headers import Headers
from archal_lambda.core.hooks import HOOKS, TraceHeaders, record_of, tell, traced
from archal_lambda.core.pagination import followed
from archal_lambda.core.records import CallHook
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import (
    CertificateError,
    ProtocolError,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)

__all__ = [
    "Authorize",
    "ClientOptions",
    "Flow",
    "RetryPolicy",
    "Send",
    "Sleep",
    "check",
    "exchange",
]

R = TypeVar("R")

_UNAUTHORIZED = 401
# These did not fail on the way: the same would come again (RFC 9110, section 9.2.2).
_REFUSALS = (CertificateError, ProtocolError, ResponseTooLarge)


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often and how soon to try again.

    Args:
        attempts: Tries in all, 1 or more; 1 means no retry.
        backoff: Seconds before the first retry, doubled for each further one; 0 retries at once.
        max_backoff: Longest wait between two tries, in seconds.

    Raises:
        ValueError: If one is out of range.
    """

    __module__ = "archal_lambda"

    attempts: int = 2
    backoff: float = 0.0
    max_backoff: float = 8.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts must be 1 or more")
        if not (0 <= self.backoff <= self.max_backoff):
            raise ValueError("backoff must be between 0 and max_backoff seconds")


class ClientOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What all calls of a client have in common."""

    timeout: Timeout
    retry: RetryPolicy
    retry_statuses: frozenset[int] = frozenset()
    """Statuses to try again after; none for a clone, whose responses are data."""
    direct: bool = False
    """Whether Archal itself is asked, so that any 401 is about its token; a clone has 401s of its own."""
    on_call: CallHook | None = None
    trace: TraceHeaders | None = None
    deadline: Deadline | None = None
    session_id: str | None = None
    """The session of the clones, where the settings name it."""
    unreported: set[str] = msgspec.field(default_factory=lambda: set(HOOKS))
    """The hooks that have not failed yet; all views of a client share it, so that each failure is reported once."""

    def capped(self, deadline: Deadline) -> "ClientOptions":
        """Tighten the deadline: these options under the earlier of both."""
        if not isinstance(deadline, Deadline):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("deadline must be a Deadline, such as Deadline.after(5.0)")
        if self.deadline is not None and self.deadline.remaining() <= deadline.remaining():
            return self
        return msgspec.structs.replace(self, deadline=deadline)

    def within(self, timeout: Timeout) -> Deadline:
        """Give the deadline of a call that begins now."""
        deadline = self.deadline
        return Deadline.after(timeout.total) if deadline is None else deadline.within(timeout.total)


class Authorize(msgspec.Struct, frozen=True):
    """Step: get the headers that prove who calls; newer ones than the refused, where there are any."""

    deadline: Deadline
    refused: Headers | None = None


class Send(msgspec.Struct, frozen=True):
    """Step: send this request, under the deadline of the whole call and the limits of this attempt."""

    request: Request
    deadline: Deadline
    timeout: Timeout


class Sleep(msgspec.Struct, frozen=True):
    """Step: wait; it fits the deadline."""

    seconds: float


Flow = Generator[Authorize | Send | Sleep, Response | TransportError | Headers | None, R]
_Outcome = Response | TransportError


class _Exchange(msgspec.Struct):
    # What does not change while a call goes on.
    options: ClientOptions
    deadline: Deadline
    timeout: Timeout
    jitter: Callable[[], float]
    known: Headers | None
    # What became of all attempts so far.
    attempts: int = 0
    sent: bool = False
    maybe_processed: bool = False


def exchange(  # noqa: PLR0913, PLR0917 - the parts of a call
    request: Request,
    base: BaseUrl,
    options: ClientOptions,
    jitter: Callable[[], float],
    clone: str = "",
    known: Headers | None = None,
) -> Flow[Response]:
    """Carry one call through; `jitter` returns a number from 0 to 1 that spreads waits out.

    `known` is what proves who calls where that never changes; else it is asked for.
    A transport error is the last attempt's, with the facts of the whole call. A header of the caller's that is the
    settings' to give is a `ValueError`, and nothing is sent. No hook changes the outcome.
    """
    if options.trace is not None:
        request = traced(request, options.trace, options.unreported)
    timeout = request.timeout or options.timeout
    deadline = options.within(timeout)
    started = deadline.clock()
    current = _Exchange(options, deadline, timeout, jitter, known)
    outcome = yield from _authorized(request, base, current)
    if request.follow:
        outcome = yield from followed(
            request, outcome, base, lambda moved: _authorized(moved, base, current)
        )
    elapsed = deadline.clock() - started
    # Both are complete when anybody sees them, and are changed by nobody afterwards.
    if isinstance(outcome, Response):
        outcome = outcome.concluded(
            attempts=current.attempts, elapsed=elapsed, maybe_processed=current.maybe_processed
        )
    else:
        outcome = outcome.concluded(sent=current.sent, attempts=current.attempts, elapsed=elapsed)
    if options.on_call is not None:
        record = record_of(
            request,
            outcome,
            clone=clone,
            base=base,
            session_id=options.session_id,
            time_left=None if options.deadline is None else options.deadline.remaining(),
        )
        tell(options.on_call, record, options.unreported)
    if isinstance(outcome, TransportError):
        raise outcome
    return outcome


def check(request: Request, base: BaseUrl, options: ClientOptions) -> Flow[None]:
    """Make sure that what a caller gave for a request may be sent, without sending it."""
    if not isinstance(request, Request):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError("calls must be pairs of a clone's name and a Request")
    outcome = yield Authorize(options.within(options.timeout))
    request.prepared(base, _headers(outcome))


def _authorized(request: Request, base: BaseUrl, current: _Exchange) -> Flow[_Outcome]:
    headers = current.known
    if headers is None:
        outcome = yield Authorize(current.deadline)
        if isinstance(outcome, TransportError):
            return outcome
        headers = _headers(outcome)
    last = yield from _attempts(request.prepared(base, headers), current)
    if not isinstance(last, Response) or last.status_code != _UNAUTHORIZED:
        return last
    # A refusal at the route never reached the clone, so that any method may be sent once more.
    may_renew = current.known is None and (current.options.direct or last.rejected_by == "route")
    if not may_renew:
        return last
    newer = yield Authorize(current.deadline, headers)
    if not isinstance(newer, Headers) or newer.pairs == headers.pairs:
        return last
    current.sent = False  # what the route refused has reached nobody
    return (yield from _attempts(request.prepared(base, newer), current))


def _attempts(request: Request, current: _Exchange) -> Flow[_Outcome]:
    deadline = current.deadline
    if not deadline.clock() < deadline.at:  # in this form for NaN, which is no time
        reason = "no time was left to send"
        return RequestTimeout(reason, phase="connect", method=request.method, url=request.url)
    attempt = 0
    while True:
        attempt += 1
        current.attempts += 1
        outcome = yield Send(request, deadline, current.timeout)
        if isinstance(outcome, Response):
            current.sent = True
            if not current.options.retry_statuses:
                return outcome
        elif isinstance(outcome, TransportError):
            current.sent = current.sent or outcome.sent
        else:
            raise TypeError("a driver must answer Send with a Response or a TransportError")
        wait = _wait(outcome, request, current, attempt)
        # A wait that does not fit is not shortened: trying early is what the server asked not to do.
        if wait is None or wait >= deadline.remaining():
            return outcome
        current.maybe_processed = current.maybe_processed or _may_have_acted(outcome)
        if wait:
            yield Sleep(wait)


def _headers(outcome: Response | TransportError | Headers | None) -> Headers:
    if isinstance(outcome, TransportError):
        raise outcome
    if not isinstance(outcome, Headers):
        raise TypeError("a driver must answer Authorize with Headers")
    return outcome


def _may_have_acted(outcome: _Outcome) -> bool:
    if isinstance(outcome, Response):
        return outcome.status_code >= 500  # noqa: PLR2004 - the class of status codes
    return outcome.sent


def _wait(outcome: _Outcome, request: Request, current: _Exchange, attempt: int) -> float | None:
    """Give the seconds until the next attempt; None if there must be none."""
    policy = current.options.retry
    if attempt >= policy.attempts:
        return None
    if isinstance(outcome, Response):
        if outcome.status_code not in current.options.retry_statuses or not request.idempotent:
            return None
        if outcome.retry_after is not None:
            return outcome.retry_after
    elif isinstance(outcome, _REFUSALS) or (outcome.sent and not request.idempotent):
        return None
    # 64 doublings are enough for any wait, and no overflow for any number of attempts.
    backoff = min(policy.backoff * 2.0 ** min(attempt - 1, 64), policy.max_backoff)
    # Between half and all of it, so that clients that failed together do not come back together.
    return backoff * (0.5 + current.jitter() / 2) if backoff else 0.0
