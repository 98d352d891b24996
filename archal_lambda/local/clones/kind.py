"""The clones this stand-in can start: the built-in ones and those the user brings.

This module owns what is particular to a clone from the proxy's point of view: how it is built, which origin it takes
itself for, which seeds it has, and what it says when the request budget is spent. It must not know sessions or tokens.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import msgspec
from starlette.responses import Response

from archal_lambda.core.services import SERVICES
from archal_lambda.local.clones import github
from archal_lambda.local.clones.user import UserClone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp

    from archal_lambda.local.clones.running import Place, Running

__all__ = ["CloneKind", "catalogue", "host_of", "too_many_requests"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CloneKind:
    """One entry of the catalogue."""

    id: str
    host: str  # what the clone sees, and writes into `Link` and `Location`
    seeds: tuple[str, ...]  # the default first
    start: Callable[[Place], Awaitable[Running]]
    exhausted: Callable[
        [int, float], Response
    ]  # the service's own 429, from budget and epoch seconds
    mcp: bool = False  # whether it has MCP
    stateful: bool = (
        True  # whether it is asked where the state of all is; a server of the user's own is not
    )
    eager: bool = False  # whether it starts with its session, and not with its first request
    # Reads a seed of the user's own, or says in a `SeedError` what is wrong with it; None takes names only.
    read_seed: Callable[[object], object] | None = None
    custom: Mapping[str, object] = dataclasses.field(
        default_factory=dict[str, object]
    )  # by name, as read
    # Method and path template of each operation that is built, where that is known.
    routes: Sequence[tuple[str, str]] = ()


def catalogue(extra: Mapping[str, Callable[[str], ASGIApp]]) -> dict[str, CloneKind]:
    """List every clone that can be started; an extra one replaces a built-in one of the same id."""
    kinds = {
        "github": CloneKind(
            id="github",
            host=host_of("github"),
            seeds=github.SEEDS,
            start=github.start,
            exhausted=github.rate_limited,
            mcp=True,
            read_seed=github.read_seed,
            routes=github.ROUTES,
        )
    }
    return kinds | {name: _user_clone(name, factory) for name, factory in extra.items()}


def host_of(name: str) -> str:
    """Give the host that a clone takes itself for."""
    service = SERVICES.get(name)
    return service.hosts[0] if service is not None and service.hosts else f"{name}.localhost"


def _user_clone(name: str, factory: Callable[[str], ASGIApp]) -> CloneKind:
    async def start(place: Place) -> Running:
        return UserClone(factory, place.base_url)

    return CloneKind(
        id=name, host=host_of(name), seeds=("empty",), start=start, exhausted=too_many_requests
    )


def too_many_requests(_limit: int, _now: float) -> Response:
    """Respond in no service's particular shape."""
    return Response(
        msgspec.json.encode({"message": "Too Many Requests"}),
        status_code=429,
        headers={"retry-after": "60"},
        media_type="application/json",
    )
