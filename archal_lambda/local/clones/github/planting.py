"""The named seeds, and the planting of any seed into a fresh state.

This module owns what the named ones hold (names: Archal docs, guides/seeds). It must not judge a document: only those
that were read come here.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from archal_lambda.local.clones.github import seeds
from archal_lambda.local.clones.github.hook_seeds import plant_hooks

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archal_lambda.local.clones.github.model import Issue, Repo
    from archal_lambda.local.clones.github.seeds import Document, IssueSeed, RepositorySeed
    from archal_lambda.local.clones.github.state import State

__all__ = ["SEEDS", "named", "plant"]

_SMALL_PROJECT = {
    "users": ["octocat"],
    "repositories": [
        {
            "name": "webshop",
            "description": "A small shop, to try things on",
            "files": {
                "README.md": "# webshop\n\nA small shop, to try things on.\n",
                "src/cart.py": "TOTAL = 0\n",
            },
            "labels": [
                {"name": "area/checkout", "color": "0e8a16", "description": "Paying for things"}
            ],
            "issues": [
                {
                    "title": "Checkout fails on an empty cart",
                    "body": "It answers 500.",
                    "author": "octocat",
                    "labels": ["bug", "area/checkout"],
                    "assignees": ["testuser"],
                    "comments": [
                        {"body": "I can reproduce it."},
                        {"body": "It began with the last release.", "author": "octocat"},
                    ],
                },
                {"title": "Remember the cart between visits", "labels": ["enhancement"]},
                {
                    "title": "Write a README",
                    "body": "So that people find their way.",
                    "state": "closed",
                },
            ],
        }
    ],
}
# What a stale bot has to tell apart: old and quiet, old and lately talked of, kept on purpose, warned already, young.
_STALE_ISSUES = {
    "users": ["octocat"],
    "repositories": [
        {
            "name": "webshop",
            "description": "A shop whose issues nobody looks at",
            "created": "400 days ago",
            "files": {"README.md": "# webshop\n"},
            "labels": [
                {"name": "stale", "color": "ededed", "description": "Nothing happened for long"},
                {"name": "pinned", "color": "5319e7", "description": "Stays open"},
            ],
            "issues": [
                {
                    "title": "Prices are shown without tax",
                    "author": "octocat",
                    "labels": ["bug"],
                    "created": "200 days ago",
                    "comments": [{"body": "Confirmed.", "created": "190 days ago"}],
                },
                {"title": "Offer gift cards", "labels": ["enhancement"], "created": "91 days ago"},
                {
                    "title": "The search forgets umlauts",
                    "author": "octocat",
                    "labels": ["bug"],
                    "created": "120 days ago",
                    "comments": [
                        {
                            "body": "Still there in the last release.",
                            "author": "octocat",
                            "created": "2 days ago",
                        }
                    ],
                },
                {"title": "Road map", "labels": ["pinned"], "created": "365 days ago"},
                {
                    "title": "Rename the basket",
                    "labels": ["stale"],
                    "created": "100 days ago",
                    "comments": [{"body": "Nothing happened for long.", "created": "8 days ago"}],
                },
                {"title": "Translate the footer", "created": "5 days ago"},
                {
                    "title": "Buttons overlap on phones",
                    "state": "closed",
                    "created": "150 days ago",
                    "closed": "140 days ago",
                },
            ],
        }
    ],
}


def _large_backlog() -> dict[str, object]:
    areas = ("cart", "checkout", "search", "account", "mail")
    troubles = (
        ("is slow on phones", "bug"),
        ("needs a test", "enhancement"),
        ("has no words of help", "documentation"),
        ("fails with an empty field", "bug"),
        ("could remember the last choice", "enhancement"),
    )
    authors = ("testuser", "octocat", "hubot")
    issues = [
        {
            "title": f"{area.title()} {trouble} ({round_})",
            "author": authors[(number + round_) % 3],
            "labels": [label, f"area/{area}"],
            "assignees": [authors[number % 3]] if number % 4 == 0 else [],
            "state": "closed" if number % 5 == 0 else "open",
            "created": f"{180 - round_ * 25 - number} days ago",
        }
        for round_ in range(1, 7)
        for number, (area, (trouble, label)) in enumerate(
            (area, trouble) for area in areas for trouble in troubles
        )
    ]
    repository = {
        "name": "webshop",
        "description": "A shop with more wishes than hands",
        "created": "200 days ago",
        "files": {"README.md": "# webshop\n"},
        "labels": [f"area/{area}" for area in areas],
        "issues": issues,
    }
    return {"users": ["octocat", "hubot"], "repositories": [repository]}


_DOCUMENTS: Mapping[str, object] = {
    "empty": {},
    "small-project": _SMALL_PROJECT,
    "stale-issues": _STALE_ISSUES,
    "large-backlog": _large_backlog(),
}
SEEDS = tuple(_DOCUMENTS)  # the default first


@functools.cache
def named(name: str) -> Document:
    """Read one of the named seeds."""
    return seeds.read(_DOCUMENTS[name])


def plant(state: State, document: Document) -> None:
    """Fill a fresh state."""
    now = state.now()
    for user in document.users:
        login = user if isinstance(user, str) else user.login
        born = now if isinstance(user, str) else seeds.moment(user.created, now)
        with state.at(born):
            account = state.users.get(login.lower()) or state.add_user(login)
        account.created_at = born
    for repository in document.repositories:
        begun = [seeds.moment(issue.created, now) for issue in repository.issues]
        # A repository is as old as what is in it, unless its age is given.
        born = seeds.moment(repository.created, now, min([now, *begun]))
        with state.at(born):
            repo = _plant_repository(state, repository)
        for issue, moment in zip(repository.issues, begun, strict=True):
            with state.at(moment):
                planted = _plant_issue(state, repo, issue)
            _plant_comments(state, repo, planted, issue, now)


def _plant_repository(state: State, seed: RepositorySeed) -> Repo:
    repo = state.add_repo(state.users[seed.owner.lower()], seed.name)
    repo.description, repo.homepage = seed.description, seed.homepage
    repo.private, repo.archived = seed.private, seed.archived
    for number, (path, content) in enumerate(seed.files.items()):
        data = content if isinstance(content, bytes) else str(content).encode()
        message = f"Add {path}" if number else "Initial commit"
        state.commit(repo, path, data, message=message)
    for item in seed.labels:
        label = seeds.LabelSeed(name=item) if isinstance(item, str) else item
        if isinstance(item, str) and item.lower() in repo.labels:
            continue  # it is there as GitHub has it
        made = repo.labels.get(label.name.lower()) or state.add_label(repo, label.name)
        made.name, made.color = label.name, label.color.lower()
        made.description = label.description
    plant_hooks(state, repo, seed.hooks)
    return repo


def _plant_issue(state: State, repo: Repo, seed: IssueSeed) -> Issue:
    author = state.users[seed.author.lower()]
    issue = state.add_issue(repo, author, title=seed.title, body=seed.body)
    issue.labels = state.labels_named(repo, seed.labels)
    issue.assignees = [state.users[login.lower()] for login in dict.fromkeys(seed.assignees)]
    issue.state, issue.state_reason = seed.state, seed.state_reason
    return issue


def _plant_comments(state: State, repo: Repo, issue: Issue, seed: IssueSeed, now: float) -> None:
    last = issue.created_at
    for comment in seed.comments:
        moment = seeds.moment(comment.created, now, issue.created_at)
        with state.at(moment):
            state.add_comment(repo, issue, state.users[comment.author.lower()], comment.body)
        last = max(last, moment)
    if seed.state == "closed":
        issue.closed_at = last = seeds.moment(seed.closed, now, last)
        issue.closed_by = state.viewer
        issue.state_reason = seed.state_reason or "completed"
    issue.updated_at = seeds.moment(seed.updated, now, last)
