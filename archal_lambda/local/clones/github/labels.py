"""Operations on labels of repositories and issues (GitHub docs, rest/issues/labels).

This module owns their rules. It must not render or route.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.github import events, views
from archal_lambda.local.clones.github.call import (
    Call,
    GitHubError,
    LabelName,
    json_response,
    label_names,
    no_content,
    not_found,
    validation_failed,
)
from archal_lambda.local.clones.github.http import Resource

if TYPE_CHECKING:
    from starlette.responses import Response

    from archal_lambda.local.clones.github.model import Issue, Label, Repo

__all__ = ["ROUTES"]

_COLOR = re.compile(r"[0-9A-Fa-f]{6}")


class _LabelBody(msgspec.Struct, frozen=True, kw_only=True):
    """Body of creating and changing a label."""

    name: str | None = None
    new_name: str | None = None
    color: str | None = None
    description: str | msgspec.UnsetType | None = msgspec.UNSET


class _IssueLabels(msgspec.Struct, frozen=True):
    """Body of adding and setting labels of an issue."""

    labels: list[str | LabelName] = []


def _list_labels(call: Call) -> Response:
    repo = call.repo()
    return call.page(list(repo.labels.values()), lambda item: views.label(call.base, repo, item))


def _create_label(call: Call) -> Response:
    repo = call.repo(write=True)
    body = call.decode(_LabelBody)
    if body.name is None or not body.name.strip():
        raise validation_failed("Label", "name", "missing_field")
    if body.name.lower() in repo.labels:
        raise validation_failed("Label", "name", "already_exists")
    _check_color(body)
    label = call.state.add_label(repo, body.name)
    _apply(label, body)
    events.of_label(call, repo, label, "created")
    return call.created(views.label(call.base, repo, label))


def _get_label(call: Call) -> Response:
    repo = call.repo()
    return json_response(views.label(call.base, repo, _find(call, repo)))


def _patch_label(call: Call) -> Response:
    repo = call.repo(write=True)
    label = _find(call, repo)
    body = call.decode(_LabelBody)
    _check_color(body)
    name = body.new_name or body.name or label.name
    if repo.labels.get(name.lower(), label) is not label:
        raise validation_failed("Label", "name", "already_exists")
    before = (label.name, label.color, label.description)
    del repo.labels[label.name.lower()]
    label.name = name
    repo.labels[name.lower()] = label
    _apply(label, body)
    events.of_label(call, repo, label, "edited", before=before)
    return json_response(views.label(call.base, repo, label))


def _delete_label(call: Call) -> Response:
    repo = call.repo(write=True)
    label = _find(call, repo)
    del repo.labels[label.name.lower()]
    for issue in repo.issues.values():
        issue.labels = [kept for kept in issue.labels if kept is not label]
    events.of_label(call, repo, label, "deleted")
    return no_content()


def _list_issue_labels(call: Call) -> Response:
    repo = call.repo()
    labels = call.issue(repo).labels
    return call.page(labels, lambda item: views.label(call.base, repo, item))


def _add_issue_labels(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    names = _body_names(call)
    with events.of_issue(call, repo, issue):
        added = call.state.labels_named(repo, names)
        issue.labels = issue.labels + [label for label in added if label not in issue.labels]
        issue.updated_at = call.state.now()
    return _listed(call, repo, issue)


def _set_issue_labels(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    names = _body_names(call)
    with events.of_issue(call, repo, issue):
        issue.labels = call.state.labels_named(repo, names)
        issue.updated_at = call.state.now()
    return _listed(call, repo, issue)


def _clear_issue_labels(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    with events.of_issue(call, repo, issue):
        issue.labels = []
        issue.updated_at = call.state.now()
    return no_content()


def _remove_issue_label(call: Call) -> Response:
    repo = call.repo(write=True)
    issue = call.issue(repo)
    wanted = call.path("name").lower()
    kept = [label for label in issue.labels if label.name.lower() != wanted]
    if len(kept) == len(issue.labels):
        raise GitHubError(404, "Label does not exist")
    with events.of_issue(call, repo, issue):
        issue.labels = kept
        issue.updated_at = call.state.now()
    return _listed(call, repo, issue)


def _listed(call: Call, repo: Repo, issue: Issue) -> Response:
    return json_response([views.label(call.base, repo, label) for label in issue.labels])


def _body_names(call: Call) -> list[str]:
    # GitHub takes the bare array as well as the object.
    return label_names(call.decode(_IssueLabels, bare="labels").labels)


def _find(call: Call, repo: Repo) -> Label:
    label = repo.labels.get(call.path("name").lower())
    if label is None:
        raise not_found()
    return label


def _check_color(body: _LabelBody) -> None:
    if body.color is not None and not _COLOR.fullmatch(body.color):
        raise validation_failed("Label", "color", "invalid")


def _apply(label: Label, body: _LabelBody) -> None:
    label.color = body.color.lower() if body.color is not None else label.color
    if body.description is not msgspec.UNSET:
        label.description = body.description


ROUTES = (
    Resource(
        path="/repos/{owner}/{repo}/labels",
        handlers={"GET": _list_labels, "POST": _create_label},
    ),
    # A label's name may contain a slash.
    Resource(
        path="/repos/{owner}/{repo}/labels/{name:path}",
        handlers={"GET": _get_label, "PATCH": _patch_label, "DELETE": _delete_label},
    ),
    Resource(
        path="/repos/{owner}/{repo}/issues/{number}/labels",
        handlers={
            "GET": _list_issue_labels,
            "POST": _add_issue_labels,
            "PUT": _set_issue_labels,
            "DELETE": _clear_issue_labels,
        },
    ),
    Resource(
        path="/repos/{owner}/{repo}/issues/{number}/labels/{name:path}",
        handlers={"DELETE": _remove_issue_label},
    ),
)
