"""Operations on issues (GitHub docs, rest/issues/issues).

This module owns their rules. It must not render or route.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github import events, views
from archal_lambda.local.clones.github.call import (
    Call,
    GitHubError,
    LabelName,
    json_response,
    label_names,
    validation_failed,
)
from archal_lambda.local.clones.github.http import Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Issue, Repo

__all__ = ["ROUTES"]

_REASONS = {
    "open": frozenset({None, "reopened"}),
    "closed": frozenset({None, "completed", "not_planned", "duplicate"}),
}


class _IssueBody(msgspec.Struct, frozen=True, kw_only=True):
    """Body of creating and changing an issue."""

    title: str | int | msgspec.UnsetType | None = msgspec.UNSET
    body: str | msgspec.UnsetType | None = msgspec.UNSET
    labels: list[str | LabelName] | msgspec.UnsetType = msgspec.UNSET
    assignees: list[str] | msgspec.UnsetType = msgspec.UNSET
    assignee: str | msgspec.UnsetType | None = msgspec.UNSET
    milestone: str | int | msgspec.UnsetType | None = msgspec.UNSET
    state: str | msgspec.UnsetType = msgspec.UNSET
    state_reason: str | msgspec.UnsetType | None = msgspec.UNSET


def _list_issues(call: Call) -> Response:
    repo = call.repo()
    issues = sorted(
        _filtered(call, repo.issues.values()),
        key=_sort_key(call, repo),
        reverse=call.query("direction", "desc") != "asc",
    )
    return call.page(issues, lambda issue: views.issue(call.base, repo, issue))


def _create_issue(call: Call) -> Response:
    repo = call.repo(write=True)
    if not repo.has_issues:
        raise GitHubError(410, "Issues has been disabled in this repository.")
    body = call.decode(_IssueBody)
    title = _title(body)
    if title is None:
        raise validation_failed("Issue", "title", "missing_field")
    _check_milestone(body)
    text = None if body.body is msgspec.UNSET else body.body
    issue = call.state.add_issue(repo, call.state.viewer, title=title, body=text)
    with events.of_issue(call, repo, issue, opened=True):
        _set_labels_and_assignees(call, repo, issue, body)
    return call.created(views.issue(call.base, repo, issue))


def _get_issue(call: Call) -> Response:
    repo = call.repo()
    return json_response(views.issue(call.base, repo, call.issue(repo)))


def _patch_issue(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    body = call.decode(_IssueBody)
    title = _title(body)
    state, reason = _next_state(issue, body)
    _check_milestone(body)
    with events.of_issue(call, repo, issue):
        _set_labels_and_assignees(call, repo, issue, body)
        issue.title = title or issue.title
        issue.body = issue.body if body.body is msgspec.UNSET else body.body
        issue.updated_at = call.state.now()
        if state != issue.state:
            issue.closed_at = call.state.now() if state == "closed" else None
            issue.closed_by = call.state.viewer if state == "closed" else None
        issue.state, issue.state_reason = state, reason
    return json_response(views.issue(call.base, repo, issue))


def _title(body: _IssueBody) -> str | None:
    if body.title is msgspec.UNSET:
        return None
    title = "" if body.title is None else str(body.title)
    if not title.strip():
        raise validation_failed("Issue", "title", "missing_field")
    return title


def _next_state(issue: Issue, body: _IssueBody) -> tuple[str, str | None]:
    state = issue.state if body.state is msgspec.UNSET else body.state
    if state not in _REASONS:
        raise validation_failed("Issue", "state", "invalid")
    if body.state_reason is not msgspec.UNSET and body.state_reason is not None:
        if body.state_reason not in _REASONS[state]:
            raise validation_failed("Issue", "state_reason", "invalid")
        return state, body.state_reason
    if state == issue.state:
        return state, issue.state_reason
    return state, "completed" if state == "closed" else "reopened"


def _check_milestone(body: _IssueBody) -> None:
    # There are no milestones here, so only "none" can be right.
    if body.milestone is not msgspec.UNSET and body.milestone is not None:
        raise validation_failed("Issue", "milestone", "invalid")


def _set_labels_and_assignees(call: Call, repo: Repo, issue: Issue, body: _IssueBody) -> None:
    if body.labels is not msgspec.UNSET:
        issue.labels = call.state.labels_named(repo, label_names(body.labels))
    logins = body.assignees
    if logins is msgspec.UNSET and body.assignee is not msgspec.UNSET:
        logins = [body.assignee] if body.assignee else []
    if logins is not msgspec.UNSET:
        # GitHub leaves out whoever cannot be assigned, without a word.
        known = (call.state.users.get(login.lower()) for login in dict.fromkeys(logins))
        issue.assignees = [user for user in known if user is not None]


def _filtered(call: Call, issues: Iterable[Issue]) -> list[Issue]:
    state = call.query("state", "open")
    if state not in {"open", "closed", "all"}:
        raise validation_failed("Issue", "state", "invalid")
    labels = {name.strip().lower() for name in call.query("labels").split(",") if name.strip()}
    assignee, creator = call.query("assignee").lower(), call.query("creator").lower()
    since = _since(call.query("since"))
    return [
        issue
        for issue in issues
        if state in {"all", issue.state}
        and labels <= {label.name.lower() for label in issue.labels}
        and _is_assigned(issue, assignee)
        and creator in {"", issue.author.login.lower()}
        and issue.updated_at >= since
    ]


def _is_assigned(issue: Issue, wanted: str) -> bool:
    logins = {user.login.lower() for user in issue.assignees}
    special = {"": True, "*": bool(logins), "none": not logins}
    return special.get(wanted, wanted in logins)


def _since(text: str) -> float:
    if not text:
        return 0.0
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise validation_failed("Issue", "since", "invalid") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def _sort_key(call: Call, repo: Repo) -> Callable[[Issue], tuple[float, int]]:
    sort = call.query("sort", "created")
    if sort == "comments":
        return lambda issue: (len(repo.comments_of(issue)), issue.number)
    if sort == "updated":
        return lambda issue: (issue.updated_at, issue.number)
    return lambda issue: (issue.created_at, issue.number)


ROUTES = (
    Resource(
        path="/repos/{owner}/{repo}/issues",
        handlers={"GET": _list_issues, "POST": _create_issue},
    ),
    Resource(
        path="/repos/{owner}/{repo}/issues/{number}",
        handlers={"GET": _get_issue, "PATCH": _patch_issue},
    ),
)
