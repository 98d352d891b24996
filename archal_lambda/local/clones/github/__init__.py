"""A stateful GitHub clone: users, repositories, issues, comments, labels and file contents.

This package owns GitHub's REST behaviour as published at docs.github.com/rest and described by GitHub's own OpenAPI
document, against which its responses are tested. Its breadth is frozen: what it serves is what is there. It must not
know Archal: it sees requests as `api.github.com` would, and writes that origin into `Link` and `Location`. URLs in
bodies begin with the base URL it is built with, because clients follow them from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.github import contents, issues, labels, repos
from archal_lambda.local.clones.github.call import Clone
from archal_lambda.local.clones.github.http import create_router, rate_limited
from archal_lambda.local.clones.github.state import SEEDS, State, plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

__all__ = ["SEEDS", "create_app", "rate_limited"]


def create_app(base_url: str, *, seed: str, clock: Callable[[], float]) -> ASGIApp:
    """Build one clone with a state of its own; `base_url` has no trailing slash."""
    clone = Clone(state=State(clock=clock), base_url=base_url)
    plant(clone.state, seed)
    tables = (repos.ROUTES, issues.ROUTES, labels.ROUTES, contents.ROUTES)
    return create_router(clone, [entry for table in tables for entry in table])
