"""Many calls at once, on the thread that asked for them.

This module owns which of them goes on when. All wait together, in one poll, so that neither a thread for each nor a
lock is needed, and whatever interrupts the wait, such as Ctrl-C, ends every call at once. A transport that knows no
steps, which may be the caller's own, is asked on threads. It must not know what a call is.

The threads are of `_thread`: to register one and to wait for it, `threading` holds locks, for which a `gather()` in a
signal handler could wait on the very thread that it interrupts.
"""

from __future__ import annotations

import heapq
import select
import socket
import threading
import time
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar, cast

from archal_lambda.core.flow import Flow, Send, Sleep
from archal_lambda.core.headers import Headers
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import forget
from archal_lambda.core.timeouts import Deadline
from archal_lambda.errors import ArchalError, TransportError
from archal_lambda.transports._steps import LONGEST, Steps, Wait, events
from archal_lambda.transports._urllib3 import UrllibTransport
from archal_lambda.transports.base import Driver

__all__ = ["gather"]

T = TypeVar("T")

_Outcome = Response | ArchalError


def gather(driver: Driver, flows: Sequence[Flow[Response]], most: int) -> list[_Outcome]:
    """Carry flows out, `most` at once, and return for each, in order, its response or its error."""
    transport = driver.transport
    if isinstance(transport, UrllibTransport) and hasattr(select, "poll"):  # Windows has none
        return _SideBySide([_carried(flow, transport, driver) for flow in flows]).run(most)
    return _on_threads([partial(_outcome, driver, flow) for flow in flows], most)


def _outcome(driver: Driver, flow: Flow[Response]) -> _Outcome:
    try:
        return driver.run(flow)
    except ArchalError as error:
        return error


def _carried(flow: Flow[Response], transport: UrllibTransport, driver: Driver) -> Steps[_Outcome]:
    """Carry one flow out in steps; the same as `Driver.run` in all else."""
    outcome: Response | TransportError | Headers | None = None
    try:
        while True:
            step = flow.send(outcome)
            try:
                if isinstance(step, Send):
                    outcome = yield from transport.steps(step.request, step.deadline, step.timeout)
                elif isinstance(step, Sleep):
                    yield Wait((), step.seconds)
                    outcome = None
                elif driver.known is not None:
                    outcome = driver.authorize(step.deadline, step.refused)
                else:
                    ask = partial(driver.authorize, step.deadline, step.refused)
                    outcome = yield from _asked(ask, step.deadline)
            except TransportError as error:
                outcome = error
    except StopIteration as stop:
        response: Response = stop.value
        return response
    except ArchalError as error:
        return error


def _asked(ask: Callable[[], T], deadline: Deadline) -> Steps[T]:
    """Do what can only block, such as reading a secret, on a thread of its own; it ends by the deadline itself."""
    answers: list[T] = []
    failures: list[BaseException] = []
    over, told = socket.socketpair()

    def work() -> None:
        try:
            answers.append(ask())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failures.append(error)
        finally:
            told.close()

    try:
        start_new_thread(work, ())
        while not (yield Wait((over,), max(deadline.remaining(), 1.0))):
            pass
    finally:
        over.close()
    if failures:
        raise failures[0]
    return answers[0]


class _SideBySide:
    """Steps that are carried out together: what is ready goes on, and when one is over the next begins."""

    def __init__(self, calls: Sequence[Steps[_Outcome]]) -> None:
        self._calls = calls
        self._fresh = iter(range(len(calls)))
        self._outcomes: dict[int, _Outcome] = {}
        self._poller = select.poll()
        # The turn and what is waited for, by the number of a call.
        self._waits: dict[int, tuple[int, Wait]] = {}
        self._owners: dict[int, int] = {}  # calls by the number of a socket they wait for
        self._timers: list[tuple[float, int, int]] = []
        self._turn = 0  # tells a wait from an earlier one of the same call

    def run(self, most: int) -> list[_Outcome]:
        try:
            for _ in range(most):
                self._begin()
            while self._waits:
                for number, ready in self._ready().items():
                    self._resume(number, ready)
            return [self._outcomes[number] for number in range(len(self._calls))]
        finally:
            for call in self._calls:
                call.close()

    def _begin(self) -> None:
        for number in self._fresh:
            if self._go_on(number, None):
                break

    def _go_on(self, number: int, ready: Sequence[socket.socket] | None) -> bool:
        try:
            # The first step is sent nothing, because nobody asked for anything yet.
            wait = self._calls[number].send(cast("Sequence[socket.socket]", ready))
        except StopIteration as stop:
            outcome = self._outcomes[number] = stop.value
            if isinstance(outcome, ArchalError):
                forget(outcome)
            return False
        self._turn += 1
        self._waits[number] = self._turn, wait
        until = time.monotonic() + wait.seconds
        heapq.heappush(self._timers, (until, self._turn, number))
        for sock in wait.socks:
            self._poller.register(sock, events(wait))
            self._owners[sock.fileno()] = number
        return True

    def _resume(self, number: int, ready: Sequence[socket.socket]) -> None:
        for sock in self._waits.pop(number)[1].socks:
            self._poller.unregister(sock)
            del self._owners[sock.fileno()]
        if not self._go_on(number, ready):
            self._begin()

    def _ready(self) -> dict[int, list[socket.socket]]:
        timers = self._timers
        while self._waits.get(timers[0][2], (0,))[0] != timers[0][1]:  # its wait is over
            heapq.heappop(timers)
        left = timers[0][0] - time.monotonic()
        numbers = {number for number, _ in self._poller.poll(min(max(left, 0), LONGEST) * 1000)}
        found: dict[int, list[socket.socket]] = {}
        for owner in {self._owners[number] for number in numbers}:
            socks = self._waits[owner][1].socks
            found[owner] = [sock for sock in socks if sock.fileno() in numbers]
        # Looked at each time: a peer that always has one byte more keeps no other call from its end.
        now = time.monotonic()
        while timers and timers[0][0] <= now:
            _, turn, number = heapq.heappop(timers)
            if self._waits.get(number, (0,))[0] == turn:
                found.setdefault(number, [])
        return found


def _on_threads(tasks: Sequence[Callable[[], _Outcome]], most: int) -> list[_Outcome]:
    left = deque(enumerate(tasks))
    results: dict[int, _Outcome] = {}
    failures: list[BaseException] = []

    def work(busy: threading.Lock) -> None:
        try:
            while not failures:
                try:
                    number, task = left.popleft()
                except IndexError:  # none is left
                    return
                results[number] = task()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failures.append(error)
        finally:
            busy.release()

    threads = [threading.Lock() for _ in range(min(most, len(tasks)))]
    try:
        for busy in threads:
            busy.acquire()
            start_new_thread(work, (busy,))
        for busy in threads:
            busy.acquire()
    except BaseException:
        left.clear()  # what is under way ends by its own limits, and holds up no exit
        raise
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(tasks))]
