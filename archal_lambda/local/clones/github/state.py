"""The clone's memory: every object, and how new ones come to be.

This module owns identity, the clock and the relations between objects. It must not know HTTP or JSON: rules about
requests live with the operations, shapes in `views`, starting states in `seeds`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from archal_lambda.local.clones.github.model import (
    Comment,
    Commit,
    Issue,
    Label,
    Repo,
    Signature,
    User,
    commit_sha,
    entry_hash,
    tree_name,
    when,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

__all__ = ["DEFAULT_LABELS", "LABEL_COLOR", "LOGIN", "State"]

# The user behind every credential (seen in public users of Archal's GitHub clone).
LOGIN = "testuser"
LABEL_COLOR = "ededed"
# Name, color and description of the labels that every new repository has.
DEFAULT_LABELS = (
    ("bug", "d73a4a", "Something isn't working"),
    ("documentation", "0075ca", "Improvements or additions to documentation"),
    ("duplicate", "cfd3d7", "This issue or pull request already exists"),
    ("enhancement", "a2eeef", "New feature or request"),
    ("good first issue", "7057ff", "Good for newcomers"),
    ("help wanted", "008672", "Extra attention is needed"),
    ("invalid", "e4e669", "This doesn't seem right"),
    ("question", "d876e3", "Further information is requested"),
    ("wontfix", "ffffff", "This will not be worked on"),
)


class State:
    """Everything one clone remembers."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._moment: float | None = None
        self._last_id = 0
        self.users: dict[str, User] = {}
        self.repos: dict[str, Repo] = {}
        self.viewer = self.add_user(LOGIN)
        self.served = 0

    def now(self) -> float:
        """Tell the time in epoch seconds."""
        return self.clock() if self._moment is None else self._moment

    @contextlib.contextmanager
    def at(self, moment: float) -> Generator[None]:
        """Let what is made inside be of another time."""
        self._moment = moment
        try:
            yield
        finally:
            self._moment = None

    def __getstate__(self) -> dict[str, object]:
        # A copy is of the objects alone; whoever brings it back to life says by which clock it lives.
        return {name: value for name, value in self.__dict__.items() if name != "clock"}

    def next_id(self) -> int:
        """Make an id that no other object has."""
        self._last_id += 1
        return self._last_id

    def add_user(self, login: str) -> User:
        """Add an account; its login must be new, whatever the case."""
        user = User(id=self.next_id(), login=login, created_at=self.now())
        self.users[login.lower()] = user
        return user

    def find_repo(self, owner: str, name: str) -> Repo | None:
        """Look up a repository, whatever the case."""
        return self.repos.get(f"{owner}/{name}".lower())

    def add_repo(self, owner: User, name: str) -> Repo:
        """Add a repository with GitHub's nine default labels; its name must be new to the owner."""
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
        """Move a repository to a name that is new to its owner, or to its own in another case."""
        del self.repos[repo.full_name.lower()]
        repo.name = name
        self.repos[repo.full_name.lower()] = repo

    def add_label(
        self,
        repo: Repo,
        name: str,
        *,
        color: str = LABEL_COLOR,
        description: str | None = None,
        default: bool = False,
    ) -> Label:
        """Add a label; its name must be new to the repository, whatever the case."""
        label = Label(
            id=self.next_id(), name=name, color=color, description=description, default=default
        )
        repo.labels[name.lower()] = label
        return label

    def labels_named(self, repo: Repo, names: Sequence[str]) -> list[Label]:
        """Find labels by name, adding those that are missing, as GitHub does on issues; repeated names count once."""
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
        """Write a file, or delete it if `content` is None, as one commit; the viewer signs unless others are given."""
        if path in repo.files:
            repo.tree -= entry_hash(path, repo.files.pop(path))
        if content is not None:
            repo.files[path] = content
            repo.tree += entry_hash(path, content)
        default = Signature(name=self.viewer.login, email=self.viewer.email, date=when(self.now()))
        tree, parent = tree_name(repo.tree), repo.head.sha if repo.head else None
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
