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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from starlette.types import ASGIApp

__all__ = ["CloneKind", "catalogue"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CloneKind:
    """One entry of the catalogue."""

    id: str
    host: str  # what the clone sees, and writes into `Link` and `Location`
    seeds: tuple[str, ...]  # the default first
    build: Callable[[str, str], ASGIApp]  # from its public base URL and a seed
    exhausted: Callable[
        [int, float], Response
    ]  # the service's own 429, from budget and epoch seconds
    # From its REST application, which the tools ask; None for a clone without MCP.
    mcp: Callable[[ASGIApp], ASGIApp] | None = None
    # Method and path template of each operation that is built, where that is known.
    routes: Sequence[tuple[str, str]] = ()


def catalogue(
    extra: Mapping[str, Callable[[str], ASGIApp]], *, clock: Callable[[], float]
) -> dict[str, CloneKind]:
    """List every clone that can be started; an extra one replaces a built-in one of the same id."""
    kinds = {
        "github": CloneKind(
            id="github",
            host=_host("github"),
            seeds=github.SEEDS,
            build=lambda base_url, seed: github.create_app(base_url, seed=seed, clock=clock),
            exhausted=github.rate_limited,
            mcp=github.create_mcp,
            routes=github.ROUTES,
        )
    }
    return kinds | {name: _user_clone(name, factory) for name, factory in extra.items()}


def _host(name: str) -> str:
    service = SERVICES.get(name)
    return service.hosts[0] if service is not None and service.hosts else f"{name}.localhost"


def _user_clone(name: str, factory: Callable[[str], ASGIApp]) -> CloneKind:
    return CloneKind(
        id=name,
        host=_host(name),
        seeds=("empty",),
        build=lambda base_url, _seed: factory(base_url),
        exhausted=_too_many_requests,
    )


def _too_many_requests(_limit: int, _now: float) -> Response:
    return Response(
        msgspec.json.encode({"message": "Too Many Requests"}),
        status_code=429,
        headers={"retry-after": "60"},
        media_type="application/json",
    )
