"""Addresses to one connected socket: that of the first which answers.

This module owns the order in which addresses are tried and how long one is waited for before the next is tried besides
(RFC 8305, "Happy Eyeballs"). All are waited for at once. It must not resolve names.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from itertools import zip_longest

from archal_lambda.transports._resolve import Address
from archal_lambda.transports._steps import Steps, Wait

__all__ = ["connect"]

_PAUSE = 0.25  # seconds; the Connection Attempt Delay of RFC 8305, section 5
_MAX_REMEMBERED = 256  # hosts; a session has one of its own


def connect(
    key: tuple[str, int], addresses: list[Address], left: Callable[[], float]
) -> Steps[socket.socket]:
    """Connect to one of the addresses of a host, `key` being its name and port; the socket never blocks.

    `left` returns the seconds left, or raises what ends the wait. Of the sockets under way, all but the one returned
    are closed.
    """
    ordered = _in_order(key, addresses)
    trying: dict[socket.socket, Address] = {}
    try:
        sock = yield from _race(ordered, left, trying)
        address = trying.pop(sock)
    finally:
        for other in trying:
            other.close()
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
    addresses: list[Address], left: Callable[[], float], trying: dict[socket.socket, Address]
) -> Steps[socket.socket]:
    untried = addresses[::-1]
    failure = OSError("the name has no address")
    while untried or trying:
        seconds = left()
        if untried:
            # Where the time is short each address gets an equal share of it.
            seconds = min(_PAUSE, seconds / len(untried))
            address = untried.pop()
            try:
                _begin(address, trying)
            except OSError as error:  # the kernel may lack the family, or know no way there
                failure = error
                continue
        for sock in (yield Wait(tuple(trying), seconds, write=True)):
            reason = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not reason and _is_connected(sock):
                left()
                return sock
            if not reason:
                continue
            failure = OSError(reason, os.strerror(reason))
            del trying[sock]
            sock.close()
    raise failure


def _is_connected(sock: socket.socket) -> bool:
    # An event loop may be told of a socket that had the same number before a fork.
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def _begin(address: Address, trying: dict[socket.socket, Address]) -> None:
    family, kind, protocol, _, where = address
    sock = socket.socket(family, kind, protocol)
    trying[sock] = address
    try:
        # A request goes out in one or two writes; Nagle's algorithm would hold the second back until the peer's
        # delayed acknowledgement, about 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(0)
        with contextlib.suppress(BlockingIOError, InterruptedError):  # under way
            sock.connect(where)
    except OSError:
        del trying[sock]
        sock.close()
        raise


_answered: dict[tuple[str, int], object] = {}
