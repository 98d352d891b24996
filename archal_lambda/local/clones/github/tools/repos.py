"""Tools on accounts and repositories."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec

from archal_lambda.local.clones.github.tools.asking import ask, given, path_of
from archal_lambda.local.clones.github.tools.shapes import Made, Me
from archal_lambda.local.clones.mcp.catalogue import Tool, ToolResult

if TYPE_CHECKING:
    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["TOOLS"]


class _Nothing(msgspec.Struct, frozen=True):
    """A tool without arguments."""


class _CreateRepository(
    msgspec.Struct, frozen=True, kw_only=True, rename={"auto_init": "autoInit"}
):
    name: Annotated[str, msgspec.Meta(description="Name of the new repository")]
    description: Annotated[str, msgspec.Meta(description="What it is for")] | msgspec.UnsetType = (
        msgspec.UNSET
    )
    organization: (
        Annotated[str, msgspec.Meta(description="Organization that owns it; you, if left out")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    private: Annotated[bool, msgspec.Meta(description="Whether only you see it")] = True
    auto_init: Annotated[bool, msgspec.Meta(description="Whether it begins with a README")] = False


async def _get_me(rest: Rest, _arguments: _Nothing) -> ToolResult:
    return ToolResult.of(Me.of(await ask(rest, "get user", "GET", "/user")))


async def _create_repository(rest: Rest, arguments: _CreateRepository) -> ToolResult:
    path = "/user/repos"
    if arguments.organization:
        path = path_of("/orgs/{org}/repos", org=arguments.organization)
    body = given(arguments, "name", "description", "private", "auto_init")
    return ToolResult.of(Made.of(await ask(rest, "create repository", "POST", path, body=body)))


TOOLS = (
    Tool(
        name="get_me",
        title="Get my user profile",
        description="Tell which GitHub account the calls are made with.",
        arguments=_Nothing,
        run=_get_me,
        read_only=True,
        output=Me,
    ),
    Tool(
        name="create_repository",
        title="Create repository",
        description="Create a repository in your account or in an organization.",
        arguments=_CreateRepository,
        run=_create_repository,
        output=Made,
    ),
)
