"""The handles on the state over HTTP, with Archal's envelope where they refuse.

This module owns their paths, bodies and responses. It must not do anything that `Keeper` does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.server.admin import body_of
from archal_lambda.local.server.app import ApiError
from archal_lambda.local.server.keeper import GoneError
from archal_lambda.local.server.steering import check_moment

if TYPE_CHECKING:
    from starlette.requests import Request

    from archal_lambda.local.server.admin import Handle
    from archal_lambda.local.server.changes import Mark
    from archal_lambda.local.server.keeper import Keeper
    from archal_lambda.local.server.sessions import Session

__all__ = ["state_handles"]

_LISTED = 100  # sessions, the last ones

_B = TypeVar("_B", bound="_Body")


class _Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: str | None = None  # None for the ready one


class _OneOrAll(_Body, frozen=True, kw_only=True):
    clone: str | None = None  # None for all


class _ClockBody(_Body, frozen=True, kw_only=True):
    clone: str
    now: float | None = None  # epoch seconds
    forward: float | None = None  # seconds, from 0 up


def state_handles(keeper: Keeper, ready: str) -> list[tuple[str, Handle]]:
    """List the handles with their paths; `ready` is the session that is meant where none is named."""
    handles = _StateHandles(keeper, ready)
    return [
        ("GET /_archal/world", handles.world),
        ("GET /_archal/state", handles.state),
        ("POST /_archal/reset", handles.reset),
        ("POST /_archal/snapshots", handles.snapshot),
        ("POST /_archal/snapshots/{mark}/restore", handles.restore),
        ("GET /_archal/snapshots/{mark}/diff", handles.diff),
        ("POST /_archal/clock", handles.clock),
    ]


class _StateHandles:
    def __init__(self, keeper: Keeper, ready: str) -> None:
        self._keeper = keeper
        self._ready = ready

    async def world(self, request: Request) -> object:
        """Tell what there is, even of a session that has ended."""
        world, store = self._keeper.world, self._keeper.store
        session = store.get(request.query_params.get("session") or self._ready)
        if session is None:
            raise ApiError(404, "session_not_found", "the session does not exist")
        return {
            "session": session.id,
            "sessions": [world.summary(one) for one in self._listed(session)],
            "clones": world.clones(session),
            "marks": [mark.name for mark in self._keeper.marks(session)],
        }

    def _listed(self, chosen: Session) -> list[Session]:
        # The last ones, and those that are spoken of.
        every = self._keeper.store.all()
        older = [one for one in every[:-_LISTED] if one.id in {self._ready, chosen.id}]
        return [*older, *every[-_LISTED:]]

    async def state(self, request: Request) -> object:
        """Show every object."""
        session = self._session(request.query_params.get("session"))
        names = self._named(session, request.query_params.get("clone"))
        return await self._keeper.state(session, names)

    async def reset(self, request: Request) -> object:
        """Put clones back to their seeds."""
        session, body = await self._asked(request, _OneOrAll)
        await self._keeper.reset(session, self._named(session, body.clone))
        return None

    async def snapshot(self, request: Request) -> object:
        """Mark the state."""
        session, body = await self._asked(request, _OneOrAll)
        names = self._named(session, body.clone)
        mark = await self._keeper.snapshot(session, names, keep=True)
        return {"mark": mark.name}

    async def restore(self, request: Request) -> object:
        """Put clones back to a mark."""
        session, _ = await self._asked(request, _Body)
        await self._keeper.restore(session, self._mark(session, request))
        return None

    async def diff(self, request: Request) -> object:
        """List what has changed since a mark."""
        session = self._session(request.query_params.get("session"))
        changes = await self._keeper.diff(session, self._mark(session, request))
        told = [{**msgspec.structs.asdict(change), "text": str(change)} for change in changes]
        return {"changes": told}

    async def clock(self, request: Request) -> object:
        """Put a clone's clock."""
        session, body = await self._asked(request, _ClockBody)
        (name,) = self._named(session, body.clone)
        clock = await self._keeper.clock(session, name)
        by, now = body.forward, body.now
        if (now is None) == (by is None):
            raise _invalid("now or forward is needed, and not both")
        if by is not None and by < 0:
            raise _invalid("forward must be 0 seconds or more")
        try:
            now = check_moment(clock() + (by or 0.0) if now is None else now)
        except ConfigurationError as error:
            name = "now" if by is None else "forward"
            raise _invalid(f"{name} {error.reason}") from None
        return {"now": clock.set(now)}

    async def _asked(self, request: Request, type_: type[_B]) -> tuple[Session, _B]:
        body: _B = await body_of(request, type_)
        return self._session(body.session), body

    def _session(self, session_id: str | None) -> Session:
        try:
            return self._keeper.session(session_id or self._ready)
        except GoneError as error:
            status = 502 if error.code == "session_failed" else 404
            raise ApiError(status, error.code, str(error)) from None

    def _named(self, session: Session, clone: str | None) -> tuple[str, ...]:
        if clone is None:
            return self._keeper.world.stateful(session)
        if clone not in session.clones:
            raise ApiError(404, "clone_not_found", "the session has no such clone")
        return (clone,)

    def _mark(self, session: Session, request: Request) -> Mark:
        for mark in self._keeper.marks(session):
            if mark.name == request.path_params["mark"]:
                return mark
        raise ApiError(404, "mark_not_found", "the session has no such mark")


def _invalid(reason: str) -> ApiError:
    return ApiError(400, "invalid_request", reason)
