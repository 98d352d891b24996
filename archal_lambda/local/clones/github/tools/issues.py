"""Tools on issues and their comments."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github.tools.asking import (
    IssueArguments,
    RepoArguments,
    ask,
    every,
    given,
    path_of,
    required,
)
from archal_lambda.local.clones.github.tools.issue_arguments import (
    AddIssueComment,
    CreateIssue,
    GetIssueComments,
    IssueRead,
    IssueWrite,
    ListIssues,
    UpdateIssue,
)
from archal_lambda.local.clones.github.tools.shapes import (
    Comment,
    Issue,
    Issues,
    Labels,
    Made,
    PageInfo,
)
from archal_lambda.local.clones.mcp.catalogue import BadArgumentError, Tool, ToolResult

if TYPE_CHECKING:
    from typing import Any

    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["TOOLS"]

_NEW = ("title", "body", "labels", "assignees", "milestone")
_CHANGED = (*_NEW, "state", "state_reason")
_SORTS = {"CREATED_AT": "created", "UPDATED_AT": "updated", "COMMENTS": "comments"}
_CURSOR = "issues:"


def _all(arguments: RepoArguments) -> str:
    return path_of("/repos/{owner}/{repo}/issues", owner=arguments.owner, repo=arguments.repo)


def _one(arguments: RepoArguments, number: int) -> str:
    return f"{_all(arguments)}/{number}"


async def _get(rest: Rest, arguments: IssueArguments) -> Any:  # noqa: ANN401 - as `ask`
    path = _one(arguments, arguments.issue_number)
    return await ask(rest, "get issue", "GET", path)


async def _comments(rest: Rest, arguments: GetIssueComments) -> Any:  # noqa: ANN401 - as `ask`
    path = _one(arguments, arguments.issue_number) + "/comments"
    query = {"page": arguments.page, "per_page": arguments.per_page}
    return await ask(rest, "get issue comments", "GET", path, query=query)


async def _create(rest: Rest, arguments: CreateIssue | IssueWrite) -> Any:  # noqa: ANN401 - as `ask`
    body = given(arguments, *_NEW)
    return await ask(rest, "create issue", "POST", _all(arguments), body=body)


async def _update(rest: Rest, arguments: UpdateIssue | IssueWrite) -> Any:  # noqa: ANN401 - as `ask`
    path = _one(arguments, required(arguments.issue_number, "issue_number"))
    return await ask(rest, "update issue", "PATCH", path, body=given(arguments, *_CHANGED))


async def _list_issues(rest: Rest, arguments: ListIssues) -> ToolResult:
    start = _offset(arguments.after)
    query = {
        "state": "all" if arguments.state is msgspec.UNSET else arguments.state.lower(),
        "labels": "" if arguments.labels is msgspec.UNSET else ",".join(arguments.labels),
        "sort": _SORTS[arguments.order_by],
        "direction": arguments.direction.lower(),
        "since": "" if arguments.since is msgspec.UNSET else arguments.since,
    }
    found = await every(rest, "list issues", _all(arguments), query)
    end = min(start + arguments.per_page, len(found))
    info = PageInfo(
        has_next_page=end < len(found),
        has_previous_page=start > 0,
        start_cursor=_cursor(start) if start < end else "",
        end_cursor=_cursor(end) if start < end else "",
    )
    page = [Issue.of(item) for item in found[start:end]]
    return ToolResult.of(Issues(page, info, len(found)))


def _cursor(offset: int) -> str:
    return base64.b64encode(f"{_CURSOR}{offset}".encode()).decode()


def _offset(after: str | msgspec.UnsetType) -> int:
    if after is msgspec.UNSET:
        return 0
    try:
        offset = base64.b64decode(after, validate=True).decode("ascii").removeprefix(_CURSOR)
    except (binascii.Error, ValueError):
        offset = ""
    if not offset.isdecimal():
        raise BadArgumentError("Not a cursor of this list - at `$.after`")
    return int(offset)


async def _get_issue(rest: Rest, arguments: IssueArguments) -> ToolResult:
    return ToolResult.of(await _get(rest, arguments))


async def _get_issue_comments(rest: Rest, arguments: GetIssueComments) -> ToolResult:
    return ToolResult.of(await _comments(rest, arguments))


async def _issue_read(rest: Rest, arguments: IssueRead) -> ToolResult:
    match arguments.method:
        case "get":
            return ToolResult.of(Issue.of(await _get(rest, arguments)))
        case "get_comments":
            found = await _comments(rest, arguments)
            return ToolResult.of([Comment.of(item) for item in found])
        case "get_labels":
            path = _one(arguments, arguments.issue_number) + "/labels"
            return ToolResult.of(Labels.of(await every(rest, "get issue labels", path)))


async def _create_issue(rest: Rest, arguments: CreateIssue) -> ToolResult:
    return ToolResult.of(await _create(rest, arguments))


async def _update_issue(rest: Rest, arguments: UpdateIssue) -> ToolResult:
    return ToolResult.of(await _update(rest, arguments))


async def _issue_write(rest: Rest, arguments: IssueWrite) -> ToolResult:
    if arguments.method == "update":
        return ToolResult.of(Made.of(await _update(rest, arguments)))
    required(arguments.title, "title")
    return ToolResult.of(Made.of(await _create(rest, arguments)))


async def _add_issue_comment(rest: Rest, arguments: AddIssueComment) -> ToolResult:
    path = _one(arguments, arguments.issue_number) + "/comments"
    body = given(arguments, "body")
    return ToolResult.of(Made.of(await ask(rest, "create comment", "POST", path, body=body)))


TOOLS = (
    Tool(
        name="list_issues",
        title="List issues",
        description="List the issues of a repository, page by page: pass pageInfo.endCursor on as after.",
        arguments=ListIssues,
        run=_list_issues,
        read_only=True,
        output=Issues,
    ),
    Tool(
        name="issue_read",
        title="Get issue details",
        description="Read one issue, its comments or its labels.",
        arguments=IssueRead,
        run=_issue_read,
        read_only=True,
    ),
    Tool(
        name="issue_write",
        title="Create or update issue",
        description="Create an issue or change one; gives its id and address.",
        arguments=IssueWrite,
        run=_issue_write,
        output=Made,
    ),
    Tool(
        name="add_issue_comment",
        title="Add comment to issue",
        description="Comment on an issue; gives the comment's id and address.",
        arguments=AddIssueComment,
        run=_add_issue_comment,
        output=Made,
    ),
    Tool(
        name="get_issue",
        title="Get issue",
        description="Give one issue whole, as REST does; issue_read is shorter.",
        arguments=IssueArguments,
        run=_get_issue,
        read_only=True,
    ),
    Tool(
        name="get_issue_comments",
        title="Get issue comments",
        description="List the comments of an issue whole, as REST does.",
        arguments=GetIssueComments,
        run=_get_issue_comments,
        read_only=True,
    ),
    Tool(
        name="create_issue",
        title="Create issue",
        description="Open an issue; gives it whole, as REST does.",
        arguments=CreateIssue,
        run=_create_issue,
    ),
    Tool(
        name="update_issue",
        title="Update issue",
        description="Change an issue; gives it whole, as REST does.",
        arguments=UpdateIssue,
        run=_update_issue,
    ),
)
