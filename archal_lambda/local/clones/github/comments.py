"""Operations on comments of issues (GitHub docs, rest/issues/comments).

This module owns their rules. It must not render or route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github import events, views
from archal_lambda.local.clones.github.call import (
    Call,
    json_response,
    no_content,
    not_found,
    validation_failed,
)
from archal_lambda.local.clones.github.http import Resource

if TYPE_CHECKING:
    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Comment, Repo

__all__ = ["ROUTES"]


class _CommentBody(msgspec.Struct, frozen=True):
    """Body of creating and changing a comment."""

    body: str | None = None


def _list_issue_comments(call: Call) -> Response:
    repo = call.repo()
    comments = repo.comments_of(call.issue(repo))
    return call.page(comments, lambda comment: views.comment(call.base, repo, comment))


def _list_repo_comments(call: Call) -> Response:
    repo = call.repo()
    comments = list(repo.comments.values())
    return call.page(comments, lambda comment: views.comment(call.base, repo, comment))


def _create_comment(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    comment = call.state.add_comment(repo, issue, call.state.viewer, _comment_text(call))
    events.of_comment(call, repo, comment, "created")
    return call.created(views.comment(call.base, repo, comment))


def _get_comment(call: Call) -> Response:
    repo = call.repo()
    return json_response(views.comment(call.base, repo, _find_comment(call, repo)))


def _patch_comment(call: Call) -> Response:
    repo = call.repo(write=True)
    comment = _find_comment(call, repo)
    before, comment.body = comment.body, _comment_text(call)
    comment.updated_at = call.state.now()
    events.of_comment(call, repo, comment, "edited", changes={"body": {"from": before}})
    return json_response(views.comment(call.base, repo, comment))


def _delete_comment(call: Call) -> Response:
    repo = call.repo(write=True)
    comment = _find_comment(call, repo)
    del repo.comments[comment.id]
    events.of_comment(call, repo, comment, "deleted")
    return no_content()


def _find_comment(call: Call, repo: Repo) -> Comment:
    comment = repo.comments.get(call.number("id"))
    if comment is None:
        raise not_found()
    return comment


def _comment_text(call: Call) -> str:
    text = call.decode(_CommentBody).body
    if text is None or not text.strip():
        raise validation_failed("IssueComment", "body", "missing_field")
    return text


ROUTES = (
    Resource(path="/repos/{owner}/{repo}/issues/comments", handlers={"GET": _list_repo_comments}),
    Resource(
        path="/repos/{owner}/{repo}/issues/comments/{id}",
        handlers={"GET": _get_comment, "PATCH": _patch_comment, "DELETE": _delete_comment},
    ),
    Resource(
        path="/repos/{owner}/{repo}/issues/{number}/comments",
        handlers={"GET": _list_issue_comments, "POST": _create_comment},
    ),
)
