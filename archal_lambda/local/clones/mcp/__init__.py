"""The Model Context Protocol over HTTP, for any clone that has tools.

This package owns the wire: both eras of the protocol, JSON and SSE, sessions, and every refusal. It must not know a
service: what there is to list, call and read comes in as a `Catalogue`, whose tools ask the clone's own REST
application in process, so that state, checks and errors are one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.mcp.catalogue import Catalogue
from archal_lambda.local.clones.mcp.http import McpApp

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["create_app"]


def create_app(api: ASGIApp, catalogue: Catalogue) -> ASGIApp:
    """Put the tools of a catalogue in front of a clone's REST application; it serves the one path `/mcp`."""
    return McpApp(api, catalogue)
