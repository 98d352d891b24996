"""Tools on the labels of a repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec

from archal_lambda.local.clones.github.tools.asking import (
    RepoArguments,
    ask,
    every,
    given,
    path_of,
    required,
)
from archal_lambda.local.clones.github.tools.shapes import Label, Labels
from archal_lambda.local.clones.mcp.catalogue import Tool, ToolResult, text

if TYPE_CHECKING:
    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["TOOLS"]

_ALL = "/repos/{owner}/{repo}/labels"
_ONE = "/repos/{owner}/{repo}/labels/{name}"


class _GetLabel(RepoArguments, frozen=True, kw_only=True):
    name: Annotated[str, msgspec.Meta(description="Name of the label")]


class _LabelWrite(RepoArguments, frozen=True, kw_only=True):
    method: Annotated[Literal["create", "update", "delete"], msgspec.Meta(description="What to do")]
    name: Annotated[str, msgspec.Meta(description="Name of the label")]
    new_name: (
        Annotated[str, msgspec.Meta(description="Its name from now on, for update")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    color: (
        Annotated[str, msgspec.Meta(description="Six hexadecimal digits; needed for create")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    description: (
        Annotated[str, msgspec.Meta(description="What the label means")] | msgspec.UnsetType
    ) = msgspec.UNSET


async def _get_label(rest: Rest, arguments: _GetLabel) -> ToolResult:
    path = path_of(_ONE, owner=arguments.owner, repo=arguments.repo, name=arguments.name)
    return ToolResult.of(Label.of(await ask(rest, "get label", "GET", path)))


async def _list_label(rest: Rest, arguments: RepoArguments) -> ToolResult:
    path = path_of(_ALL, owner=arguments.owner, repo=arguments.repo)
    return ToolResult.of(Labels.of(await every(rest, "list labels", path)))


async def _label_write(rest: Rest, arguments: _LabelWrite) -> ToolResult:
    one = path_of(_ONE, owner=arguments.owner, repo=arguments.repo, name=arguments.name)
    match arguments.method:
        case "create":
            required(arguments.color, "color")
            path = path_of(_ALL, owner=arguments.owner, repo=arguments.repo)
            body = given(arguments, "name", "color", "description")
            made = await ask(rest, "create label", "POST", path, body=body)
            name = made["name"]
        case "update":
            body = given(arguments, "new_name", "color", "description")
            made = await ask(rest, "update label", "PATCH", one, body=body)
            name = made["name"]
        case "delete":
            await ask(rest, "delete label", "DELETE", one)
            name = arguments.name
    return ToolResult(content=[text(f"label '{name}' {arguments.method}d successfully")])


TOOLS = (
    Tool(
        name="get_label",
        title="Get a label of a repository",
        description="Give one label of a repository by its name.",
        arguments=_GetLabel,
        run=_get_label,
        read_only=True,
        output=Label,
    ),
    Tool(
        name="list_label",
        title="List labels of a repository",
        description="List all labels of a repository.",
        arguments=RepoArguments,
        run=_list_label,
        read_only=True,
        output=Labels,
    ),
    Tool(
        name="label_write",
        title="Write labels of a repository",
        description="Create, change or delete a label of a repository; issue_write sets the labels of an issue.",
        arguments=_LabelWrite,
        run=_label_write,
        destructive=True,
    ),
)
