"""A stateful GitHub clone: users, repositories, issues, comments, labels, file contents and hooks.

This package owns GitHub's REST behaviour as published at docs.github.com/rest and described by GitHub's own OpenAPI
document, against which its responses are tested. Its breadth is frozen: what it serves is what is there, and the rest
of GitHub is 501. It must not know Archal: it sees requests as `api.github.com` would, and writes that origin into
`Link` and `Location`. URLs in bodies begin with the base URL it is built with, because clients follow them from there.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

from archal_lambda.local.clones.github import (
    comments,
    contents,
    deliveries,
    hooks,
    issues,
    labels,
    repos,
)
from archal_lambda.local.clones.github.call import Clone
from archal_lambda.local.clones.github.http import create_router, rate_limited, routes_of
from archal_lambda.local.clones.github.inventory import describe
from archal_lambda.local.clones.github.planting import SEEDS, named, plant
from archal_lambda.local.clones.github.seeds import Document
from archal_lambda.local.clones.github.seeds import read as read_seed
from archal_lambda.local.clones.github.state import State
from archal_lambda.local.clones.github.tools import create_mcp
from archal_lambda.local.clones.running import Place, Running

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from archal_lambda.local.clones.running import StateOf

__all__ = ["ROUTES", "SEEDS", "rate_limited", "read_seed", "start"]

# The order counts: the path of all comments must come before that of one issue.
_TABLES = (
    repos.ROUTES,
    comments.ROUTES,
    issues.ROUTES,
    labels.ROUTES,
    contents.ROUTES,
    hooks.ROUTES,
    deliveries.ROUTES,
)
_RESOURCES = [entry for table in _TABLES for entry in table]
ROUTES = routes_of(_RESOURCES)  # method and path template of each operation


class _GitHub(Running):
    """One clone; its state is replaced as a whole between two operations, whichever door they came through."""

    timed = True

    # Copies are kept pickled: a backlog of 150 issues is back in half a millisecond, and `deepcopy` takes seven times
    # as long. They never leave the process.

    def __init__(self, clone: Clone, api: ASGIApp) -> None:
        super().__init__(api, create_mcp(api))
        self._clone = clone
        self._seed = pickle.dumps(clone.state)

    async def reset(self) -> None:
        self._become(self._seed)

    async def snapshot(self) -> object:
        return pickle.dumps(self._clone.state)

    async def restore(self, mark: object) -> None:
        assert isinstance(mark, bytes)  # noqa: S101 - `snapshot` gave it
        self._become(mark)

    async def state(self) -> StateOf:
        return describe(self._clone.state)

    def _become(self, copy: bytes) -> None:
        state: State = pickle.loads(copy)  # noqa: S301 - as above
        state.clock = self._clone.state.clock
        self._clone.state = state


async def start(place: Place) -> Running:
    """Start one clone with a state of its own."""
    clone = Clone(state=State(clock=place.clock), base_url=place.base_url, outbox=place.outbox)
    document = place.document if isinstance(place.document, Document) else named(place.seed)
    plant(clone.state, document)
    return _GitHub(clone, create_router(clone, _RESOURCES))
