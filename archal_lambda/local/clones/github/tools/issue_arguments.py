"""The arguments of the tools on issues; their schemas are what `tools/list` shows."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from archal_lambda.local.clones.github.tools.asking import IssueArguments, RepoArguments

__all__ = [
    "AddIssueComment",
    "CreateIssue",
    "GetIssueComments",
    "IssueRead",
    "IssueWrite",
    "ListIssues",
    "UpdateIssue",
]

_Unset = msgspec.UnsetType

_Title = Annotated[str, msgspec.Meta(description="Title of the issue")]
_Body = Annotated[str, msgspec.Meta(description="Text in Markdown")]
_Labels = Annotated[list[str], msgspec.Meta(description="Names of the labels it is to have")]
_Assignees = Annotated[list[str], msgspec.Meta(description="Logins of who is to work on it")]
_Milestone = Annotated[int, msgspec.Meta(description="Number of the milestone")]
_State = Annotated[Literal["open", "closed"], msgspec.Meta(description="Its state from now on")]
_Page = Annotated[int, msgspec.Meta(description="Number of the page, from 1", ge=1)]
_PerPage = Annotated[int, msgspec.Meta(description="Results on a page", ge=1, le=100)]


class ListIssues(RepoArguments, frozen=True, kw_only=True, rename="camel"):
    """Of `list_issues`; pages follow one another by cursor."""

    state: (
        Annotated[
            Literal["OPEN", "CLOSED"], msgspec.Meta(description="Only these; both, if left out")
        ]
        | _Unset
    ) = msgspec.UNSET
    labels: (
        Annotated[list[str], msgspec.Meta(description="Only issues with all of these labels")]
        | _Unset
    ) = msgspec.UNSET
    order_by: Annotated[
        Literal["CREATED_AT", "UPDATED_AT", "COMMENTS"],
        msgspec.Meta(description="What the issues are sorted by"),
    ] = "CREATED_AT"
    direction: Annotated[
        Literal["ASC", "DESC"], msgspec.Meta(description="Which end comes first")
    ] = "DESC"
    since: (
        Annotated[str, msgspec.Meta(description="Only issues changed since then (ISO 8601)")]
        | _Unset
    ) = msgspec.UNSET
    after: Annotated[str, msgspec.Meta(description="The endCursor of the page before")] | _Unset = (
        msgspec.UNSET
    )
    per_page: _PerPage = 30


class GetIssueComments(IssueArguments, frozen=True, kw_only=True, rename={"per_page": "perPage"}):
    """Of `get_issue_comments`."""

    page: _Page = 1
    per_page: _PerPage = 30


class IssueRead(GetIssueComments, frozen=True, kw_only=True):
    """Of `issue_read`."""

    method: Annotated[
        Literal["get", "get_comments", "get_labels"],
        msgspec.Meta(description="What to read: the issue, its comments or its labels"),
    ]


class CreateIssue(RepoArguments, frozen=True, kw_only=True):
    """Of `create_issue`."""

    title: _Title
    body: _Body | _Unset = msgspec.UNSET
    labels: _Labels | _Unset = msgspec.UNSET
    assignees: _Assignees | _Unset = msgspec.UNSET
    milestone: _Milestone | _Unset = msgspec.UNSET


class UpdateIssue(IssueArguments, frozen=True, kw_only=True):
    """Of `update_issue`; what is left out stays."""

    title: _Title | _Unset = msgspec.UNSET
    body: _Body | _Unset = msgspec.UNSET
    labels: _Labels | _Unset = msgspec.UNSET
    assignees: _Assignees | _Unset = msgspec.UNSET
    milestone: _Milestone | _Unset = msgspec.UNSET
    state: _State | _Unset = msgspec.UNSET
    state_reason: (
        Annotated[
            Literal["completed", "not_planned", "duplicate", "reopened"],
            msgspec.Meta(description="Why the state changes"),
        ]
        | _Unset
    ) = msgspec.UNSET


class IssueWrite(RepoArguments, frozen=True, kw_only=True):
    """Of `issue_write`; what is left out of an update stays."""

    method: Annotated[
        Literal["create", "update"], msgspec.Meta(description="Whether the issue is new")
    ]
    issue_number: (
        Annotated[int, msgspec.Meta(description="Number of the issue; needed for update")] | _Unset
    ) = msgspec.UNSET
    title: (
        Annotated[str, msgspec.Meta(description="Title of the issue; needed for create")] | _Unset
    ) = msgspec.UNSET
    body: _Body | _Unset = msgspec.UNSET
    labels: _Labels | _Unset = msgspec.UNSET
    assignees: _Assignees | _Unset = msgspec.UNSET
    milestone: _Milestone | _Unset = msgspec.UNSET
    state: _State | _Unset = msgspec.UNSET
    state_reason: (
        Annotated[
            Literal["completed", "not_planned", "duplicate"],
            msgspec.Meta(description="Why the state changes"),
        ]
        | _Unset
    ) = msgspec.UNSET


class AddIssueComment(IssueArguments, frozen=True, kw_only=True):
    """Of `add_issue_comment`."""

    body: _Body
