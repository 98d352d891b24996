"""Operations on issue comments (GitHub docs, rest/issues/comments).

Owns their rules. It must not render or route.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github import views
from archal_lambda.local.clones.github.call import Call, answer, no_content
from archal_lambda.local.clones.github.errors import not_found, validation_failed
from archal_lambda.local.clones.github.http import Resource

if TYPE_CHECKING:
    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Comment, Repo


class _CommentBody(msgspec.Struct, frozen=True):
    """Body of creating and changing a comment."""

    body: str | None = None


def _list_of_issue(call: Call) -> Response:
    repo = call.repo()
    comments = repo.comments_of(call.issue(repo))
    return call.page(comments, lambda comment: views.comment(call.base, repo, comment))


def _list_of_repo(call: Call) -> Response:
    repo = call.repo()
    comments = list(repo.comments.values())
    return call.page(comments, lambda comment: views.comment(call.base, repo, comment))


def _create_comment(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    comment = call.state.add_comment(repo, issue, call.state.viewer, _text(call))
    return call.created(views.comment(call.base, repo, comment))


def _get_comment(call: Call) -> Response:
    repo = call.repo()
    return answer(views.comment(call.base, repo, _find(call, repo)))


def _patch_comment(call: Call) -> Response:
    repo = call.repo(write=True)
    comment = _find(call, repo)
    comment.body = _text(call)
    comment.updated_at = call.state.now()
    return answer(views.comment(call.base, repo, comment))


def _delete_comment(call: Call) -> Response:
    repo = call.repo(write=True)
    del repo.comments[_find(call, repo).id]
    return no_content()


def _find(call: Call, repo: Repo) -> Comment:
    comment = repo.comments.get(call.number("id"))
    if comment is None:
        raise not_found()
    return comment


def _text(call: Call) -> str:
    text = call.decode(_CommentBody).body
    if text is None or not text.strip():
        raise validation_failed("IssueComment", "body", "missing_field")
    return text


ROUTES = (
    Resource(path="/repos/{owner}/{repo}/issues/comments", handlers={"GET": _list_of_repo}),
    Resource(
        path="/repos/{owner}/{repo}/issues/comments/{id}",
        handlers={"GET": _get_comment, "PATCH": _patch_comment, "DELETE": _delete_comment},
    ),
    Resource(
        path="/repos/{owner}/{repo}/issues/{number}/comments",
        handlers={"GET": _list_of_issue, "POST": _create_comment},
    ),
)
