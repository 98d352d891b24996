"""GitHub's JSON shapes of issues, comments and labels.

Owns their field names, as in GitHub's OpenAPI description. It must not change anything it is given.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from archal_lambda.local.clones.github.accounts import Json, repo_url, user
from archal_lambda.local.clones.github.model import when

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.model import Comment, Issue, Label, Repo

_REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def label(base: str, repository: Repo, item: Label) -> Json:
    """Render a `label`."""
    return {
        "id": item.id,
        "node_id": f"LA_{item.id:08d}",
        "url": f"{repo_url(base, repository)}/labels/{quote(item.name, safe='')}",
        "name": item.name,
        "color": item.color,
        "default": item.default,
        "description": item.description,
    }


def _reactions(url: str) -> Json:
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(_REACTIONS, 0)}


def issue(base: str, repository: Repo, item: Issue) -> Json:
    """Render an `issue`."""
    home = repo_url(base, repository)
    url = f"{home}/issues/{item.number}"
    assignees = [user(base, account) for account in item.assignees]
    return {
        "id": item.id,
        "node_id": f"I_{item.id:08d}",
        "url": url,
        "repository_url": home,
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": f"{base}/{repository.full_name}/issues/{item.number}",
        "number": item.number,
        "state": item.state,
        "state_reason": item.state_reason,
        "title": item.title,
        "body": item.body,
        "user": user(base, item.author),
        "labels": [label(base, repository, one) for one in item.labels],
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "milestone": None,
        "locked": False,
        "active_lock_reason": None,
        "comments": len(repository.comments_of(item)),
        "closed_at": None if item.closed_at is None else when(item.closed_at),
        "closed_by": None if item.closed_by is None else user(base, item.closed_by),
        "created_at": when(item.created_at),
        "updated_at": when(item.updated_at),
        "author_association": "OWNER" if item.author is repository.owner else "NONE",
        "performed_via_github_app": None,
        "reactions": _reactions(url),
        "timeline_url": f"{url}/timeline",
    }


def comment(base: str, repository: Repo, item: Comment) -> Json:
    """Render an `issue-comment`."""
    home = repo_url(base, repository)
    url = f"{home}/issues/comments/{item.id}"
    web = f"{base}/{repository.full_name}/issues/{item.issue.number}"
    return {
        "id": item.id,
        "node_id": f"IC_{item.id:08d}",
        "url": url,
        "html_url": f"{web}#issuecomment-{item.id}",
        "issue_url": f"{home}/issues/{item.issue.number}",
        "body": item.body,
        "user": user(base, item.author),
        "created_at": when(item.created_at),
        "updated_at": when(item.updated_at),
        "author_association": "OWNER" if item.author is repository.owner else "NONE",
        "performed_via_github_app": None,
        "reactions": _reactions(url),
    }
