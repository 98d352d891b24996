"""Idle connections, kept for the next call.

This module owns which connection is used again and for how long. It must not open one, nor know what travels on it.

Servers close what is idle for too long, and a request that crosses with that is lost: nobody knows whether it was
carried out. So a connection is given up before its server does so. Age is wall-clock time: the monotonic clock stands
still while Lambda freezes the process, and the server's does not. Every call looks at the age of all connections,
whichever client and server they belong to, so that those of an ended session do not wait for a call that never comes.

There is one store for all clients, a dict from the one used longest ago to the one used last. It has no lock, because a
call may be made in a signal handler, by the very thread that would hold it: what `pop` gives to one is nobody else's.
"""

from __future__ import annotations

import math
import os
import re
import weakref
from collections.abc import Callable

from archal_lambda.core.patterns import lazy
from archal_lambda.core.snapshot import at_restore
from archal_lambda.transports._connection import Connection

__all__ = ["MAX_IDLE", "MAX_IDLE_SECONDS", "ConnectionPool", "idle_seconds"]

# uvicorn and Node close after 5 s, gunicorn after 2 s; the rest of a second is for the way there.
MAX_IDLE_SECONDS = 4.0
MAX_IDLE = 256  # connections: a wide fan-out, and a quarter of the 1,024 descriptors of a function
_MAX_HINTED_SECONDS = (
    15.0  # load balancers and NAT on the way forget idle connections, whatever the server says
)
_MARGIN_SECONDS = 1.0  # the server's time began when it had sent the response, and ends when the next request arrives
_HINT = lazy(r"(?:^|[,;\s])timeout\s*=\s*\"?([0-9]{1,9})", re.IGNORECASE)

_Entry = tuple[
    object, str, float, float
]  # whose, to which origin, since when, for how many seconds


def idle_seconds(hint: str, default: float) -> float:
    """Tell how long a connection may be idle by the server's `Keep-Alive` field; `default` if it does not say."""
    timeouts = _HINT.findall(hint)
    if not timeouts:
        return default
    return min(max(min(map(int, timeouts)) - _MARGIN_SECONDS, 0.0), _MAX_HINTED_SECONDS)


class ConnectionPool:
    """Idle connections by origin (scheme, host and port).

    `usable` tells whether a connection is still in step with its peer.
    """

    def __init__(
        self, *, usable: Callable[[Connection], bool], wall_clock: Callable[[], float]
    ) -> None:
        self._usable = usable
        self._wall_clock = wall_clock
        self._owner = object()
        # A client that is dropped unclosed must not leave its sockets to the garbage collector.
        weakref.finalize(self, _close_all, self._owner)

    def take(self, origin: str) -> Connection | None:
        """Take the freshest usable connection, the caller's from now on; those too old or out of step are closed."""
        if not _idle:
            return None
        now = self._wall_clock()
        if not _aging.looked <= now < _aging.due:
            _aging.drop_the_old(now)
        for connection in reversed([*_idle]):  # listed in one step, whatever other threads do
            owner, to, since, seconds = _idle.get(connection, _GONE)
            if owner is not self._owner or to != origin or _idle.pop(connection, None) is None:
                continue  # another's, or taken by another thread meanwhile
            # Below 0 the clock was set back, and the age is unknown.
            if 0 <= now - since < seconds and self._usable(connection):
                return connection
            connection.close()
        return None

    def put(self, origin: str, connection: Connection, seconds: float) -> None:
        """Keep a connection whose last response was read to its end, for so many seconds."""
        now = self._wall_clock()
        _idle[connection] = (self._owner, origin, now, seconds)
        if now + seconds < _aging.due:  # noqa: PLR1730 - each call comes by here, and min() takes longer
            _aging.due = now + seconds
        if len(_idle) > MAX_IDLE:
            for oldest in list(_idle)[:-MAX_IDLE]:
                _drop(oldest)

    def close(self) -> None:
        """Close every connection kept."""
        _close_all(self._owner)


class _Aging:
    """When the next idle connection is too old: until then there is nothing to look for among all of them."""

    def __init__(self) -> None:
        self.due = math.inf
        self.looked = 0.0

    def drop_the_old(self, now: float) -> None:
        self.looked, self.due = now, math.inf
        for connection in list(_idle):
            _, _, since, seconds = _idle.get(connection, _GONE)
            if 0 <= now - since < seconds:
                self.due = min(self.due, since + seconds)
            else:
                _drop(connection)


def _drop(connection: Connection) -> None:
    if _idle.pop(connection, None) is not None:
        connection.close()


def _close_all(owner: object) -> None:
    for connection in list(_idle):
        entry = _idle.get(connection)
        if entry is not None and entry[0] is owner:
            _drop(connection)


def _drop_all() -> None:
    for connection in list(_idle):
        _drop(connection)


_GONE: _Entry = (None, "", 0.0, 0.0)
_idle: dict[Connection, _Entry] = {}
_aging = _Aging()
# A connection inherited by a forked process is the parent's: both would read each other's responses.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drop_all)
# Lambda SnapStart: connections opened before the snapshot are dead after a restore, and nobody says so.
at_restore(_drop_all)
