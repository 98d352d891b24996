"""What a transport is, and the drivers that carry an exchange out on one: blocking, and awaited.

This module owns the seam between the rules (`core`) and the I/O. It must not know any HTTP library
or event loop.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Protocol

from archal_lambda.core.deadline import Deadline
from archal_lambda.core.exchange import Send, exchange
from archal_lambda.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from archal_lambda.core.calls import AsyncCredentials, Credentials, Terms
    from archal_lambda.core.deadline import Timeout
    from archal_lambda.core.exchange import Exchange
    from archal_lambda.core.headers import Headers
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.core.targets import BaseUrl

__all__ = [
    "AsyncTransport",
    "Transport",
    "acall",
    "call",
    "drive",
    "drive_async",
    "jitter",
]

_UNAUTHORIZED = 401


class Transport(Protocol):
    """Sends one request, once."""

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole answer.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt; `total` is in the deadline.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: If there is no complete answer; `.sent` says whether the request may have arrived.
        """
        ...

    def close(self) -> None:
        """Close every connection; sending again opens new ones."""
        ...


class AsyncTransport(Protocol):
    """Sends one request, once, without holding up the event loop."""

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole answer; a cancelled call lets go of its connection.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt; `total` is in the deadline.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: If there is no complete answer; `.sent` says whether the request may have arrived.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; sending again opens new ones."""
        ...


def drive(steps: Exchange, transport: Transport, sleep: Callable[[float], None]) -> Response:
    """Carry out an exchange, blocking.

    Args:
        steps: The exchange, not yet started.
        transport: What sends.
        sleep: Waits for a number of seconds.

    Returns:
        The final response.

    Raises:
        TransportError: If the exchange ends without a response.
    """
    outcome: Response | TransportError | None = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as stop:
            response: Response = stop.value
            return response
        if isinstance(step, Send):
            try:
                outcome = transport.send(step.request, step.deadline, step.timeout)
            except TransportError as error:
                outcome = error
        else:
            sleep(step.seconds)
            outcome = None


async def drive_async(
    steps: Exchange, transport: AsyncTransport, sleep: Callable[[float], Awaitable[None]]
) -> Response:
    """Carry out an exchange, awaiting each step.

    Args:
        steps: The exchange, not yet started.
        transport: What sends.
        sleep: Waits for a number of seconds, when awaited.

    Returns:
        The final response.

    Raises:
        TransportError: If the exchange ends without a response.
    """
    outcome: Response | TransportError | None = None
    while True:
        try:
            step = steps.send(outcome)
        except StopIteration as stop:
            response: Response = stop.value
            return response
        if isinstance(step, Send):
            try:
                outcome = await transport.asend(step.request, step.deadline, step.timeout)
            except TransportError as error:
                outcome = error
        else:
            await sleep(step.seconds)
            outcome = None


def call(
    transport: Transport,
    request: Request,
    base: BaseUrl,
    terms: Terms[Credentials],
    *,
    sleep: Callable[[float], None],
) -> Response:
    """Make one call on a transport.

    Args:
        transport: What sends.
        request: The request, relative to the base.
        base: Where it goes.
        terms: The credentials, limits and retry plan; the request's own timeout goes first.
        sleep: Waits for a number of seconds.

    Returns:
        The response.

    Raises:
        TransportError: If there is none.
        ConfigurationError: If the credentials cannot be had.
        ValueError: If the request has a header that is the credentials' to give; nothing is sent.
    """
    timeout, deadline = _limits(request, terms)

    def attempt(headers: Headers) -> Response:
        addressed = request.addressed(base, headers)
        steps = exchange(
            addressed, deadline=deadline, timeout=timeout, plan=terms.plan, jitter=jitter
        )
        return drive(steps, transport, sleep)

    headers = terms.credentials.headers(deadline)
    response = attempt(headers)
    if not (_refused(response, terms) and terms.credentials.renew(headers, deadline)):
        return response
    return _joined(response, attempt(terms.credentials.headers(deadline)))


async def acall(
    transport: AsyncTransport,
    request: Request,
    base: BaseUrl,
    terms: Terms[AsyncCredentials],
    *,
    sleep: Callable[[float], Awaitable[None]],
) -> Response:
    """Make one call on a transport, awaited; the same as `call` in all else.

    Args:
        transport: What sends.
        request: The request, relative to the base.
        base: Where it goes.
        terms: The credentials, limits and retry plan; the request's own timeout goes first.
        sleep: Waits for a number of seconds, when awaited.

    Returns:
        The response.

    Raises:
        TransportError: If there is none.
        ConfigurationError: If the credentials cannot be had.
        ValueError: If the request has a header that is the credentials' to give; nothing is sent.
    """
    timeout, deadline = _limits(request, terms)

    async def attempt(headers: Headers) -> Response:
        addressed = request.addressed(base, headers)
        steps = exchange(
            addressed, deadline=deadline, timeout=timeout, plan=terms.plan, jitter=jitter
        )
        return await drive_async(steps, transport, sleep)

    headers = await terms.credentials.headers(deadline)
    response = await attempt(headers)
    if not (_refused(response, terms) and await terms.credentials.renew(headers, deadline)):
        return response
    return _joined(response, await attempt(await terms.credentials.headers(deadline)))


def jitter() -> float:
    """Draw a number that spreads waits out.

    Returns:
        A number from 0 to 1.
    """
    # Not random.random(): its state is the same in all processes that SnapStart restores from one snapshot.
    return int.from_bytes(os.urandom(7)) / 2**56


def _limits(request: Request, terms: Terms[Any]) -> tuple[Timeout, Deadline]:
    timeout = request.timeout or terms.timeout
    if terms.deadline is None:
        return timeout, Deadline.after(timeout.total)
    return timeout, terms.deadline.within(timeout.total)


def _refused(response: Response, terms: Terms[Any]) -> bool:
    # A refusal at the route never reached the clone, so that any method may be sent once more.
    return response.status_code == _UNAUTHORIZED and (
        terms.plan.direct or response.rejected_by == "route"
    )


def _joined(first: Response, second: Response) -> Response:
    second.attempts += first.attempts
    second.doubtful = second.doubtful or first.doubtful
    second.elapsed += first.elapsed
    return second
