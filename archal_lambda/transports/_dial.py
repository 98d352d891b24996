"""Addresses to one connected socket: that of the first which answers.

This module owns the order in which addresses are tried and how long one is waited for before the next is tried besides
(RFC 8305, "Happy Eyeballs"). All are waited for at once on the caller's own thread. It must not resolve names.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Callable
from itertools import zip_longest

from archal_lambda.transports._resolve import Address

__all__ = ["connect"]

_PAUSE = 0.25  # seconds; the Connection Attempt Delay of RFC 8305, section 5
_MAX_REMEMBERED = 256  # hosts; a session has one of its own
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)  # no file of its own


def connect(
    key: tuple[str, int],
    addresses: list[Address],
    left: Callable[[], float],
    trying: list[socket.socket],
) -> socket.socket:
    """Connect to one of the addresses of a host, `key` being its name and port.

    `left` returns the seconds left, or raises what ends the wait. `trying` has the sockets under way, for another
    thread to shut down; all but the one returned are closed.
    """
    ordered = _in_order(key, addresses)
    try:
        sock, address = _race(ordered, left, trying)
    finally:
        while trying:
            trying.pop().close()
    if address is not ordered[0]:
        if len(_answered) >= _MAX_REMEMBERED:
            _answered.clear()
        _answered[key] = address[4]
    return sock


def _in_order(key: tuple[str, int], addresses: list[Address]) -> list[Address]:
    if len(addresses) < 2:  # noqa: PLR2004 - nothing to order
        return addresses
    # The families in turn (RFC 8305, section 4): where one of them does not work, none of its addresses does.
    first = [one for one in addresses if one[0] == addresses[0][0]]
    others = [one for one in addresses if one[0] != addresses[0][0]]
    ordered = [one for pair in zip_longest(first, others) for one in pair if one is not None]
    best = _answered.get(key)
    return sorted(ordered, key=lambda one: one[4] != best)


def _race(
    addresses: list[Address], left: Callable[[], float], trying: list[socket.socket]
) -> tuple[socket.socket, Address]:
    untried = addresses[::-1]
    failure = OSError("the name has no address")
    with _Selector() as selector:
        while untried or trying:
            seconds = left()
            if untried:
                # Where the time is short each address gets an equal share of it.
                seconds = min(_PAUSE, seconds / len(untried))
                address = untried.pop()
                try:
                    sock = _begin(address, trying)
                except OSError as error:  # the kernel may lack the family, or know no way there
                    failure = error
                    continue
                selector.register(sock, selectors.EVENT_WRITE, (sock, address))
                seconds = min(seconds, left())  # another thread may have given up meanwhile
            for ready, _ in selector.select(seconds):
                sock, address = ready.data
                reason = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if not reason:
                    sock.settimeout(left())
                    trying.remove(sock)
                    return sock, address
                failure = OSError(reason, os.strerror(reason))
                selector.unregister(sock)
                _end(sock, trying)
    raise failure


def _begin(address: Address, trying: list[socket.socket]) -> socket.socket:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    trying.append(sock)
    try:
        # A request goes out in one or two writes; Nagle's algorithm would hold the second back until the peer's
        # delayed acknowledgement, about 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(0)
        with contextlib.suppress(BlockingIOError, InterruptedError):  # under way
            sock.connect(where)
    except OSError:
        _end(sock, trying)
        raise
    return sock


def _end(sock: socket.socket, trying: list[socket.socket]) -> None:
    trying.remove(sock)
    sock.close()


_answered: dict[tuple[str, int], object] = {}
