"""The clones this stand-in can start: the built-in ones and those the user brings.

Owns what is particular to a clone from the proxy's point of view: how it is built, which origin it
believes to be, which seeds it has, and what it says when the request budget is spent. It must not
know sessions or tokens.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from archal_lambda.local import github
from archal_lambda.local._answers import json_answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.responses import Response
    from starlette.types import ASGIApp

DEFAULT_SEED = "empty"

_HOSTS = {
    "discord": "discord.com",
    "gitlab": "gitlab.com",
    "linear": "api.linear.app",
    "slack": "slack.com",
    "stripe": "api.stripe.com",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CloneKind:
    """One entry of the catalogue.

    Args:
        id: Clone id as in URLs.
        host: The host name the clone sees and writes into ``Link`` and ``Location``.
        seeds: Names of its seeds, the default first.
        build: Makes the clone from its public base URL and the seed's name.
        exhausted: Makes the 429 in the service's own shape, from the budget and the epoch seconds.
    """

    id: str
    host: str
    seeds: tuple[str, ...]
    build: Callable[[str, str], ASGIApp]
    exhausted: Callable[[int, float], Response]


def catalogue(
    extra: Mapping[str, Callable[[str], ASGIApp]], *, clock: Callable[[], float]
) -> dict[str, CloneKind]:
    """List every clone that can be started.

    Args:
        extra: Clone id to a factory that takes the clone's public base URL. An entry named
            ``github`` replaces the built-in clone.
        clock: Gives epoch seconds.

    Returns:
        Clone id to entry.
    """
    kinds = {
        "github": CloneKind(
            id="github",
            host=github.HOST,
            seeds=github.SEEDS,
            build=lambda base_url, seed: github.create_app(base_url, seed=seed, clock=clock),
            exhausted=github.rate_limited,
        )
    }
    return kinds | {name: _user_clone(name, factory) for name, factory in extra.items()}


def _user_clone(name: str, factory: Callable[[str], ASGIApp]) -> CloneKind:
    return CloneKind(
        id=name,
        host=_HOSTS.get(name, f"{name}.localhost"),
        seeds=(DEFAULT_SEED,),
        build=lambda base_url, _seed: factory(base_url),
        exhausted=_too_many_requests,
    )


def _too_many_requests(_limit: int, _now: float) -> Response:
    return json_answer({"message": "Too Many Requests"}, status=429, headers={"retry-after": "60"})
