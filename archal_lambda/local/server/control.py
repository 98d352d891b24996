"""The control plane: sessions, catalogue and the caller's identity.

This module owns the routes of `https://archal.ai` that a client needs, and their statuses. It must not keep state:
sessions live in the store.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from archal_lambda.local.server.app import (
    ApiError,
    bearer,
    envelope,
    json_response,
    payload_too_large,
    unauthorized,
)
from archal_lambda.local.server.creation import (
    Creation,
    check_idempotency_key,
    fingerprint,
    parse_creation,
    resolve_seeds,
)
from archal_lambda.local.server.sessions import DEFAULT_TTL, ReusedKeyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from archal_lambda.local.clones.kind import CloneKind
    from archal_lambda.local.server.app import Exchange
    from archal_lambda.local.server.faults import FaultPlayer
    from archal_lambda.local.server.sessions import Session, SessionStore
    from archal_lambda.local.server.world import World

__all__ = ["ControlPlane"]

_EXCHANGE = "archal.exchange"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    request: Request
    user: str
    body: bytes
    exchange: Exchange


class ControlPlane:
    """Serves everything that is not below `/runtime/`."""

    def __init__(  # noqa: PLR0913 - the parts are wired together in one place
        self,
        *,
        users: Mapping[str, str],
        store: SessionStore,
        kinds: Mapping[str, CloneKind],
        clock: Callable[[], float],
        world: World,
        faults: FaultPlayer,
    ) -> None:
        self._users = users
        self._store = store
        self._kinds = kinds
        self._clock = clock
        self._world = world
        self._faults = faults
        self._app = Starlette(
            routes=[
                self._route("/auth/me", GET=self._me),
                self._route("/api/clones", GET=self._list_clones),
                self._route("/api/sessions", GET=self._list_sessions, POST=self._create),
                self._route("/api/sessions/{id}", GET=self._get, DELETE=self._delete),
            ],
            exception_handlers={ApiError: _refuse, HTTPException: _refuse_route},
        )
        # A redirect would be a response that the API does not document.
        self._app.router.redirect_slashes = False

    async def __call__(self, exchange: Exchange) -> None:
        """Serve one control-plane request."""
        exchange.scope[_EXCHANGE] = exchange
        await self._app(exchange.scope, exchange.replay, exchange.send)

    def _route(self, path: str, **handlers: Callable[[_Call], Awaitable[Response]]) -> Route:
        async def dispatch(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return await handlers[method](self._authenticate(request))

        return Route(path, dispatch, methods=list(handlers))

    def _authenticate(self, request: Request) -> _Call:
        user = self._users.get(bearer(request.scope["headers"], b"authorization") or "")
        if user is None:
            raise unauthorized("Authorization")
        exchange: Exchange = request.scope[_EXCHANGE]
        if exchange.body is None:
            raise payload_too_large()
        return _Call(request=request, user=user, body=exchange.body, exchange=exchange)

    async def _me(self, call: _Call) -> Response:
        return json_response(
            {
                "userId": call.user,
                "email": None,
                "plan": "local",
                "selectedCloneIds": sorted(self._kinds),
                "managedEvaluatorAvailable": False,
            }
        )

    async def _list_clones(self, _call: _Call) -> Response:
        clones = [{"id": kind.id, "seeds": kind.seeds} for kind in self._kinds.values()]
        return json_response({"clones": clones})

    async def _list_sessions(self, call: _Call) -> Response:
        active = self._store.active(owner=call.user, now=self._clock())
        return json_response({"sessions": [self._summary(session) for session in active]})

    async def _create(self, call: _Call) -> Response:
        key = call.request.headers.get("idempotency-key")
        check_idempotency_key(key)
        request = parse_creation(call.body)
        seeds = resolve_seeds(request, self._kinds)
        session = None if key is None else self._replayed(call, key, request)
        if session is None:
            session = self._store.create(
                owner=call.user,
                seeds=seeds,
                now=self._clock(),
                ttl=request.ttl_seconds or DEFAULT_TTL,
                rate_limit=request.rate_limit or None,
                scenario_id=request.scenario_id or None,
            )
            if key is not None:  # at once: the same creation may come again while the clones start
                self._store.remember(session, key=key, fingerprint=fingerprint(request))
        if session.status(self._clock()) in ("starting", "running"):
            await self._world.open(session)
        return json_response(self._summary(self._store.get(session.id) or session))  # as it is now

    def _replayed(self, call: _Call, key: str, request: Creation) -> Session | None:
        try:
            return self._store.replay(owner=call.user, key=key, fingerprint=fingerprint(request))
        except ReusedKeyError:
            message = "the Idempotency-Key was used for another request"
            raise ApiError(409, "idempotency_key_reuse", message) from None

    async def _get(self, call: _Call) -> Response:
        return json_response(self._summary(self._owned(call)))

    async def _delete(self, call: _Call) -> Response:
        session, now = self._owned(call), self._clock()
        if session.ended_at(now) is not None:
            raise ApiError(404, "session_ended", "the session has ended")
        failure = await self._faults.teardown(call.exchange)
        if failure is not None:
            return failure
        self._store.stop(session, now=now)
        await self._world.end(session.id)
        return Response(status_code=204)

    def _owned(self, call: _Call) -> Session:
        session = self._store.get(call.request.path_params["id"])
        if session is None:
            raise ApiError(404, "session_not_found", "the session does not exist")
        if session.owner != call.user:
            raise ApiError(403, "forbidden", "the session belongs to another user")
        return session

    def _summary(self, session: Session) -> dict[str, object]:
        return self._world.summary(session)


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette types handlers for any exception
    return envelope(error)


async def _refuse_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    allowed = dict(error.headers or {})
    if allowed:
        refusal = ApiError(405, "method_not_allowed", "use another method", headers=allowed)
    else:
        refusal = ApiError(404, "not_found", "the route does not exist")
    return envelope(refusal)
