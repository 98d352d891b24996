"""Hosted sessions: what the control plane says of one, and what it is asked for.

This module owns the model of a session, what is made of one that is not as it should be, and the limits of what a
creation may ask for. It must not send anything.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import msgspec

from archal_lambda.core.json import decode, encode_finite
from archal_lambda.core.request import Request
from archal_lambda.errors import DecodeError

__all__ = ["Session", "SessionFields", "SessionId", "SessionList", "creation", "read_sessions"]

# What a session holds, and what may come: null stands where a session that starts has nothing yet.
if TYPE_CHECKING:
    _Names = list[str]
    _Texts = dict[str, str]
    _Anything = dict[str, Any]
else:
    _Names = list[str] | None
    _Texts = dict[str, str | None] | None
    _Anything = dict[str, Any] | None
_MAPS = ("endpoints", "api_base_urls", "mcp", "resolved_seeds")
_MOMENTS = ("created_at", "expires_at", "ended_at")
_MAX_IDEMPOTENCY_KEY = 200  # characters; Archal OpenAPI 0.3.0
_RANGES = {  # the same source, CreateSessionRequest
    "ttl_seconds": (1, 86_400),
    "scenario_run_count": (1, 1_000),
    "rate_limit": (1, 100_000),
}
_TYPES = {"scenario_id": str, "transport": str, "preflight_only": bool}


class Session(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A hosted session of clones (`SessionSummary`, Archal OpenAPI 0.3.0).

    Null in place of a map or a list, as a session that starts may have it, is read as an empty one, and a URL or a seed
    that is null is left out. A time without a zone is taken for UTC.

    Args:
        session_id: Opaque identifier.
        status: An open string; `starting`, `running`, `ended` and `failed` are documented.
        clone_ids: The clones of the session.
        endpoints: Clone to general URL.
        api_base_urls: Clone to REST base URL; prefer these.
        created_at: When it was created, with time zone.
        expires_at: When it ends by itself; read it, the server may cap a requested lifetime.
        alive: Whether the runtime answers, where the server says so.
        mcp: Clone to MCP URL.
        resolved_seeds: Clone to the name of its seed.
        evidence: Free-form.
        runtime_provider: What runs the clones.
        scenario_id: The scenario the session was made for.
        batch_id: The batch it belongs to.
        batch_suite_name: The suite of that batch.
        ended_at: When it ended, with time zone; None while it has not.
        last_error: Why it failed, in the server's words.
    """

    __module__ = "archal_lambda"

    session_id: str
    status: str
    clone_ids: _Names = []
    endpoints: _Texts = {}
    api_base_urls: _Texts = {}
    created_at: datetime
    expires_at: datetime
    alive: bool | None = None
    mcp: _Texts = {}
    resolved_seeds: _Texts = {}
    evidence: _Anything = {}
    runtime_provider: str | None = None
    scenario_id: str | None = None
    batch_id: str | None = None
    batch_suite_name: str | None = None
    ended_at: datetime | None = None
    last_error: str | None = None

    def __post_init__(self) -> None:
        fields = cast("Any", self)  # as they came
        put = msgspec.structs.force_setattr
        put(self, "clone_ids", fields.clone_ids or [])
        put(self, "evidence", fields.evidence or {})
        for name in _MAPS:
            given: dict[str, str | None] = getattr(fields, name) or {}
            put(self, name, {key: text for key, text in given.items() if text is not None})
        for name in _MOMENTS:
            moment = getattr(fields, name)
            if moment is not None and moment.tzinfo is None:
                put(self, name, moment.replace(tzinfo=UTC))


class SessionId(msgspec.Struct, frozen=True, rename="camel"):
    """What is needed of a session that is otherwise unreadable: to stop it."""

    session_id: Annotated[str, msgspec.Meta(min_length=1)]


class SessionList(list[Session]):
    """Sessions, in the server's order; a list.

    Args:
        sessions: Those that could be read.
        unreadable: The ids of the others.

    Attributes:
        unreadable: Per session that is listed but cannot be read, its id, or None where not even that can be. Stop
            them by their ids: they may run, and be billed.
    """

    __module__ = "archal_lambda"

    def __init__(
        self, sessions: Iterable[Session] = (), unreadable: Iterable[str | None] = ()
    ) -> None:
        super().__init__(sessions)
        self.unreadable = list(unreadable)


class SessionFields(TypedDict, total=False):
    """The optional fields of a creation (`CreateSessionRequest`, Archal OpenAPI 0.3.0); None leaves one out.

    `ttl_seconds` is 1 to 86,400 and a wish: read `expires_at`. `scenario_run_count` is 1 to 1,000. `rate_limit`
    is a budget of 1 to 100,000 requests, after which the clones answer 429. `seeds` maps clones to seed names.
    """

    scenario_id: str | None
    preflight_only: bool | None
    transport: str | None
    ttl_seconds: int | None
    scenario_run_count: int | None
    rate_limit: int | None
    seeds: dict[str, str] | None
    routing: dict[str, Any] | None
    source: dict[str, Any] | None
    credential: dict[str, Any] | None
    run_config: dict[str, Any] | None
    scenario_draft: dict[str, Any] | None
    run_project: dict[str, Any] | None


def read_sessions(listed: Iterable[msgspec.Raw]) -> SessionList:
    """Read each session by itself, so that one that cannot be read keeps no other back."""
    sessions = SessionList()
    for one in listed:
        try:
            sessions.append(decode(bytes(one), Session))
        except DecodeError:
            sessions.unreadable.append(_id_of(bytes(one)))
    return sessions


def _id_of(content: bytes) -> str | None:
    try:
        return decode(content, SessionId).session_id
    except DecodeError:
        return None


def creation(*, clones: Iterable[str], key: str | None, fields: SessionFields) -> Request:
    """Make the request that creates a session; a `ValueError` or `TypeError` names the argument at fault."""
    if isinstance(clones, str | bytes) or not isinstance(clones, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise TypeError("clones must be a list of clone ids")
    ids: list[object] = list(clones)
    if not ids or not all(isinstance(clone, str) and clone for clone in ids):
        raise ValueError("clones must be a list of one or more clone ids")
    headers: dict[str, str] = {}
    if key is not None:
        if not isinstance(key, str):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
            raise TypeError("idempotency_key must be a str")
        if not 1 <= len(key) <= _MAX_IDEMPOTENCY_KEY:
            raise ValueError(f"idempotency_key must have 1 to {_MAX_IDEMPOTENCY_KEY} characters")
        headers["Idempotency-Key"] = key
    body: dict[str, Any] = {"clones": ids}
    for name, value in fields.items():
        if value is not None:
            _check(name, value)
            body[_camel(name)] = value
    for name, value in [("clones", ids), *fields.items()]:
        _check_json(name, value)
    return Request("POST", "/api/sessions", json=body, headers=headers)


def _check(name: str, value: object) -> None:
    if name in _RANGES:
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be a whole number from {low} to {high}")
        if not low <= value <= high:
            raise ValueError(f"{name} must be from {low} to {high}")
    elif name == "seeds":
        seeds = cast("dict[object, object]", value) if isinstance(value, dict) else {None: None}
        if not all(isinstance(text, str) for pair in seeds.items() for text in pair):
            raise TypeError("seeds must be a dict of clone id to seed name")
    elif name not in SessionFields.__annotations__:
        raise TypeError(f"{name} is not a field of a session")
    elif not isinstance(value, _TYPES.get(name, dict)):
        raise TypeError(f"{name} must be a {_TYPES.get(name, dict).__name__}")


def _check_json(name: str, value: object) -> None:
    # The whole body is encoded later, where nobody knows the name any more.
    try:
        encode_finite(value, what=name)
    except (TypeError, ValueError, RecursionError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} contains something that JSON cannot") from None


def _camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word.title() for word in rest)
