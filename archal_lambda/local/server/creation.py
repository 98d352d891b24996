"""What a request for a session says (Archal OpenAPI 0.3.0, `POST /api/sessions`).

This module owns every rule about that body. It must not create anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import msgspec

from archal_lambda.local.server.app import ApiError
from archal_lambda.local.server.sessions import MAX_TTL

if TYPE_CHECKING:
    from archal_lambda.local.clones.kind import CloneKind

__all__ = ["Creation", "check_idempotency_key", "fingerprint", "parse_creation", "resolve_seeds"]

_MAX_KEY = 200  # characters (Archal OpenAPI 0.3.0, parameter IdempotencyKey)
_SHOWN = 60
_MAX_MESSAGE = 300

_JsonObject = dict[str, object]


class Creation(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """`CreateSessionRequest`; what this stand-in cannot act on is kept."""

    clones: Annotated[list[str], msgspec.Meta(min_length=1)]
    scenario_id: str | msgspec.UnsetType = msgspec.UNSET
    preflight_only: bool = False
    transport: str = "cloud"
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=MAX_TTL)] | msgspec.UnsetType = msgspec.UNSET
    scenario_run_count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    rate_limit: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | msgspec.UnsetType = msgspec.UNSET
    routing: _JsonObject | msgspec.UnsetType = msgspec.UNSET
    seeds: dict[str, str] = {}
    source: _JsonObject | msgspec.UnsetType = msgspec.UNSET
    credential: _JsonObject | msgspec.UnsetType = msgspec.UNSET
    run_config: _JsonObject | msgspec.UnsetType = msgspec.UNSET
    scenario_draft: _JsonObject | msgspec.UnsetType = msgspec.UNSET
    run_project: _JsonObject | msgspec.UnsetType = msgspec.UNSET


_DECODER = msgspec.json.Decoder(Creation)
_CANONICAL = msgspec.json.Encoder(order="sorted")


def parse_creation(body: bytes) -> Creation:
    """Read the body of a creation."""
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_request", str(error)[:_MAX_MESSAGE]) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        # UnicodeDecodeError quotes the body, so its own text is not passed on.
        raise ApiError(400, "invalid_json", "the body must be a JSON object in UTF-8") from None


def fingerprint(request: Creation) -> bytes:
    """Spell a request in one canonical way, so that two are compared by value."""
    return _CANONICAL.encode(request)


def resolve_seeds(request: Creation, kinds: Mapping[str, CloneKind]) -> dict[str, str]:
    """Give the seed of each clone, in the order asked for; a clone named twice counts once."""
    for name in request.clones:
        if name not in kinds:
            known = ", ".join(sorted(kinds))
            raise _invalid("clones", f"unknown clone {name[:_SHOWN]!r}; available: {known}")
    for name, seed in request.seeds.items():
        if name not in request.clones:
            raise _invalid("seeds", f"{name[:_SHOWN]!r} is not among clones")
        if seed not in kinds[name].seeds:
            known = ", ".join(kinds[name].seeds)
            raise _invalid("seeds", f"unknown {name} seed {seed[:_SHOWN]!r}; available: {known}")
    return {name: request.seeds.get(name, kinds[name].seeds[0]) for name in request.clones}


def check_idempotency_key(key: str | None) -> None:
    """Refuse a key that is too long."""
    if key is not None and len(key) > _MAX_KEY:
        raise _invalid("Idempotency-Key", f"at most {_MAX_KEY} characters are allowed")


def _invalid(field: str, reason: str) -> ApiError:
    return ApiError(400, "invalid_request", f"{field}: {reason}")
