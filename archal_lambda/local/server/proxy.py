"""The runtime proxy: `/runtime/{sessionId}/{cloneId}/api/{path}` for every verb, and `…/mcp` beside it.

This module owns the order of the checks (Archal docs, guides/direct-api-access) and the passing on of a request to its
clone. It must not decode what it passes on: path, query, headers and body reach the clone as they were sent, except
for the fields that `server.headers` stops.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import math
from typing import TYPE_CHECKING
from urllib.parse import unquote

from archal_lambda.local.server.app import (
    ApiError,
    bearer,
    envelope,
    payload_too_large,
    unauthorized,
)
from archal_lambda.local.server.headers import for_caller, for_clone
from archal_lambda.local.server.records import SeenByClone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import Message, Scope

    from archal_lambda.local.clones.kind import CloneKind
    from archal_lambda.local.server.app import Exchange
    from archal_lambda.local.server.faults import FaultPlayer
    from archal_lambda.local.server.records import Redactor
    from archal_lambda.local.server.sessions import Session, SessionStore
    from archal_lambda.local.server.world import World

__all__ = ["Proxy"]

_ROUTE_HEADER = b"x-route-authorization"
_API, _MCP = "api", "mcp"
_DOORS = frozenset({_API, _MCP})
_NOWHERE = (
    "a clone's path begins with /runtime/{sessionId}/{cloneId}/api, or is …/mcp if it has MCP"
)

_logger = logging.getLogger("archal_lambda.local")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Address:
    """What a path below `/runtime/` names; whether any of it exists is another matter."""

    session_id: str
    clone: str
    door: str
    path: bytes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    session: Session
    kind: CloneKind
    door: str
    path: bytes
    token_header: bytes  # the one that Archal's token came in, which the clone must not see


class Proxy:
    """Forwards authorized requests to in-process clones."""

    def __init__(  # noqa: PLR0913 - the parts are wired together in one place
        self,
        *,
        users: Mapping[str, str],
        store: SessionStore,
        kinds: Mapping[str, CloneKind],
        world: World,
        clock: Callable[[], float],
        redactor: Redactor,
        faults: FaultPlayer,
    ) -> None:
        self._users = users
        self._store = store
        self._kinds = kinds
        self._world = world
        self._clock = clock
        self._redactor = redactor
        self._faults = faults

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one request below `/runtime/`."""
        try:
            target = await self._admit(exchange)
        except ApiError as error:
            await envelope(error)(exchange.scope, exchange.replay, exchange.send)
            return
        if not self._store.spend(target.session):
            limit = target.session.rate_limit or 0
            clock = self._world.clock_of(target.session.id, target.kind.id)
            response = target.kind.exhausted(limit, clock())
            await response(exchange.scope, exchange.replay, exchange.send)
            return
        path = None if target.door == _MCP else target.path
        go = functools.partial(self._forward, exchange, target)
        await self._faults.call(exchange, target.kind.id, path, go)

    async def _admit(self, exchange: Exchange) -> _Target:
        address = _split(exchange.scope["raw_path"])
        headers = exchange.scope["headers"]
        token_header = _ROUTE_HEADER
        if address.door == _MCP and not any(name == _ROUTE_HEADER for name, _ in headers):
            token_header = b"authorization"  # as MCP clients send it, which know one credential
        user = self._users.get(bearer(headers, token_header) or "")
        if user is None:
            raise unauthorized("x-route-authorization")
        target = await self._resolve(exchange, user, address, token_header)
        if exchange.body is None:
            raise payload_too_large()
        return target

    async def _resolve(
        self, exchange: Exchange, user: str, address: _Address, token_header: bytes
    ) -> _Target:
        session_id, clone = address.session_id, address.clone
        session = self._store.get(session_id)
        if session is None:
            raise ApiError(404, "session_not_found", "the session does not exist")
        if session.owner != user:
            raise ApiError(403, "forbidden", "the session belongs to another user")
        exchange.session_id = session.id
        now = self._clock()
        if session.ended_at(now) is not None:
            await self._world.end(session.id)
            raise ApiError(404, "session_ended", "the session has ended")
        if clone not in session.clones:
            raise ApiError(404, "clone_not_found", "the session has no such clone")
        exchange.clone = clone
        kind = self._kinds[clone]
        if address.door not in _DOORS or (address.door == _MCP and not kind.mcp):
            raise ApiError(404, "not_found", _NOWHERE)
        if session.status(now) == "failed":
            raise ApiError(
                502, "session_failed", f"the session has failed: {session.error}; make another one"
            )
        if session.status(now) == "starting":
            wait = str(math.ceil(session.ready_at - now))
            headers = {"retry-after": wait}
            raise ApiError(503, "session_starting", "the session is starting", headers=headers)
        return _Target(
            session=session,
            kind=kind,
            door=address.door,
            path=address.path,
            token_header=token_header,
        )

    async def _forward(self, exchange: Exchange, target: _Target) -> None:
        base = self._world.base_url(target.session.id, target.kind.id)
        scope = _clone_scope(exchange, target)
        redactor = self._redactor.of(exchange.scope["headers"])
        exchange.clone_saw = SeenByClone(
            method=scope["method"],
            path=redactor.text(scope["raw_path"]),
            query=redactor.query(scope["query_string"]),
            headers=redactor.headers(scope["headers"]),
        )
        started = False

        async def send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                exchange.tool = scope["state"].get("tool")
                headers = for_caller(message.get("headers", ()), host=target.kind.host, base=base)
                message = {**message, "headers": headers}
            await exchange.send(message)

        try:
            clone = await self._world.clone(target.session, target.kind.id)
            door = clone.mcp if target.door == _MCP and clone.mcp is not None else clone.api
            await door(scope, exchange.replay, send)
        except Exception:
            _logger.exception("the %s clone failed", target.kind.id)
        if not started:
            failed = ApiError(502, "clone_failed", f"the {target.kind.id} clone did not answer")
            await envelope(failed)(exchange.scope, exchange.replay, exchange.send)


def _split(raw_path: bytes) -> _Address:
    # Only the two ids are decoded; the clone's own path stays as the caller wrote it.
    _, _, *pieces = raw_path.split(b"/", 5)
    session_id, clone, door, rest = [*pieces, b"", b"", b""][:4]
    path = b"/" + rest
    if door == _MCP.encode():  # below which there is nothing
        path = b"/mcp" + (path if len(pieces) > 3 else b"")  # noqa: PLR2004 - the fourth piece
    return _Address(
        session_id=unquote(session_id.decode("ascii")),
        clone=unquote(clone.decode("ascii")),
        door=door.decode("ascii"),
        path=path,
    )


def _clone_scope(exchange: Exchange, target: _Target) -> Scope:
    received = exchange.scope
    length = len(exchange.body or b"")
    passed = [pair for pair in received["headers"] if pair[0] != target.token_header]
    return {
        "type": "http",
        "asgi": received["asgi"],
        "http_version": received["http_version"],
        "method": received["method"],
        "scheme": "https",
        "server": (target.kind.host, 443),
        "client": received["client"],
        "root_path": "",
        "path": unquote(target.path.decode("ascii")),
        "raw_path": target.path,
        "query_string": received["query_string"],
        "headers": for_clone(passed, host=target.kind.host, length=length),
        "state": {},
    }
