"""A stateful GitHub clone: users, repositories, issues, comments, labels and file contents.

This package owns GitHub's REST behaviour as published at docs.github.com/rest and described by GitHub's own OpenAPI
document, against which its responses are tested. Its breadth is frozen: what it serves is what is there, and the rest
of GitHub is 501. It must not know Archal: it sees requests as `api.github.com` would, and writes that origin into
`Link` and `Location`. URLs in bodies begin with the base URL it is built with, because clients follow them from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.github import contents, issues, labels, repos
from archal_lambda.local.clones.github.call import Clone
from archal_lambda.local.clones.github.http import create_router, rate_limited, routes_of
from archal_lambda.local.clones.github.state import SEEDS, State, plant
from archal_lambda.local.clones.github.tools import create_mcp

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

__all__ = ["ROUTES", "SEEDS", "create_app", "create_mcp", "rate_limited"]

_TABLES = (repos.ROUTES, issues.ROUTES, labels.ROUTES, contents.ROUTES)
_RESOURCES = [entry for table in _TABLES for entry in table]
ROUTES = routes_of(_RESOURCES)  # method and path template of each operation


def create_app(base_url: str, *, seed: str, clock: Callable[[], float]) -> ASGIApp:
    """Build one clone with a state of its own; `base_url` has no trailing slash."""
    clone = Clone(state=State(clock=clock), base_url=base_url)
    plant(clone.state, seed)
    return create_router(clone, _RESOURCES)
