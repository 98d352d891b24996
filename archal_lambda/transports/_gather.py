"""Several things at once, on threads.

This module owns those threads, and what becomes of them when the one that waits for them is interrupted. It must not
know what they do.

An interruption is whatever the waiting thread's signal handlers raise, such as Ctrl-C. It is obeyed at once: what the
threads wait for is cancelled, so that they end. One that cannot be told, because it resolves a name, sets up TLS or is
in code of the caller's, is not waited for: it ends by its own limits, and holds up no exit.

The threads are of `_thread`, not `threading`: to register one, and to wait for it, `threading` holds locks, for which a
`gather()` in a signal handler would wait on the very thread that it interrupts.
"""

from __future__ import annotations

import time
from _thread import start_new_thread
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from archal_lambda.transports._connection import CancelHandle, current
from archal_lambda.transports._locks import FOREVER, Latch

__all__ = ["gather", "sleep"]

R = TypeVar("R")
T = TypeVar("T")

_GRACE = 0.1  # seconds for cancelled threads to end; closing a connection takes well below one


def gather(task: Callable[[T], R], items: Sequence[T], most: int) -> list[R]:
    """Do a task for each item, `most` at once, and return the results in order; what a task raises first is raised."""
    left = deque(enumerate(items))
    results: dict[int, R] = {}
    failures: list[BaseException] = []
    cancelled = Latch()

    def work(handle: CancelHandle, over: Latch) -> None:
        current.handle, current.cancelled = handle, cancelled
        try:
            while not failures:
                try:
                    number, item = left.popleft()
                except IndexError:  # none is left
                    return
                results[number] = task(item)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failures.append(error)
        finally:
            over.open()

    started: list[tuple[CancelHandle, Latch]] = []
    try:
        for _ in range(min(most, len(items))):
            started.append((CancelHandle(), Latch()))
            start_new_thread(work, started[-1])
        for _, over in started:
            over.wait(FOREVER)
    except BaseException:
        left.clear()
        cancelled.open()
        _end(started)
        raise
    if failures:
        raise failures[0]
    return [results[number] for number in range(len(items))]


def _end(started: Sequence[tuple[CancelHandle, Latch]]) -> None:
    for handle, _ in started:
        handle.cancel()
    until = time.monotonic() + _GRACE
    for _, over in started:
        over.wait(max(until - time.monotonic(), 0))


def sleep(seconds: float) -> None:
    """Wait, but not on if the call is cancelled meanwhile: then it fails as it is sent again."""
    cancelled = current.cancelled
    if cancelled is None:
        time.sleep(seconds)
    else:
        cancelled.wait(seconds)
