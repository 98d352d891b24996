"""What a transport is, and the two drivers that carry a flow out on one: blocking, and awaited.

This module owns the seam between the rules (`core`) and the I/O. It must not know any HTTP library or event loop, and
decides nothing: what comes next is for the flow to say.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from archal_lambda.core.flow import Flow, Send, Sleep
from archal_lambda.core.headers import Headers
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import guarded, inside
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import TransportError

__all__ = ["AsyncDriver", "AsyncTransport", "Driver", "Transport", "jitter", "keyed"]

R = TypeVar("R")


class Transport(Protocol):
    """Sends one request, once."""

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt; `total` is in the deadline.

        Returns:
            The response, whatever its status.

        Raises:
            TransportError: If there is no complete response; `.sent` says whether the request may have arrived.
        """
        ...

    def close(self) -> None:
        """Close every connection; sending again opens new ones."""
        ...


Transport.__module__ = "archal_lambda"  # outside: inside it would be a member of the protocol


class AsyncTransport(Protocol):
    """Sends one request, once, without holding up the event loop."""

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response; a cancelled call lets go of its connection.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt; `total` is in the deadline.

        Returns:
            The response, whatever its status.

        Raises:
            TransportError: If there is no complete response; `.sent` says whether the request may have arrived.
        """
        ...

    async def aclose(self) -> None:
        """Close every connection; sending again opens new ones."""
        ...


AsyncTransport.__module__ = "archal_lambda"  # outside: inside it would be a member of the protocol


class Driver:
    """Carries flows out, blocking.

    `authorize` is `Credentials.headers`; `known` is what it always returns, where that never changes.
    """

    def __init__(
        self,
        transport: Transport,
        authorize: Callable[[Deadline, Headers | None], Headers],
        sleep: Callable[[float], None],
        *,
        known: Headers | None = None,
    ) -> None:
        self.transport = transport
        self.authorize = authorize
        self.known = known
        self._sleep = sleep

    @guarded
    def run(self, flow: Flow[R]) -> R:
        """Carry a flow out, and return or raise what it ends with."""
        outcome: Response | TransportError | Headers | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                result: R = stop.value
                return result
            if isinstance(step, Sleep):
                self._sleep(step.seconds)
                outcome = None
                continue
            try:
                if isinstance(step, Send):
                    outcome = self.transport.send(step.request, step.deadline, step.timeout)
                else:
                    outcome = self.authorize(step.deadline, step.refused)
            except TransportError as error:
                outcome = error

    carry_out = inside(run)


class AsyncDriver:
    """Carries flows out, awaiting each step; the same as `Driver` in all else."""

    def __init__(
        self,
        transport: AsyncTransport,
        authorize: Callable[[Deadline, Headers | None], Awaitable[Headers]],
        sleep: Callable[[float], Awaitable[None]],
        *,
        known: Headers | None = None,
    ) -> None:
        self.transport = transport
        self.known = known
        self._authorize = authorize
        self._sleep = sleep

    @guarded
    async def run(self, flow: Flow[R]) -> R:
        """Carry a flow out, and return or raise what it ends with."""
        outcome: Response | TransportError | Headers | None = None
        while True:
            try:
                step = flow.send(outcome)
            except StopIteration as stop:
                result: R = stop.value
                return result
            if isinstance(step, Sleep):
                await self._sleep(step.seconds)
                outcome = None
                continue
            try:
                if isinstance(step, Send):
                    outcome = await self.transport.asend(step.request, step.deadline, step.timeout)
                else:
                    outcome = await self._authorize(step.deadline, step.refused)
            except TransportError as error:
                outcome = error


def jitter() -> float:
    """Draw a number from 0 to 1 that spreads waits out."""
    # Not random.random(): its state is the same in all processes that SnapStart restores from one snapshot.
    return int.from_bytes(os.urandom(7)) / 2**56


def keyed(request: Request) -> Request:
    """Give a creation the key by which its retries are known for the same, unless it has one."""
    # Drawn per call: at import it would be the same in every environment restored from one snapshot.
    if request.idempotent:
        return request
    return request.completed({"Idempotency-Key": os.urandom(16).hex()})
