"""One clone of one session while it runs: the doors to it, and what can be done with its state.

This module owns what every clone answers to, whoever wrote it. It must not know sessions, tokens or the proxy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from archal_lambda.local.webhooks.outbox import Outbox

__all__ = ["Place", "Running", "SeedError", "StateOf", "UnsupportedError"]

# Of each kind of object, such as `issue`, the objects as JSON has them, by what they are known by, such as
# `testuser/webshop#1`.
StateOf = Mapping[str, Mapping[str, object]]


class UnsupportedError(Exception):
    """A clone cannot do this with its state.

    Args:
        reason: Which clone, and what it cannot do.
    """

    __module__ = "archal_lambda.local"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class SeedError(Exception):
    """A seed document that a clone refuses; the words begin with the path of the key at fault."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a clone is to run, and how it begins."""

    base_url: str  # its public one, without a trailing slash
    seed: str  # the name of one of its kind's
    document: object = (
        None  # what its kind's `read_seed` gave, where the seed is one of the user's own
    )
    clock: Callable[[], float]  # epoch seconds, of this clone alone
    outbox: Outbox  # where it tells what happened
    failed: Callable[[str], None] = lambda _reason: (
        None
    )  # says that what the clone runs on has ended


class Running:
    """A running clone; what it cannot do raises `UnsupportedError`. All calls are made on the server's loop."""

    timed = False  # whether it lives by its place's clock, which can be moved

    def __init__(self, api: ASGIApp, mcp: ASGIApp | None = None) -> None:
        self.api = api
        self.mcp = mcp

    async def reset(self) -> None:
        """Go back to the seed; it is finished when it returns."""
        raise UnsupportedError("cannot be reset")

    async def snapshot(self) -> object:
        """Copy the state, for `restore`."""
        raise UnsupportedError("cannot give a snapshot of its state")

    async def restore(self, mark: object) -> None:  # noqa: ARG002 - what others can do
        """Go back to a state that `snapshot` gave, which stays as it is."""
        raise UnsupportedError("cannot go back to a snapshot")

    async def state(self) -> StateOf:
        """Describe every object."""
        raise UnsupportedError("cannot show its state")

    async def settle(self) -> int:
        """Have told what happened before; count what is still to be told."""
        return 0

    async def close(self) -> None:
        """Let go of what the clone holds."""
