"""The state of a session's clones: back to the seeds, marked, back to a mark, told, and compared.

This module owns marks, and the order in which several clones do such a thing. It must not know HTTP or threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import weakref
from typing import TYPE_CHECKING, cast

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones.running import UnsupportedError
from archal_lambda.local.server.changes import Change, Mark, compare

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from archal_lambda.local.clones.running import StateOf
    from archal_lambda.local.server.sessions import Session, SessionStore
    from archal_lambda.local.server.world import CloneClock, World

__all__ = ["GoneError", "Keeper"]


class GoneError(RuntimeError):
    """There is no such session, or no longer; `code` is for Archal's envelope."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What a mark holds of one clone."""

    copy: object  # what the clone gave
    state: StateOf | None  # as it was then; None if the clone cannot tell
    ahead: float  # of its clock, in seconds


class Keeper:
    """Does one thing at a time to the state of the sessions of a world."""

    def __init__(self, *, world: World, store: SessionStore, clock: Callable[[], float]) -> None:
        self.world = world
        self.store = store
        self._clock = clock
        self._lock = asyncio.Lock()
        self._numbers = itertools.count(1)
        # What nobody can name any more is forgotten.
        self._parts: weakref.WeakKeyDictionary[Mark, dict[str, _Part]]
        self._parts = weakref.WeakKeyDictionary()
        self._kept: list[Mark] = []

    def session(self, session_id: str) -> Session:
        """Find a session whose state can be asked for."""
        session = self.store.get(session_id)
        if session is None:
            raise GoneError("session_not_found", "the session does not exist")
        if session.ended_at(self._clock()) is not None:
            raise GoneError("session_ended", "the session has ended")
        if session.failed_at is not None:
            raise GoneError("session_failed", f"the session has failed: {session.error}")
        return session

    def marks(self, session: Session) -> list[Mark]:
        """List the marks of a session, oldest first."""
        # A list at once: marks may be let go of on any thread.
        found = [ref() for ref in self._parts.keyrefs()]
        mine = [mark for mark in found if mark is not None and mark.session_id == session.id]
        return sorted(mine, key=lambda mark: int(mark.name[1:]))

    async def reset(self, session: Session, names: Iterable[str]) -> None:
        """Put clones and their clocks back to the beginning; one that cannot does not keep the others from it."""
        failures: list[Exception] = []
        async with self._lock:
            for name in names:
                try:
                    with _named(name):
                        clone = await self.world.started(session.id, name)
                        if clone is not None:  # one that has not begun is as its seed has it
                            self.world.clock_of(session.id, name).ahead = 0.0
                            await clone.reset()
                            self.world.forget_pending(session.id, name)
                except Exception as error:  # noqa: BLE001 - it is raised when all have been asked
                    failures.append(error)
        if failures:
            raise failures[0]

    async def snapshot(self, session: Session, names: Iterable[str], *, keep: bool = False) -> Mark:
        """Mark the state of clones; `keep` it until the session ends, even if nobody has the mark."""
        parts: dict[str, _Part] = {}
        async with self._lock:
            for name in names:
                with _named(name):
                    clone = await self.world.clone(session, name)
                    copy = await clone.snapshot()
                    state: StateOf | None = None
                    with contextlib.suppress(UnsupportedError):
                        state = await clone.state()
                ahead = self.world.clock_of(session.id, name).ahead
                parts[name] = _Part(copy=copy, state=state, ahead=ahead)
        mark = Mark(name=f"m{next(self._numbers)}", session_id=session.id, clones=tuple(parts))
        self._parts[mark] = parts
        self._kept = [one for one in self._kept if self._lives(one.session_id)]
        if keep:
            self._kept.append(mark)
        return mark

    async def restore(self, session: Session, mark: Mark) -> None:
        """Put clones and their clocks back to a mark."""
        parts = self._parts_of(session, mark)
        async with self._lock:
            for name, part in parts.items():
                with _named(name):
                    clone = await self.world.clone(session, name)
                    self.world.clock_of(session.id, name).ahead = part.ahead
                    await clone.restore(part.copy)
                    self.world.forget_pending(session.id, name)

    async def diff(self, session: Session, mark: Mark) -> list[Change]:
        """List what has changed since a mark."""
        found: list[Change] = []
        parts = self._parts_of(session, mark)
        async with self._lock:
            for name, part in parts.items():
                with _named(name):
                    after = await (await self.world.clone(session, name)).state()
                if part.state is None:  # it has learned to tell since
                    raise UnsupportedError(f"the {name} clone could not show its state at {mark}")
                found += compare(name, part.state, after)
        return found

    async def state(self, session: Session, names: Iterable[str]) -> dict[str, StateOf]:
        """Describe every object of clones."""
        found: dict[str, StateOf] = {}
        async with self._lock:
            for name in names:
                with _named(name):
                    found[name] = await (await self.world.clone(session, name)).state()
        return found

    async def clock(self, session: Session, name: str) -> CloneClock:
        """Give the clock of a clone that runs: what its seed calls 31 days old is so from before it is moved."""
        clone = await self.world.clone(session, name)
        if not clone.timed:
            raise UnsupportedError(f"the {name} clone cannot move its clock: it has its own time")
        return self.world.clock_of(session.id, name)

    def _parts_of(self, session: Session, mark: Mark) -> dict[str, _Part]:
        is_mark = isinstance(cast("object", mark), Mark)
        parts = self._parts.get(mark) if is_mark else None
        if parts is None or mark.session_id != session.id:
            raise ConfigurationError(
                "mark", f"must be one that snapshot() gave for the session {session.id}"
            )
        return parts

    def _lives(self, session_id: str) -> bool:
        session = self.store.get(session_id)
        return session is not None and session.ended_at(self._clock()) is None


@contextlib.contextmanager
def _named(name: str) -> Generator[None]:
    try:
        yield
    except UnsupportedError as error:
        raise UnsupportedError(f"the {name} clone {error}") from None
