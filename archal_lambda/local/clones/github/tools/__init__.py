"""The GitHub clone's tools, named and shaped as GitHub's own MCP server has them (github/github-mcp-server).

This package owns which tools there are: those whose operations the clone's REST has. Older names that agents still
know, such as `create_issue`, give the whole object, as they did; the newer ones give what the newer server gives. It
must not know the wire, nor touch the clone's state: every tool goes through REST.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones import mcp
from archal_lambda.local.clones.github.tools import files, issues, labels, repos, resources
from archal_lambda.local.clones.mcp.catalogue import Catalogue

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["create_mcp"]

_TOOLS = (*repos.TOOLS, *issues.TOOLS, *labels.TOOLS, *files.TOOLS)
_CATALOGUE = Catalogue(
    name="github",
    title="GitHub (local clone)",
    instructions="Repositories, issues, labels and files of a GitHub clone that holds test data only.",
    tools={tool.name: tool for tool in _TOOLS},
    templates=resources.TEMPLATES,
    read=resources.read,
)


def create_mcp(api: ASGIApp) -> ASGIApp:
    """Put GitHub's tools in front of one clone's REST application."""
    return mcp.create_app(api, _CATALOGUE)
