"""Names to addresses, in bounded time.

This module owns the wait for the resolver, which has no timeout of its own. It must not open a socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from _thread import start_new_thread
from collections.abc import Callable
from typing import Any

from archal_lambda.transports._steps import Steps, Wait

__all__ = ["Address", "resolve"]

Address = tuple[Any, ...]

# Calls that need a name at the same time share one lookup, so that a resolver that hangs holds one thread for all of
# them. One that takes longer is joined by nobody: its question may be lost, and a new one answered at once.
_SHARED_SECONDS = 1.0


def resolve(host: str, port: int, left: Callable[[], float]) -> Steps[list[Address]]:
    """Resolve a name to what `socket.getaddrinfo` gives for TCP; `left` returns the seconds left, or raises.

    For an address nothing is asked of a resolver.
    """
    left()  # raises if there is none
    if _is_address(host):
        return _look_up(host, port)
    lookup = _shared(host, port)
    # An event would have a lock inside, which a signal handler could wait for, and an event loop cannot wait for one.
    over, told = socket.socketpair()
    lookup.waiting.append(told)
    try:
        # Again and again, for an event loop may be told of a socket that had this number before a fork.
        while not lookup.is_over:
            if not (yield Wait((over,), left())):
                raise TimeoutError("the name was not resolved in time")
    finally:
        over.close()
        with contextlib.suppress(
            ValueError
        ):  # the lookup is over, and has closed it or is about to
            lookup.waiting.remove(told)
            told.close()
    if isinstance(lookup.outcome, OSError):
        # Each thread adds its frames to what it raises.
        raise type(lookup.outcome)(*lookup.outcome.args)
    return lookup.outcome


class _Lookup:
    """A question to the resolver, on a thread of its own.

    The thread is left behind if it hangs, and ends when the C library's own limits do; it holds nothing but the name.
    """

    def __init__(self, host: str, port: int) -> None:
        self._key = host, port
        # Not monotonic: that clock stands still while Lambda freezes the process, and the answer is lost meanwhile.
        self._began = time.time()
        self._asker: int | None = threading.get_ident()
        self.is_over = False
        self.waiting: list[
            socket.socket
        ] = []  # one for each call that waits, closed when the lookup is over
        self.outcome: list[Address] | OSError = OSError("the resolver failed")

    def start(self) -> None:
        try:
            # Not threading's: to register one it holds a lock, which a signal handler could keep from this thread.
            start_new_thread(self._run, ())
        except RuntimeError:
            self._end(OSError("no thread could be started to resolve the name"))
        self._asker = None

    def joinable(self) -> bool:
        # One that this thread has yet to start was interrupted by a signal handler, which would wait for itself.
        waits_for_us = self._asker == threading.get_ident()
        young = 0 <= time.time() - self._began < _SHARED_SECONDS
        return young and not waits_for_us and not self.is_over

    def _run(self) -> None:
        outcome = self.outcome
        try:
            outcome = _look_up(*self._key)
        except OSError as error:
            outcome = error.with_traceback(None)
        finally:
            self._end(outcome)

    def _end(self, outcome: list[Address] | OSError) -> None:
        self.outcome = outcome
        self.is_over = True
        while self.waiting:
            with contextlib.suppress(IndexError):  # a call gave up meanwhile
                self.waiting.pop().close()
        if _under_way.get(self._key) is self:
            _under_way.pop(self._key, None)


def _shared(host: str, port: int) -> _Lookup:
    # No lock, which a signal handler could wait for on the thread that holds it. In a race one asks besides.
    mine = _Lookup(host, port)
    lookup = _under_way.setdefault((host, port), mine)
    if lookup is not mine:
        if lookup.joinable():
            return lookup
        _under_way[host, port] = mine
    mine.start()
    return mine


def _look_up(host: str, port: int) -> list[Address]:
    # A `BaseUrl` has an ASCII host. As text it would be put through IDNA all the same, which takes 2 ms to load.
    return list(socket.getaddrinfo(host.encode("ascii"), port, type=socket.SOCK_STREAM))


def _is_address(host: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    except OSError:
        return False
    return True


_under_way: dict[tuple[str, int], _Lookup] = {}
# The threads of the parent are not in a forked process.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_under_way.clear)
