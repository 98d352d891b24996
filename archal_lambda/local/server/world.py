"""The world: every clone that runs, by session.

This module owns their beginning and end, and the clock of each. It must not know HTTP, tokens or who asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from archal_lambda.local.clones.running import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archal_lambda.local.clones.kind import CloneKind
    from archal_lambda.local.clones.running import Running
    from archal_lambda.local.server.sessions import Session, SessionStore
    from archal_lambda.local.webhooks.dispatch import Dispatch

__all__ = ["CloneClock", "World"]

_logger = logging.getLogger("archal_lambda.local")


class CloneClock:
    """The time of one clone, in epoch seconds: the server's, moved by so many seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.ahead = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self._clock() + self.ahead

    def set(self, now: float) -> float:
        """Make it a moment, from which time goes on; give that moment."""
        self.ahead = now - self._clock()
        return now


class World:
    """Starts clones where they are needed, one for each session and clone, and ends them with their session."""

    def __init__(
        self,
        *,
        origin: str,
        store: SessionStore,
        kinds: Mapping[str, CloneKind],
        clock: Callable[[], float],
        dispatch: Dispatch,
    ) -> None:
        self._dispatch = dispatch
        self._origin = origin
        self._store = store
        self._kinds = kinds
        self._clock = clock
        self._running: dict[str, dict[str, asyncio.Task[Running]]] = {}
        self._clocks: dict[tuple[str, str], CloneClock] = {}

    def base_url(self, session_id: str, clone: str) -> str:
        """Compose a clone's public base URL, without a trailing slash."""
        return f"{self._origin}/runtime/{session_id}/{clone}/api"

    def mcp_url(self, session_id: str, clone: str) -> str:
        """Compose a clone's MCP URL."""
        return f"{self._origin}/runtime/{session_id}/{clone}/mcp"

    def summary(self, session: Session) -> dict[str, object]:
        """Render `SessionSummary` as it is now."""
        bases = {name: self.base_url(session.id, name) for name in session.clones}
        mcp = {
            name: self.mcp_url(session.id, name) for name in session.clones if self._kinds[name].mcp
        }
        return session.summary(self._clock(), bases=bases, mcp=mcp)

    def clones(self, session: Session) -> list[dict[str, object]]:
        """Tell of each clone where it is, how it began and what time it has."""
        return [
            {
                "id": name,
                "baseUrl": self.base_url(session.id, name),
                "seed": seed,
                "seeds": self._kinds[name].seeds,
                "now": self._clocks.get((session.id, name), self._clock)(),
            }
            for name, seed in session.seeds.items()
        ]

    def stateful(self, session: Session) -> tuple[str, ...]:
        """List the clones of a session that have a state here."""
        return tuple(name for name in session.clones if self._kinds[name].stateful)

    def clock_of(self, session_id: str, clone: str) -> CloneClock:
        """Give the clock of a clone."""
        return self._clocks.setdefault((session_id, clone), CloneClock(self._clock))

    async def open(self, session: Session) -> None:
        """Start the clones of a new session that do not wait for their first request; a failure is the session's."""
        eager = [name for name in session.clones if self._kinds[name].eager]
        try:
            await asyncio.gather(*(self.clone(session, name) for name in eager))
        except Exception as error:  # noqa: BLE001 - whatever it is, the session tells of it
            self._store.fail(session, str(error) or type(error).__name__, now=self._clock())

    async def begin(self, session: Session) -> None:
        """Start the clones of the session that is there from the beginning, which may not fail."""
        await self.open(session)
        current = self._store.get(session.id)
        if current is not None and current.error is not None:
            raise RuntimeError(f"the local Archal did not start: {current.error}")

    async def clone(self, session: Session, name: str) -> Running:
        """Give a running clone, started if it is the first time."""
        clones = self._running.setdefault(session.id, {})
        task = clones.get(name)
        if task is None:
            await self._sweep()
            place = Place(
                base_url=self.base_url(session.id, name),
                seed=session.seeds[name],
                document=self._kinds[name].custom.get(session.seeds[name]),
                clock=self.clock_of(session.id, name),
                outbox=self._dispatch.outbox(session.id, name),
                failed=lambda reason: self._store.fail(session, reason, now=self._clock()),
            )
            task = clones.setdefault(name, asyncio.ensure_future(self._kinds[name].start(place)))
        try:
            return await asyncio.shield(task)
        except Exception:
            clones.pop(name, None)  # another request may try again
            raise

    async def started(self, session_id: str, name: str) -> Running | None:
        """Give a clone if it runs, or is about to."""
        task = self._running.get(session_id, {}).get(name)
        return None if task is None else await asyncio.shield(task)

    async def settle(self) -> int:
        """Have every clone told what happened; count what is still to be told."""
        tasks = [task for clones in self._running.values() for task in clones.values()]
        running = [task.result() for task in tasks if task.done() and not task.exception()]
        return sum([await clone.settle() for clone in running])

    def forget_pending(self, session_id: str, clone: str) -> None:
        """Let nothing be delivered that a clone told before now, and that is not under way."""
        self._dispatch.drop(session_id, clone)

    async def end(self, session_id: str) -> None:
        """Close the clones of a session that has ended, and forget their state."""
        for key in [key for key in self._clocks if key[0] == session_id]:
            del self._clocks[key]
        for name, task in self._running.pop(session_id, {}).items():
            self.forget_pending(session_id, name)
            with contextlib.suppress(Exception):  # one that did not start has nothing to close
                clone = await task
                try:
                    await clone.close()
                except Exception:
                    _logger.exception("the %s clone did not close", name)

    async def close(self) -> None:
        """Close every clone."""
        for session_id in list(self._running):
            await self.end(session_id)

    async def _sweep(self) -> None:
        # Sessions end by time without anyone calling; their clones' memory is given back here.
        now = self._clock()
        for session_id in list(self._running):
            session = self._store.get(session_id)
            if session is None or session.ended_at(now) is not None:
                await self.end(session_id)
