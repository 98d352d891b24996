"""A stateful GitHub clone: users, repositories, issues, comments, labels and file contents.

This package owns GitHub's REST behaviour as published at docs.github.com/rest and described by GitHub's own OpenAPI
document, against which its responses are tested. Its breadth is frozen: what it serves is what is there, and the rest
of GitHub is 501. It must not know Archal: it sees requests as `api.github.com` would, and writes that origin into
`Link` and `Location`. URLs in bodies begin with the base URL it is built with, because clients follow them from there.
"""

from __future__ import annotations

from archal_lambda.local.clones.github import contents, issues, labels, repos
from archal_lambda.local.clones.github.call import Clone
from archal_lambda.local.clones.github.http import create_router, rate_limited, routes_of
from archal_lambda.local.clones.github.state import SEEDS, State, plant
from archal_lambda.local.clones.github.tools import create_mcp
from archal_lambda.local.clones.running import Place, Running

__all__ = ["ROUTES", "SEEDS", "rate_limited", "start"]

_TABLES = (repos.ROUTES, issues.ROUTES, labels.ROUTES, contents.ROUTES)
_RESOURCES = [entry for table in _TABLES for entry in table]
ROUTES = routes_of(_RESOURCES)  # method and path template of each operation


async def start(place: Place) -> Running:
    """Start one clone with a state of its own."""
    clone = Clone(state=State(clock=place.clock), base_url=place.base_url)
    plant(clone.state, place.seed)
    api = create_router(clone, _RESOURCES)
    return Running(api, create_mcp(api))
