"""What the clone tells of what happens in it (GitHub docs, webhooks/webhook-events-and-payloads).

This module owns which event follows from which change, and the payloads. It must not change anything, nor know how
an event is delivered. A repository's own hooks are told, and whoever wants to know of everything.
"""

from __future__ import annotations

import contextlib
import dataclasses
from typing import TYPE_CHECKING, TypeVar

import msgspec

from archal_lambda.local.clones.github import hook_log, views
from archal_lambda.local.clones.github.commits import push_payload
from archal_lambda.local.webhooks.outgoing import Message

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from archal_lambda.local.clones.github.call import Call
    from archal_lambda.local.clones.github.model import Comment, Commit, Hook, Issue, Label, Repo
    from archal_lambda.local.clones.github.views import Json

__all__ = [
    "of_comment",
    "of_issue",
    "of_label",
    "of_push",
    "of_repository",
    "of_repository_changes",
    "ping",
    "test_push",
]

T = TypeVar("T")

_LABEL_FIELDS = ("name", "color", "description")
_ALL = "*"
_ZEN = "Keep it logically awesome."  # one of the sayings that a ping brings along


@contextlib.contextmanager
def of_issue(call: Call, repo: Repo, issue: Issue, *, opened: bool = False) -> Generator[None]:
    """Tell how an issue is another than before, and of labels that came with it."""
    if not _is_heard(call, repo):
        yield
        return
    before = dataclasses.replace(issue, labels=[*issue.labels], assignees=[*issue.assignees])
    known = set(repo.labels)
    yield
    for label in [one for name, one in repo.labels.items() if name not in known]:
        of_label(call, repo, label, "created")
    steps: list[tuple[str, Json]] = [("opened", {})] if opened else []
    for action, more in [*steps, *_steps(call, repo, before, issue)]:
        payload = {"issue": views.issue(call.base, repo, issue), **more}
        _tell(call, repo, "issues", action, payload)


def _steps(call: Call, repo: Repo, old: Issue, new: Issue) -> Iterator[tuple[str, Json]]:
    """List what happened to an issue, as action and what else is said."""
    for label, came in _moved(old.labels, new.labels):
        action = "labeled" if came else "unlabeled"
        yield action, {"label": views.label(call.base, repo, label)}
    for user, came in _moved(old.assignees, new.assignees):
        yield "assigned" if came else "unassigned", {"assignee": views.user(call.base, user)}
    texts = (("title", old.title, new.title), ("body", old.body, new.body))
    if changes := {name: {"from": was or ""} for name, was, now in texts if was != now}:
        yield "edited", {"changes": changes}
    if old.state != new.state:
        yield "closed" if new.state == "closed" else "reopened", {}


def _moved(old: list[T], new: list[T]) -> Iterator[tuple[T, bool]]:
    """List what came, then what went."""
    yield from ((one, True) for one in new if one not in old)
    yield from ((one, False) for one in old if one not in new)


def of_comment(
    call: Call, repo: Repo, comment: Comment, action: str, *, changes: Json | None = None
) -> None:
    """Tell of a comment."""
    if not _is_heard(call, repo):
        return
    more: Json = {} if changes is None else {"changes": changes}
    issue = views.issue(call.base, repo, comment.issue)
    said = views.comment(call.base, repo, comment)
    _tell(call, repo, "issue_comment", action, {"issue": issue, "comment": said, **more})


def of_label(
    call: Call,
    repo: Repo,
    label: Label,
    action: str,
    *,
    before: tuple[str, str, str | None] | None = None,
) -> None:
    """Tell of a label; of one that is edited, what it was `before`."""
    more: Json = {}
    if before is not None:
        now = (label.name, label.color, label.description)
        found = zip(_LABEL_FIELDS, before, now, strict=True)
        more["changes"] = {name: {"from": old or ""} for name, old, new in found if old != new}
        if not more["changes"]:
            return
    payload = {"label": views.label(call.base, repo, label), **more}
    _tell(call, repo, "label", action, payload)


def of_push(call: Call, repo: Repo, commit: Commit, change: str, path: str) -> None:
    """Tell of a commit on the branch."""
    if not _is_heard(call, repo):
        return
    _tell(call, repo, "push", None, push_payload(call, repo, commit, {change: path}))


def of_repository(call: Call, repo: Repo, action: str, *, changes: Json | None = None) -> None:
    """Tell of a repository; its own hooks come after its creation and go before its end."""
    more: Json = {} if changes is None else {"changes": changes}
    _tell(call, repo, "repository", action, more, own=action not in {"created", "deleted"})


@contextlib.contextmanager
def of_repository_changes(call: Call, repo: Repo) -> Generator[None]:
    """Tell how a repository is another than before."""
    name, private, archived = repo.name, repo.private, repo.archived
    fields = (repo.description, repo.homepage)
    yield
    if name != repo.name:
        of_repository(call, repo, "renamed", changes={"repository": {"name": {"from": name}}})
    changes: Json = {
        field: {"from": old}
        for field, old, new in zip(
            ("description", "homepage"), fields, (repo.description, repo.homepage), strict=True
        )
        if old != new
    }
    if changes:
        of_repository(call, repo, "edited", changes=changes)
    if private != repo.private:
        of_repository(call, repo, "privatized" if repo.private else "publicized")
    if archived != repo.archived:
        of_repository(call, repo, "archived" if repo.archived else "unarchived")


def ping(call: Call, repo: Repo, hook: Hook) -> None:
    """Tell a hook alone that it is there."""
    shown = hook_log.hook_view(call.base, repo, hook)
    payload: Json = {"zen": _ZEN, "hook_id": hook.id, "hook": shown}
    hook_log.send(call.clone, hook, _message(call, repo, "ping", None, payload))


def test_push(call: Call, repo: Repo, hook: Hook) -> None:
    """Tell a hook alone of the last push."""
    if repo.head is not None:
        payload = push_payload(call, repo, repo.head, {})
        hook_log.send(call.clone, hook, _message(call, repo, "push", None, payload))


def _is_heard(call: Call, repo: Repo) -> bool:
    """Tell whether anybody is told; where nobody is, nothing is rendered."""
    return bool(repo.hooks) or call.clone.outbox.is_watched


def _tell(  # noqa: PLR0913 - what an event consists of
    call: Call,
    repo: Repo,
    event: str,
    action: str | None,
    payload: Json,
    *,
    own: bool = True,
) -> None:
    hooks = [
        hook
        for hook in (repo.hooks.values() if own else ())
        if hook.active and (_ALL in hook.events or event in hook.events)
    ]
    outbox = call.clone.outbox
    if not hooks and not outbox.is_watched:
        return
    message = _message(call, repo, event, action, payload)
    for hook in hooks:
        hook_log.send(call.clone, hook, message)
    outbox.tell(message)


def _message(call: Call, repo: Repo, event: str, action: str | None, payload: Json) -> Message:
    whole = {
        **({} if action is None else {"action": action}),
        **payload,
        "repository": payload.get("repository") or views.repo(call.base, repo),
        "sender": views.user(call.base, call.state.viewer),
    }
    body = msgspec.json.encode(whole)
    return Message(service="github", event=event, action=action, body=body, about=repo.id)
