"""What a clone holds, told briefly: every object by what people call it.

This module owns the words for it. It must not change anything, nor follow GitHub's shapes: times of last change, counts
and URLs are left out, because they follow from the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.github.model import blob_sha, when
from archal_lambda.local.webhooks.loopback import shown_url

if TYPE_CHECKING:
    from archal_lambda.local.clones.github.model import Comment, Hook, Issue, Repo
    from archal_lambda.local.clones.github.state import State
    from archal_lambda.local.clones.github.views import Json

__all__ = ["describe"]

_LONGEST = 10_000  # characters of a file that are told; of a longer one, only the hash


def describe(state: State) -> dict[str, Json]:
    """Give the objects by kind and key, such as `issue` and `testuser/webshop#1`."""
    users: Json = {one.login: {"created_at": when(one.created_at)} for one in state.users.values()}
    found: dict[str, Json] = {"user": users}
    kinds = ("repository", "issue", "comment", "label", "file", "hook")
    found |= {kind: {} for kind in kinds}
    for repo in state.repos.values():
        name = repo.full_name
        found["repository"][name] = _repository(repo)
        found["issue"] |= {f"{name}#{one.number}": _issue(one) for one in repo.issues.values()}
        # The end is that of the comment's address on the web.
        found["comment"] |= {
            f"{name}#{one.issue.number}#issuecomment-{one.id}": _comment(one)
            for one in repo.comments.values()
        }
        found["label"] |= {
            f"{name}:{one.name}": {"color": one.color, "description": one.description}
            for one in repo.labels.values()
        }
        found["file"] |= {f"{name}:{path}": _file(data) for path, data in repo.files.items()}
        found["hook"] |= {f"{name}:{one.id}": _hook(one) for one in repo.hooks.values()}
    return found


def _repository(repo: Repo) -> Json:
    return {
        "description": repo.description,
        "homepage": repo.homepage,
        "private": repo.private,
        "archived": repo.archived,
        "is_template": repo.is_template,
        "has_issues": repo.has_issues,
        "has_projects": repo.has_projects,
        "has_wiki": repo.has_wiki,
        "has_discussions": repo.has_discussions,
        "created_at": when(repo.created_at),
    }


def _issue(issue: Issue) -> Json:
    return {
        "title": issue.title,
        "body": issue.body,
        "state": issue.state,
        "state_reason": issue.state_reason,
        "author": issue.author.login,
        "labels": [label.name for label in issue.labels],
        "assignees": [user.login for user in issue.assignees],
        "created_at": when(issue.created_at),
    }


def _comment(comment: Comment) -> Json:
    return {
        "body": comment.body,
        "author": comment.author.login,
        "created_at": when(comment.created_at),
    }


def _hook(hook: Hook) -> Json:
    return {
        # A query may hold a credential; so may a path, but hooks that are sent anything are on this machine.
        "url": shown_url(hook.url),
        "events": list(hook.events),
        "active": hook.active,
        "content_type": hook.content_type,
        "signed": hook.secret is not None,
    }


def _file(content: bytes) -> Json:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    return {
        "sha": blob_sha(content),
        "text": text if text is None or len(text) <= _LONGEST else None,
    }
