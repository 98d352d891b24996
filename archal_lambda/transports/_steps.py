"""Steps that wait for sockets, and the driver that blocks.

This module owns the seam between what a connection does and how this host waits. An exchange is a generator: where it
must wait it yields a `Wait`, and is sent the sockets that are ready, none if the time is up. What carries it out may
block (here), await (`_asyncio`), or do many at once on one thread (`_gather`). It must not know what travels.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Generator, Sequence
from typing import Any, TypeVar

__all__ = ["LONGEST", "Steps", "Wait", "block", "events", "run"]

T = TypeVar("T")

LONGEST = 2_000_000.0  # seconds; poll() counts milliseconds in 32 bits


class Wait:
    """Step: wait until one of the sockets can be read, or written, or either, for so many seconds at most."""

    __slots__ = ("poller", "read", "seconds", "socks", "watch", "write")

    def __init__(
        self,
        socks: Sequence[socket.socket],
        seconds: float,
        *,
        read: bool = False,
        write: bool = False,
    ) -> None:
        self.socks = socks
        self.seconds = seconds
        self.read = read or not write
        self.write = write
        self.poller: Any = None  # of `block`, which keeps it for a wait that is yielded again
        self.watch = 0  # the number of the one that knows the sockets, on an event loop


Steps = Generator[Wait, Sequence[socket.socket], T]


def run(steps: Steps[T]) -> T:
    """Carry steps out on this thread. Whatever interrupts it ends them, too."""
    try:
        wait = steps.send(None)  # type: ignore[arg-type]  # as next(), which looks for it first
        while True:
            wait = steps.send(block(wait))
    except StopIteration as stop:
        result: T = stop.value
        return result
    except BaseException:
        steps.close()
        raise


def events(wait: Wait) -> int:
    """Tell what `poll` is to look for."""
    return (select.POLLIN if wait.read else 0) | (select.POLLOUT if wait.write else 0)


def _poll(wait: Wait) -> Sequence[socket.socket]:
    poller = wait.poller
    if poller is None:
        poller = wait.poller = select.poll()
        for sock in wait.socks:
            poller.register(sock, events(wait))
    seconds = wait.seconds
    if seconds > LONGEST:  # noqa: PLR1730 - each call comes by here, and min() takes longer
        seconds = LONGEST
    ready = poller.poll(seconds * 1000)
    if not ready:
        return ()
    if len(ready) == len(wait.socks):
        return wait.socks
    numbers = {number for number, _ in ready}
    return [sock for sock in wait.socks if sock.fileno() in numbers]


def _select(wait: Wait) -> Sequence[socket.socket]:
    nothing: Sequence[socket.socket] = ()
    readers, writers = wait.socks if wait.read else nothing, wait.socks if wait.write else nothing
    # On Windows a connection that is refused is told of as an exception.
    found = select.select(readers, writers, writers, wait.seconds)
    return [sock for sock in wait.socks if any(sock in ready for ready in found)]


# The sockets of one process may have numbers that select() cannot take, but Windows has nothing else.
block = _poll if hasattr(select, "poll") else _select
