"""The control plane: sessions, catalogue and the caller's identity.

Owns the routes of ``https://archal.ai`` a client needs (Archal OpenAPI 0.3.0), their statuses and
the SessionSummary on the wire. It must not keep state: sessions live in the store.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from archal_lambda.local._answers import (
    ApiError,
    bearer,
    envelope,
    json_answer,
    payload_too_large,
    unauthorized,
)
from archal_lambda.local._app import MAX_BODY
from archal_lambda.local._create import (
    check_idempotency_key,
    fingerprint,
    parse_create,
    resolve_seeds,
)
from archal_lambda.local._sessions import DEFAULT_TTL, IdempotencyConflictError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request

    from archal_lambda.local._app import Exchange
    from archal_lambda.local._catalogue import CloneKind
    from archal_lambda.local._create import CreateSession
    from archal_lambda.local._proxy import Proxy
    from archal_lambda.local._sessions import Session, SessionStore

_BODY = "archal.body"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    request: Request
    user: str
    body: bytes


class ControlPlane:
    """Answers everything that is not below ``/runtime/``.

    Args:
        users: Token to user.
        store: The sessions.
        kinds: The catalogue.
        clock: Gives epoch seconds.
        proxy: Knows the clones' URLs and holds their state.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str],
        store: SessionStore,
        kinds: Mapping[str, CloneKind],
        clock: Callable[[], float],
        proxy: Proxy,
    ) -> None:
        self._users = users
        self._store = store
        self._kinds = kinds
        self._clock = clock
        self._proxy = proxy
        self._app = Starlette(
            routes=[
                self._route("/auth/me", GET=self._me),
                self._route("/api/clones", GET=self._list_clones),
                self._route("/api/sessions", GET=self._list_sessions, POST=self._create),
                self._route("/api/sessions/{id}", GET=self._get, DELETE=self._delete),
            ],
            exception_handlers={ApiError: _refuse, HTTPException: _refuse_route},
        )
        # A redirect would be one more answer the API does not document.
        self._app.router.redirect_slashes = False

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one control-plane request.

        Args:
            exchange: The request, its body read.
        """
        exchange.scope[_BODY] = exchange.body
        await self._app(exchange.scope, exchange.replay, exchange.send)

    def _route(self, path: str, **handlers: Callable[[_Call], Response]) -> Route:
        async def dispatch(request: Request) -> Response:
            method = "GET" if request.method == "HEAD" else request.method
            return handlers[method](self._authenticate(request))

        return Route(path, dispatch, methods=list(handlers))

    def _authenticate(self, request: Request) -> _Call:
        user = self._users.get(bearer(request.scope["headers"], b"authorization") or "")
        if user is None:
            raise unauthorized("Authorization")
        body: bytes | None = request.scope[_BODY]
        if body is None:
            raise payload_too_large(MAX_BODY)
        return _Call(request=request, user=user, body=body)

    def _me(self, call: _Call) -> Response:
        return json_answer(
            {
                "userId": call.user,
                "email": None,
                "plan": "local",
                "selectedCloneIds": sorted(self._kinds),
                "managedEvaluatorAvailable": False,
            }
        )

    def _list_clones(self, _call: _Call) -> Response:
        clones = [{"id": kind.id, "seeds": kind.seeds} for kind in self._kinds.values()]
        return json_answer({"clones": clones})

    def _list_sessions(self, call: _Call) -> Response:
        active = self._store.active(owner=call.user, now=self._clock())
        return json_answer({"sessions": [self._summary(session) for session in active]})

    def _create(self, call: _Call) -> Response:
        key = call.request.headers.get("idempotency-key")
        check_idempotency_key(key)
        request = parse_create(call.body)
        seeds = resolve_seeds(request, self._kinds)
        if key is None:
            return json_answer(self._summary(self._start(call, request, seeds)))
        spelled = fingerprint(request)
        try:
            session = self._store.replay(owner=call.user, key=key, fingerprint=spelled)
        except IdempotencyConflictError:
            message = "the Idempotency-Key was used for another request"
            raise ApiError(409, "idempotency_key_reuse", message) from None
        if session is None:
            session = self._start(call, request, seeds)
            self._store.remember(session, key=key, fingerprint=spelled)
        return json_answer(self._summary(session))

    def _start(self, call: _Call, request: CreateSession, seeds: Mapping[str, str]) -> Session:
        return self._store.create(
            owner=call.user,
            seeds=seeds,
            now=self._clock(),
            ttl=request.ttl_seconds or DEFAULT_TTL,
            rate_limit=request.rate_limit or None,
            scenario_id=request.scenario_id or None,
        )

    def _get(self, call: _Call) -> Response:
        return json_answer(self._summary(self._owned(call)))

    def _delete(self, call: _Call) -> Response:
        session, now = self._owned(call), self._clock()
        if session.ended_at(now) is not None:
            raise ApiError(404, "session_ended", "the session has ended")
        self._store.stop(session, now=now)
        self._proxy.forget(session.id)
        return Response(status_code=204)

    def _owned(self, call: _Call) -> Session:
        session = self._store.get(call.request.path_params["id"])
        if session is None:
            raise ApiError(404, "session_not_found", "there is no such session")
        if session.owner != call.user:
            raise ApiError(403, "forbidden", "the session belongs to another user")
        return session

    def _summary(self, session: Session) -> dict[str, object]:
        now = self._clock()
        bases = {name: self._proxy.base_url(session.id, name) for name in session.clones}
        ended_at = session.ended_at(now)
        return {
            "sessionId": session.id,
            "status": session.status(now),
            "alive": session.status(now) == "running",
            "cloneIds": session.clones,
            "endpoints": bases,
            "apiBaseUrls": bases,
            "mcp": {},
            "resolvedSeeds": session.seeds,
            "evidence": {},
            "runtimeProvider": "local",
            "scenarioId": session.scenario_id,
            "batchId": None,
            "batchSuiteName": None,
            "createdAt": timestamp(session.created_at),
            "expiresAt": timestamp(session.expires_at),
            "endedAt": None if ended_at is None else timestamp(ended_at),
            "lastError": None,
        }


def timestamp(seconds: float) -> str:
    """Spell a moment as RFC 3339 in UTC.

    Args:
        seconds: Epoch seconds.

    Returns:
        For example ``2026-01-31T08:00:00.000Z``.
    """
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette types handlers for any exception
    return envelope(error)


async def _refuse_route(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    allowed = dict(error.headers or {})
    if allowed:
        refusal = ApiError(405, "method_not_allowed", "use another method", headers=allowed)
    else:
        refusal = ApiError(404, "not_found", "there is no such route")
    return envelope(refusal)
