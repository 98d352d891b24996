"""One call's life: when to send, when to try again, when to give up.

This module owns retries and back-off, as a generator that says what to do next and is told what came of it.
It must not wait, send, read a clock of its own or draw a random number.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.core.response import Response
from archal_lambda.errors import RequestTimeout, ResponseTooLarge, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archal_lambda.core.deadline import Deadline, Timeout
    from archal_lambda.core.request import Request

__all__ = ["Exchange", "Plan", "RetryPolicy", "Send", "Sleep", "exchange"]


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often and how soon to try again.

    Args:
        attempts: Tries in all, 1 or more; 1 means no retry.
        backoff: Seconds before the first retry, doubled for each further one; 0 retries at once.
        max_backoff: Longest wait between two tries, in seconds.

    Raises:
        ValueError: If one is out of range.
    """

    attempts: int = 2
    backoff: float = 0.0
    max_backoff: float = 8.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError("attempts must be 1 or more")
        if not (0 <= self.backoff <= self.max_backoff):
            raise ValueError("backoff must be between 0 and max_backoff seconds")


class Plan(msgspec.Struct, frozen=True):
    """What may be done for one call.

    Args:
        policy: How often and how soon to try again.
        retry_statuses: Statuses to try again after; none for a clone, whose answers are data.
        direct: Whether Archal itself is asked, so that any 401 is about its token; a clone has 401s of its own.
    """

    policy: RetryPolicy
    retry_statuses: frozenset[int] = frozenset()
    direct: bool = False


class Send:
    """Step: send this request and report the response or the transport error.

    Args:
        request: What to send.
        deadline: When the whole exchange must be over.
        timeout: The limits of this attempt besides the deadline.
    """

    __slots__ = ("deadline", "request", "timeout")

    def __init__(self, request: Request, deadline: Deadline, timeout: Timeout) -> None:
        self.request = request
        self.deadline = deadline
        self.timeout = timeout


class Sleep:
    """Step: wait.

    Args:
        seconds: For how long; it fits the deadline.
    """

    __slots__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


Exchange = Generator[Send | Sleep, Response | TransportError | None, Response]


def exchange(
    request: Request,
    *,
    deadline: Deadline,
    timeout: Timeout,
    plan: Plan,
    jitter: Callable[[], float],
) -> Exchange:
    """Carry one call through.

    Args:
        request: The request, complete.
        deadline: When the call must be over; its clock measures the elapsed time.
        timeout: The limits of one attempt.
        plan: What may be tried again.
        jitter: Returns a number from 0 to 1 that spreads waits out.

    Yields:
        `Send`, to be answered with a `Response` or `TransportError`, and `Sleep`.

    Returns:
        The last response.

    Raises:
        TransportError: The last attempt's, with `.attempts` and `.elapsed` of the whole call.
    """
    started = deadline.clock()
    if deadline.expired:
        raise RequestTimeout(
            "no time was left to send",
            phase="connect",
            method=request.method,
            url=request.url,
            attempts=0,
        )
    sent = doubtful = False
    attempt = 0
    while True:
        attempt += 1
        outcome = yield Send(request, deadline, timeout)
        wait = _wait(outcome, request, plan, attempt, jitter)
        sent = sent or not isinstance(outcome, TransportError) or outcome.sent
        # A wait that does not fit is not shortened: trying early is what the server asked not to do.
        if wait is None or wait >= deadline.remaining():
            break
        doubtful = doubtful or _may_have_acted(outcome)
        if wait:
            yield Sleep(wait)
    elapsed = deadline.clock() - started
    if isinstance(outcome, TransportError):
        outcome.sent, outcome.attempts, outcome.elapsed = sent, attempt, elapsed
        raise outcome
    if outcome is None:
        raise TypeError("a driver must answer Send with a Response or a TransportError")
    outcome.attempts, outcome.elapsed, outcome.doubtful = attempt, elapsed, doubtful
    return outcome


def _may_have_acted(outcome: Response | TransportError | None) -> bool:
    if isinstance(outcome, Response):
        return outcome.status_code >= 500  # noqa: PLR2004 - the class of status codes
    return outcome is not None and outcome.sent


def _wait(
    outcome: Response | TransportError | None,
    request: Request,
    plan: Plan,
    attempt: int,
    jitter: Callable[[], float],
) -> float | None:
    policy = plan.policy
    if attempt >= policy.attempts:
        return None
    if isinstance(outcome, Response):
        if outcome.status_code not in plan.retry_statuses or not request.idempotent:
            return None
        if outcome.retry_after is not None:
            return outcome.retry_after
    elif (
        outcome is None
        or isinstance(outcome, ResponseTooLarge)
        or (outcome.sent and not request.idempotent)
    ):
        return None
    doublings = min(
        attempt - 1, 64
    )  # enough for any wait, and no overflow for any number of attempts
    backoff = min(policy.backoff * 2.0**doublings, policy.max_backoff)
    # Between half and all of it, so that clients that failed together do not come back together.
    return backoff * (0.5 + jitter() / 2) if backoff else 0.0
