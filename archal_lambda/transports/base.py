"""What a transport is, and the driver that carries an exchange out on one.

This module owns the seam between the rules (`core`) and the I/O. It must not know any HTTP library.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Protocol

from archal_lambda.core.deadline import Deadline
from archal_lambda.core.exchange import Send, exchange
from archal_lambda.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable

    from archal_lambda.core.calls import Terms
    from archal_lambda.core.deadline import Timeout
    from archal_lambda.core.exchange import Exchange
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response

__all__ = ["Transport", "call", "drive"]


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
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Send):
                try:
                    outcome = transport.send(step.request, step.deadline, step.timeout)
                except TransportError as error:
                    outcome = error
            else:
                sleep(step.seconds)
                outcome = None
    except StopIteration as stop:
        response: Response = stop.value
        return response


def call(
    transport: Transport,
    request: Request,
    terms: Terms,
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> Response:
    """Make one call on a transport.

    Args:
        transport: What sends.
        request: The request, complete.
        terms: The limits and the retry plan; the request's own timeout goes first.
        sleep: Waits for a number of seconds.

    Returns:
        The response.

    Raises:
        TransportError: If there is none.
    """
    timeout = request.timeout or terms.timeout
    own = Deadline.after(timeout.total)
    deadline = own if terms.deadline is None else terms.deadline.within(timeout.total)
    steps = exchange(
        request, deadline=deadline, timeout=timeout, plan=terms.plan, jitter=random.random
    )
    return drive(steps, transport, sleep)
