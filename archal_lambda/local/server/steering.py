"""What a program can do to the state of the ready session from its own threads.

This module owns the public methods for it, and what they refuse. It must not know how a clone does it.
"""

import datetime as dt
import math
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones.kind import CloneKind
from archal_lambda.local.server.changes import Change, Mark
from archal_lambda.local.server.keeper import Keeper
from archal_lambda.local.server.sessions import Session
from archal_lambda.local.server.thread import ServerThread
from archal_lambda.local.server.world import CloneClock

__all__ = ["ClockHandle", "Steering", "check_moment"]

T = TypeVar("T")

_Work = Callable[[Keeper, Session], Coroutine[Any, Any, T]]
_LATEST = 253_370_764_800.0  # epoch seconds; the year 9999


class ClockHandle:
    """The clock of one clone of the ready session, apart from that of the session and of the other clones.

    It goes on from where it is put. `reset()` puts it back to the server's time, `restore()` as far ahead of that as it
    was when the mark was made. Programs under test keep their own clock: to have an issue that is 31 days old for them,
    put this clock 31 days back, open the issue, and put the clock forward again.

    Example:
        >>> import datetime
        >>> from archal_lambda.local import LocalArchal
        >>> with LocalArchal() as archal:
        ...     clock = archal.clock("github")
        ...     clock.set(datetime.datetime(2026, 1, 31, tzinfo=datetime.UTC))
        ...     clock.forward(datetime.timedelta(days=31))
        ...     datetime.datetime.fromtimestamp(clock.now, datetime.UTC).date().isoformat()
        '2026-03-03'
    """

    __module__ = "archal_lambda.local"

    def __init__(self, ask: Callable[[Callable[[CloneClock], float]], float]) -> None:
        self._ask = ask

    @property
    def now(self) -> float:
        """The clone's time, in epoch seconds."""
        return self._ask(lambda clock: clock())

    def set(self, now: dt.datetime | float) -> None:
        """Make it a moment, from which time goes on.

        Args:
            now: A datetime with a time zone, or epoch seconds, from 1970 to the year 9998.

        Raises:
            ConfigurationError: If `now` is not such a moment.
        """
        if isinstance(now, dt.datetime):
            if now.tzinfo is None:
                raise ConfigurationError("now", "must have a time zone, such as datetime.UTC")
            now = now.timestamp()
        moment = check_moment(_number("now", now))
        self._ask(lambda clock: clock.set(moment))

    def forward(self, by: dt.timedelta | float) -> None:
        """Put the clock forward.

        Args:
            by: A timedelta or a number of seconds, from 0 up; `set` can put it back.

        Raises:
            ConfigurationError: If `by` is not such a length of time, or goes beyond the year 9998.
        """
        seconds = by.total_seconds() if isinstance(by, dt.timedelta) else _number("by", by)
        if not 0 <= seconds < math.inf:
            raise ConfigurationError("by", "must be 0 seconds or more; set() can put it back")

        self._ask(lambda clock: clock.set(check_moment(clock() + seconds)))


def check_moment(now: float) -> float:
    """Refuse a moment that services could not spell."""
    if not 0 <= now < _LATEST:
        raise ConfigurationError("now", "must be a time from 1970 to the year 9998")
    return now


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(name, "must be a number of seconds or of the datetime module")
    try:
        return float(value)
    except OverflowError:
        return math.inf


class Steering:
    """The handles of `LocalArchal`; each has done its work when it returns, and may be used on any thread.

    The server's own thread is the exception, which runs `on_request` and the clones: it cannot wait for itself, and
    gets a `RuntimeError`.
    """

    _clones: tuple[str, ...]
    _kinds: Mapping[str, CloneKind]
    _thread: ServerThread | None
    _keeper: Keeper | None
    _session_id: str | None

    def reset(self, clone: str | None = None) -> None:
        """Put the clones of the ready session back to their seeds, and their clocks to the server's time.

        What was made by either door, REST or MCP, is gone when it returns. A request that is under way sees the state
        as it was or as it is, never a part of each. Ages in a seed count from the start of the clone, as before.

        Args:
            clone: Clone id; None for all but `upstreams`, whose state is nobody's here. Faults stay in force.

        Raises:
            ConfigurationError: If the session has no such clone.
            UnsupportedError: If a clone cannot be reset; the others are.
            RuntimeError: If the session has ended or failed, the server does not run, or this is its own thread.
        """
        names = self._named(clone)
        self._steer(lambda keeper, session: keeper.reset(session, names))

    def snapshot(self, clone: str | None = None) -> Mark:
        """Mark the state of the ready session, to go back to or to compare with.

        There may be as many marks as memory allows: one holds a copy of each clone's state, and it is given back with
        the mark. Clocks are part of it.

        Args:
            clone: Clone id; None for all but `upstreams`, of which each must be able to be marked.

        Returns:
            The mark.

        Raises:
            ConfigurationError: If the session has no such clone.
            UnsupportedError: If a clone cannot be marked.
            RuntimeError: As `reset`.
        """
        names = self._named(clone)
        return self._steer(lambda keeper, session: keeper.snapshot(session, names))

    def restore(self, mark: Mark) -> None:
        """Put the clones of a mark back to it, with their clocks.

        Args:
            mark: What `snapshot` gave. It stays good.

        Raises:
            ConfigurationError: If it is not a mark of this session.
            UnsupportedError: If a clone cannot be restored.
            RuntimeError: As `reset`.
        """
        self._steer(lambda keeper, session: keeper.restore(session, mark))

    def diff(self, mark: Mark) -> list[Change]:
        """List what has changed since a mark.

        Args:
            mark: What `snapshot` gave.

        Returns:
            One change for each object that came, went or is another, by clone, kind and key. What follows from the
            rest, such as the time of the last change, does not count.

        Raises:
            ConfigurationError: If it is not a mark of this session.
            UnsupportedError: If a clone cannot show its state.
            RuntimeError: As `reset`.
        """
        return self._steer(lambda keeper, session: keeper.diff(session, mark))

    def state(self, clone: str | None = None) -> dict[str, dict[str, dict[str, Any]]]:
        """Show every object of the ready session.

        Args:
            clone: Clone id; None for all.

        Returns:
            Clone id to kind to key to the object as JSON has it, in short. For one clone it is of the same shape:
            `archal.state("github")["github"]["issue"]["testuser/webshop#1"]["state"]`.

        Raises:
            ConfigurationError: If the session has no such clone.
            UnsupportedError: If a clone cannot show its state.
            RuntimeError: As `reset`.
        """
        names = self._named(clone)
        found = self._steer(lambda keeper, session: keeper.state(session, names))
        return {
            name: {kind: dict(objects) for kind, objects in kinds.items()}
            for name, kinds in found.items()
        }

    def clock(self, clone: str) -> ClockHandle:
        """Give the clock of a clone of the ready session.

        Args:
            clone: Clone id.

        Returns:
            A handle to it, whose use raises a `RuntimeError` as `reset` does, and an `UnsupportedError` if the clone
            has its own time, as extra clones have.

        Raises:
            ConfigurationError: If the session has no such clone.
        """
        (name,) = self._named(clone)

        def ask(work: Callable[[CloneClock], float]) -> float:
            async def ask(keeper: Keeper, session: Session) -> float:
                return work(await keeper.clock(session, name))

            return self._steer(ask)

        return ClockHandle(ask)

    def _named(self, clone: str | None) -> tuple[str, ...]:
        if clone is None:
            return tuple(name for name in self._clones if self._kinds[name].stateful)
        if clone not in self._clones:
            known = ", ".join(self._clones)
            raise ConfigurationError("clone", f"must be one of the session's: {known}")
        return (clone,)

    def _steer(self, work: _Work[T]) -> T:
        thread, keeper = self._thread, self._keeper
        if thread is None or keeper is None:
            raise RuntimeError("the local Archal does not run: use it as a context manager")

        async def steer() -> T:
            return await work(keeper, keeper.session(self._session_id or ""))

        return thread.call(steer())
