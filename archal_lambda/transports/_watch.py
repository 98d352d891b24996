"""Waiting for sockets on an asyncio event loop.

This module owns how a call waits there without a thread. It must not know what travels.

An event loop is slow to begin and to end watching a socket, and so is a timer for each wait. Where the kernel has
epoll, the loop watches one epoll of ours instead, for good, and all waits share one timer.
"""

from __future__ import annotations

import asyncio
import math
import select
import socket
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple, Protocol
from weakref import WeakKeyDictionary, ref

from archal_lambda.transports._steps import Wait, block

__all__ = ["EpollWatch", "ReaderWatch", "Watch", "watch_of"]

_Ready = Sequence[socket.socket]
_Found = asyncio.Future[_Ready]
_HAS_EPOLL = hasattr(select, "epoll")


class Watch(Protocol):
    """Waits on one event loop."""

    async def ready(self, wait: Wait) -> _Ready:
        """Give the sockets that are ready, none if the time is up; cancelled, it leaves nothing behind."""
        ...


class _Waiting(NamedTuple):
    found: _Found
    socks: _Ready
    numbers: list[int]  # kept, for a socket that is closed has none
    at: float


class EpollWatch:
    """Waits with an epoll that the loop watches. It tells of a socket once, and is then asked for it again.

    Whatever happens between two steps, such as a signal handler that raises, the next wait ends in time again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._number = next(_numbers)
        self._epoll = select.epoll()
        self._waiting: dict[int, _Waiting] = {}  # by the number of the socket
        self._due = math.inf  # when the earliest timer is
        self._timers: set[float] = set()  # not themselves, to which the loop is known
        loop.add_reader(self._epoll.fileno(), self._look)

    async def ready(self, wait: Wait) -> _Ready:
        """See `Watch`."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        numbers = [sock.fileno() for sock in wait.socks]
        waiting = _Waiting(loop.create_future(), wait.socks, numbers, now + wait.seconds)
        try:
            for number in numbers:
                self._waiting[number] = waiting
                self._arm(number, wait)
            wait.watch = self._number
            # A time that is over is that of a timer that was interrupted.
            if not now <= self._due <= waiting.at:
                self._set_timer(loop, waiting.at)
            return await waiting.found
        except BaseException:
            self._forget(waiting)
            raise

    def _arm(self, number: int, wait: Wait) -> None:
        ask = select.EPOLLONESHOT
        if wait.read:
            ask |= select.EPOLLIN
        if wait.write:
            ask |= select.EPOLLOUT
        if wait.watch != self._number:
            try:
                return self._epoll.register(number, ask)
            except FileExistsError:
                pass  # by another wait
        return self._epoll.modify(number, ask)

    def _look(self) -> None:
        for number, _ in self._epoll.poll(0):
            waiting = self._waiting.get(number)
            if waiting is not None:
                ready = [
                    sock
                    for sock, one in zip(waiting.socks, waiting.numbers, strict=True)
                    if one == number
                ]
                self._settle(waiting, ready)

    def _settle(self, waiting: _Waiting, ready: _Ready) -> None:
        _settle(waiting.found, ready)
        self._forget(waiting)

    def _forget(self, waiting: _Waiting) -> None:
        for number in waiting.numbers:
            if self._waiting.get(number) is waiting:
                del self._waiting[number]

    def _set_timer(self, loop: asyncio.AbstractEventLoop, at: float) -> None:
        if at not in self._timers:
            loop.call_at(at, self._late, at)
            self._timers.add(at)
        self._due = at

    def _late(self, due: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers.discard(due)
        if due == self._due:
            self._due = math.inf
        try:
            now = loop.time()
            for waiting in list(self._waiting.values()):
                if waiting.at <= now:
                    self._settle(waiting, ())
        finally:
            earliest = min((waiting.at for waiting in self._waiting.values()), default=math.inf)
            if earliest < self._due:
                self._set_timer(loop, earliest)


class ReaderWatch:
    """Waits with the loop's own means, where there is no epoll."""

    async def ready(self, wait: Wait) -> _Ready:
        """See `Watch`."""
        loop = asyncio.get_running_loop()
        found: _Found = loop.create_future()
        # By number: asyncio describes a socket in full each time it looks for it.
        numbers = [(sock.fileno(), sock) for sock in wait.socks]
        try:
            for number, sock in numbers:
                if wait.read:
                    loop.add_reader(number, _settle, found, (sock,))
                if wait.write:
                    loop.add_writer(number, _settle, found, (sock,))
        except NotImplementedError:  # the loop that Windows has by default
            return await loop.run_in_executor(None, block, wait)
        timer = loop.call_later(wait.seconds, _settle, found, ())
        try:
            return await found
        finally:
            timer.cancel()
            for number, _ in numbers:
                if wait.read:
                    loop.remove_reader(number)
                if wait.write:
                    loop.remove_writer(number)


def _settle(found: _Found, socks: _Ready) -> None:
    if not found.done():
        found.set_result(socks)


def watch_of(loop: asyncio.AbstractEventLoop) -> Watch:
    """Find what waits on a loop, or make it."""
    if not _HAS_EPOLL:
        return _READERS
    known = _watches.get(loop)
    watch = known() if known is not None else None
    if watch is None:
        try:
            watch = EpollWatch(loop)
        except (NotImplementedError, OSError):  # the loop cannot, or no descriptor is left
            return _READERS
        _watches[loop] = ref(watch)
    return watch


_READERS = ReaderWatch()
_numbers = count(1)
# Only the loop keeps its own, and closes the epoll as it is closed.
_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, ref[EpollWatch]] = WeakKeyDictionary()
