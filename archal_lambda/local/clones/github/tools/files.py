"""Tools on the files of a repository."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Annotated

import msgspec

from archal_lambda.local.clones.github.tools import resources
from archal_lambda.local.clones.github.tools.asking import RepoArguments, ask, given, path_of
from archal_lambda.local.clones.mcp.catalogue import Json, Tool, ToolResult, text

if TYPE_CHECKING:
    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["TOOLS"]

_Message = Annotated[str, msgspec.Meta(description="Message of the commit")]
_Branch = Annotated[str, msgspec.Meta(description="Branch to commit to")]


class _GetFileContents(RepoArguments, frozen=True, kw_only=True):
    path: Annotated[str, msgspec.Meta(description="Path of a file or a directory")] = "/"
    ref: (
        Annotated[str, msgspec.Meta(description="Git ref, such as refs/heads/main")]
        | msgspec.UnsetType
    ) = msgspec.UNSET
    sha: (
        Annotated[str, msgspec.Meta(description="Commit; it is used instead of ref")]
        | msgspec.UnsetType
    ) = msgspec.UNSET


class _FileArguments(RepoArguments, frozen=True, kw_only=True):
    path: Annotated[str, msgspec.Meta(description="Path of the file")]
    message: _Message
    branch: _Branch


class _CreateOrUpdateFile(_FileArguments, frozen=True, kw_only=True):
    content: Annotated[str, msgspec.Meta(description="Content of the file, as it is")]
    sha: (
        Annotated[str, msgspec.Meta(description="Blob that is replaced; needed if the file exists")]
        | msgspec.UnsetType
    ) = msgspec.UNSET


def _path(arguments: _GetFileContents | _FileArguments) -> str:
    return path_of(
        "/repos/{owner}/{repo}/contents/{path}",
        owner=arguments.owner,
        repo=arguments.repo,
        path=arguments.path.strip("/"),
    )


def _is_file(found: object) -> bool:
    return isinstance(found, dict)  # a directory is the list of what is in it


async def _get_file_contents(rest: Rest, arguments: _GetFileContents) -> ToolResult:
    ref = arguments.sha or arguments.ref or ""
    path = _path(arguments).rstrip("/")
    found = await ask(rest, "get file contents", "GET", path, query={"ref": ref})
    if not _is_file(found):
        return ToolResult.of(found)
    content = resources.contents(found["path"], base64.b64decode(found["content"]))
    kind = "text" if "text" in content else "binary"
    uri = resources.uri_of(arguments.owner, arguments.repo, found["path"], ref=ref)
    said = f"successfully downloaded {kind} file (SHA: {found['sha']})"
    resource: Json = {"type": "resource", "resource": {"uri": uri, **content}}
    return ToolResult(content=[text(said), resource])


async def _create_or_update_file(rest: Rest, arguments: _CreateOrUpdateFile) -> ToolResult:
    body = given(arguments, "message", "branch", "sha")
    body["content"] = base64.b64encode(arguments.content.encode()).decode()
    path = _path(arguments)
    return ToolResult.of(await ask(rest, "create/update file", "PUT", path, body=body))


async def _delete_file(rest: Rest, arguments: _FileArguments) -> ToolResult:
    path = _path(arguments)
    query = {"ref": arguments.branch}
    found = await ask(rest, "get file contents", "GET", path, query=query)
    # A directory has no one blob; REST then says what is missing.
    sha = {"sha": found["sha"]} if _is_file(found) else {}
    body = given(arguments, "message", "branch") | sha
    return ToolResult.of(await ask(rest, "delete file", "DELETE", path, body=body))


TOOLS = (
    Tool(
        name="get_file_contents",
        title="Get file or directory contents",
        description="Give a file as a resource, or list a directory.",
        arguments=_GetFileContents,
        run=_get_file_contents,
        read_only=True,
    ),
    Tool(
        name="create_or_update_file",
        title="Create or update file",
        description="Write one file in a commit of its own; to replace one, give the sha it has now.",
        arguments=_CreateOrUpdateFile,
        run=_create_or_update_file,
        destructive=True,
    ),
    Tool(
        name="delete_file",
        title="Delete file",
        description="Delete one file in a commit of its own.",
        arguments=_FileArguments,
        run=_delete_file,
        destructive=True,
    ),
)
