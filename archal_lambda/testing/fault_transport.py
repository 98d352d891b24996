"""Faults on demand against a hosted session, played on the caller's side of the wire.

This module owns what a client sees of a fault: responses, errors and waits. Which fault a request meets is for
`faults.rules`, the same as in the local Archal. It must not open a connection of its own: what is sent goes through
another transport.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping
from typing import NoReturn

import msgspec

from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import ConfigurationError, ConnectionLost, Phase, RequestTimeout
from archal_lambda.faults.fault import Fault
from archal_lambda.faults.rules import FaultRules, mcp_paths, refusal
from archal_lambda.faults.service_errors import ServiceError
from archal_lambda.testing.addresses import Addresses
from archal_lambda.testing.wrapped import Wrapped
from archal_lambda.transports.base import AsyncTransport, Transport

__all__ = ["FaultTransport"]

# Seconds to wait, or None for sending the request, whose response comes back.
_Play = Generator[float | None, Response | None, Response]

_FAULTS = "must be a list of archal_lambda.testing.Fault"
_SESSION = re.compile(r"/api/sessions/[^/]+")


class FaultTransport:
    """A transport that plays faults around another one, for clients of a hosted session.

    The rules are those of `LocalArchal.fault`, and the first that fits is played. Two things differ, which only a
    server can do: with `reset="before"` nothing is sent, and the error's `.sent` says so; `drip` counts the bytes of
    the body alone.
    A wait takes from the call's deadline and its `read` limit, and ends in `RequestTimeout` with either.

    Which clone a request is for is read from its base URL, `…/{clone}/api`, and `…/{clone}/mcp` beside it.

    Args:
        transport: What sends; None makes the one of `Clones` or `AsyncClones`, on hosts with sockets.
        faults: The rules, in order.
        clone_urls: Clone id to base URL, for clones whose URL does not tell.
        ca_file: A PEM file for the transport that is made here; None means the system's certificates.
        sleep: Waits so many seconds, for synchronous clients.
        async_sleep: Waits so many seconds, for asynchronous clients.

    Attributes:
        faults: The rules.

    Raises:
        ConfigurationError: If `faults` has something else than a `Fault`, or `clone_urls` a URL that none can have.

    Example:
        >>> from archal_lambda import Clones, Response, Settings
        >>> from archal_lambda.testing import Fault, FaultTransport
        >>> from archal_lambda.transports.mock import MockTransport
        >>> settings = Settings(clone_urls={"github": "https://clone.test/github/api"}, token="t")
        >>> faults = FaultTransport(MockTransport(lambda _: Response(200)), [Fault(status=503, times=1)])
        >>> github = Clones(settings, transport=faults)["github"]
        >>> [github.get("/user").status_code for _ in range(2)], faults.hits
        ([503, 200], (1,))
    """

    __module__ = "archal_lambda.testing"

    def __init__(  # noqa: PLR0913 - each is one independent knob
        self,
        transport: Transport | AsyncTransport | None = None,
        faults: Iterable[Fault] = (),
        *,
        clone_urls: Mapping[str, str] | None = None,
        ca_file: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        async_sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        if not isinstance(faults, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise ConfigurationError("faults", _FAULTS)
        self.faults = tuple(faults)
        if not all(isinstance(fault, Fault) for fault in self.faults):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise ConfigurationError("faults", _FAULTS)
        self._rules = FaultRules(threading.Lock())
        self._in_force = [self._rules.add(fault) for fault in self.faults]
        self._addresses = Addresses(clone_urls or {})
        self._sleep = sleep
        self._async_sleep = async_sleep
        self._wrapped = Wrapped(transport, ca_file, behind="faults are the second argument")

    @property
    def hits(self) -> tuple[int, ...]:
        """How many requests each of `faults` was played for so far."""
        return tuple(rule.hits for rule in self._in_force)

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request, unless a fault has it otherwise.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt.

        Returns:
            The response of the other transport, or of a fault.

        Raises:
            TransportError: If a fault has it so, or the other transport fails.
            TypeError: If the other transport is for asynchronous clients only.
        """
        play, answer = self._play(request, deadline, timeout), None
        while True:
            try:
                seconds = play.send(answer)
            except StopIteration as stop:
                response: Response = stop.value
                return response
            answer = None
            if seconds is None:
                answer = self._wrapped.send(request, deadline, timeout)
            else:
                self._sleep(seconds)

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request, unless a fault has it otherwise; for asynchronous clients.

        Args:
            request: A request with its base and all its headers.
            deadline: The moment by which this must have returned or raised.
            timeout: The `connect` and `read` limits of this attempt.

        Returns:
            The response of the other transport, or of a fault.

        Raises:
            TransportError: If a fault has it so, or the other transport fails.
            TypeError: If the other transport is for synchronous clients only.
        """
        play, answer = self._play(request, deadline, timeout), None
        while True:
            try:
                seconds = play.send(answer)
            except StopIteration as stop:
                response: Response = stop.value
                return response
            answer = None
            if seconds is None:
                answer = await self._wrapped.asend(request, deadline, timeout)
            else:
                await self._async_sleep(seconds)

    def close(self) -> None:
        """Close the other transport."""
        self._wrapped.close()

    async def aclose(self) -> None:
        """Close the other transport, and what it read a secret with."""
        await self._wrapped.aclose()

    def _play(self, request: Request, deadline: Deadline, timeout: Timeout) -> _Play:
        clone, fault = self._fault_for(request)
        if fault is None:
            return (yield from _sent())
        refused, delay = refusal(fault, clone), fault.delay or 0.0
        acts = refused is None and fault.reset != "before"
        response = (yield from _sent()) if acts else _refused(refused, request)
        yield from _wait(delay, deadline, timeout.read, request, phase="headers", sent=acts)
        if fault.reset:
            _lose("connection lost: reset by a fault", request, sent=acts)
        if fault.cut is not None and len(response.content) > fault.cut:
            _lose("connection lost: the body is incomplete", request, sent=True)
        if fault.drip is not None and response.content:
            # One byte is the longest silence; then time goes on until the last.
            silent = None if timeout.read is None or timeout.read > fault.drip else timeout.read
            whole = fault.drip * len(response.content)
            yield from _wait(whole, deadline, silent, request, phase="body", sent=True)
        return response

    def _fault_for(self, request: Request) -> tuple[str, Fault | None]:
        place = self._addresses.place_of(request)
        if place.clone:
            paths = _mcp(request.content) if place.is_mcp else [request.path]
            return place.clone, self._rules.for_call(place.clone, request.method, paths)
        if request.method == "DELETE" and _SESSION.fullmatch(request.path):
            return "", self._rules.for_teardown()
        return "", None


def _mcp(content: bytes) -> tuple[str, ...]:
    try:
        return mcp_paths(msgspec.json.decode(content or b"null"))
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return mcp_paths(None)


def _sent() -> _Play:
    response = yield None
    assert response is not None  # noqa: S101 - what drives this gives one for None
    return response


def _refused(refused: ServiceError | None, request: Request) -> Response:
    if refused is None:  # a reset, behind which nobody sees it
        return Response(0, request=request)
    return Response(
        refused.status, headers=refused.headers, content=refused.content, request=request
    )


def _wait(  # noqa: PLR0913 - what is waited for, and what the error tells
    seconds: float,
    deadline: Deadline,
    limit: float | None,
    request: Request,
    *,
    phase: Phase,
    sent: bool,
) -> Generator[float | None, Response | None, None]:
    left = deadline.remaining()
    allowed = left if limit is None else min(left, limit)
    if seconds < allowed:
        if seconds:
            yield seconds
        return
    yield allowed
    raise RequestTimeout(
        f"timed out ({phase})", phase=phase, method=request.method, url=request.url, sent=sent
    )


def _lose(reason: str, request: Request, *, sent: bool) -> NoReturn:
    raise ConnectionLost(reason, method=request.method, url=request.url, sent=sent)
