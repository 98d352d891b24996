"""The body of ``POST /api/sessions``: decoding and every rule about it.

Owns the CreateSessionRequest schema (Archal OpenAPI 0.3.0, createSession). It must not create
anything; a rule that is broken becomes a 400 that names the field as on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from archal_lambda.local._answers import ApiError
from archal_lambda.local._sessions import MAX_TTL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archal_lambda.local._catalogue import CloneKind

MAX_IDEMPOTENCY_KEY = 200
"""Characters (Archal OpenAPI 0.3.0, parameter IdempotencyKey)."""

_SHOWN = 60
_MAX_MESSAGE = 300

_JsonObject = dict[str, object]


class CreateSession(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"
):
    """CreateSessionRequest of Archal OpenAPI 0.3.0; what this stand-in cannot act on is kept."""

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


_DECODER = msgspec.json.Decoder(CreateSession)
_FINGERPRINT = msgspec.json.Encoder(order="sorted")


def parse_create(body: bytes) -> CreateSession:
    """Decode a body.

    Args:
        body: The request body; its content type does not matter.

    Returns:
        The decoded request.

    Raises:
        ApiError: 400 ``invalid_json`` or ``invalid_request``; the message names the field.
    """
    try:
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_request", str(error)[:_MAX_MESSAGE]) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        # UnicodeDecodeError quotes the body, so its own text is not passed on.
        raise ApiError(400, "invalid_json", "the body must be a JSON object in UTF-8") from None


def fingerprint(request: CreateSession) -> bytes:
    """Spell a request in the one canonical way, to compare two by value.

    Args:
        request: A decoded request.

    Returns:
        JSON with sorted keys and all defaults filled in.
    """
    return _FINGERPRINT.encode(request)


def resolve_seeds(request: CreateSession, kinds: Mapping[str, CloneKind]) -> dict[str, str]:
    """Find the seed of every clone asked for.

    Args:
        request: A decoded request.
        kinds: The catalogue.

    Returns:
        Clone id to seed name, in the order asked for; a repeated clone counts once.

    Raises:
        ApiError: 400 naming ``clones`` or ``seeds`` for a name that is not in the catalogue.
    """
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
    """Hold the documented limit of the ``Idempotency-Key`` header.

    Args:
        key: The header's value, None if it was not sent.

    Raises:
        ApiError: 400 for more than 200 characters.
    """
    if key is not None and len(key) > MAX_IDEMPOTENCY_KEY:
        raise _invalid("Idempotency-Key", f"at most {MAX_IDEMPOTENCY_KEY} characters are allowed")


def _invalid(field: str, reason: str) -> ApiError:
    return ApiError(400, "invalid_request", f"{field}: {reason}")
