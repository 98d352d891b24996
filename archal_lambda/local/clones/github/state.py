"""The clone's memory: every object, and how new ones come to be.

Owns identity, the clock and the relations between objects. It must not know HTTP or JSON;
rules about requests live with the routes, shapes live in `._views`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.local.clones.github.model import (
    DEFAULT_LABEL_COLOR,
    DEFAULT_LABELS,
    Comment,
    Commit,
    Issue,
    Label,
    Repo,
    Signature,
    User,
    commit_sha,
    tree_sha,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DEFAULT_LOGIN = "testuser"
"""The user behind every credential (seen in public users of Archal's github clone)."""


class State:
    """Everything one clone remembers."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last_id = 0
        self.users: dict[str, User] = {}
        self.repos: dict[str, Repo] = {}
        self.viewer = self.add_user(DEFAULT_LOGIN)
        self.served = 0

    def now(self) -> float:
        """Tell the time in epoch seconds."""
        return self._clock()

    def next_id(self) -> int:
        """Make an id that no other object has."""
        self._last_id += 1
        return self._last_id

    def add_user(self, login: str) -> User:
        """Add an account."""
        user = User(id=self.next_id(), login=login, created_at=self.now())
        self.users[login.lower()] = user
        return user

    def find_repo(self, owner: str, name: str) -> Repo | None:
        """Look a repository up, whatever the case."""
        return self.repos.get(f"{owner}/{name}".lower())

    def add_repo(self, owner: User, name: str) -> Repo:
        """Add a repository with GitHub's nine default labels."""
        now = self.now()
        repo = Repo(
            id=self.next_id(),
            owner=owner,
            name=name,
            created_at=now,
            updated_at=now,
            pushed_at=now,
        )
        for label, color, description in DEFAULT_LABELS:
            self.add_label(repo, label, color=color, description=description, default=True)
        self.repos[repo.full_name.lower()] = repo
        return repo

    def rename_repo(self, repo: Repo, name: str) -> None:
        """Move a repository to another name."""
        del self.repos[repo.full_name.lower()]
        repo.name = name
        self.repos[repo.full_name.lower()] = repo

    def add_label(
        self,
        repo: Repo,
        name: str,
        *,
        color: str = DEFAULT_LABEL_COLOR,
        description: str | None = None,
        default: bool = False,
    ) -> Label:
        """Add a label to a repository."""
        label = Label(
            id=self.next_id(), name=name, color=color, description=description, default=default
        )
        repo.labels[name.lower()] = label
        return label

    def labels_named(self, repo: Repo, names: Sequence[str]) -> list[Label]:
        """Find labels by name, adding those that are missing, as GitHub does on issues."""
        unique = dict.fromkeys(name.lower() for name in names)
        spelled = {name.lower(): name for name in reversed(names)}
        return [repo.labels.get(key) or self.add_label(repo, spelled[key]) for key in unique]

    def add_issue(self, repo: Repo, author: User, *, title: str, body: str | None) -> Issue:
        """Open an issue."""
        now = self.now()
        number = max(repo.issues, default=0) + 1
        issue = Issue(
            id=self.next_id(),
            number=number,
            author=author,
            title=title,
            body=body,
            created_at=now,
            updated_at=now,
        )
        repo.issues[number] = issue
        return issue

    def add_comment(self, repo: Repo, issue: Issue, author: User, body: str) -> Comment:
        """Comment on an issue."""
        now = self.now()
        comment = Comment(
            id=self.next_id(), issue=issue, author=author, body=body, created_at=now, updated_at=now
        )
        repo.comments[comment.id] = comment
        issue.updated_at = now
        return comment

    def commit(  # noqa: PLR0913 - what a commit consists of
        self,
        repo: Repo,
        path: str,
        content: bytes | None,
        *,
        message: str,
        author: Signature | None = None,
        committer: Signature | None = None,
    ) -> Commit:
        """Write a file, or delete it if `content` is None, as one commit."""
        if content is None:
            del repo.files[path]
        else:
            repo.files[path] = content
        default = Signature(name=self.viewer.login, email=self.viewer.email, date=when(self.now()))
        tree, parent = tree_sha(repo.files), repo.head.sha if repo.head else None
        repo.head = Commit(
            sha=commit_sha(tree, parent, message, self.next_id()),
            tree=tree,
            parent=parent,
            message=message,
            author=author or default,
            committer=committer or default,
        )
        repo.pushed_at = repo.updated_at = self.now()
        return repo.head
