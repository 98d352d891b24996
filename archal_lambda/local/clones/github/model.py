"""The objects the clone remembers: accounts, repositories and what belongs to them.

This module owns their fields and what follows from fields alone. It must not know HTTP or JSON, make ids or read a
clock: `state` does.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib

__all__ = [
    "Comment",
    "Commit",
    "Issue",
    "Label",
    "Repo",
    "Signature",
    "User",
    "blob_sha",
    "commit_sha",
    "entry_hash",
    "tree_name",
    "tree_sha",
    "when",
]


@dataclasses.dataclass(slots=True, kw_only=True)
class User:
    """A GitHub account."""

    id: int
    login: str
    created_at: float

    @property
    def email(self) -> str:
        """The address commits carry."""
        return f"{self.login}@users.noreply.github.com"


@dataclasses.dataclass(slots=True, kw_only=True)
class Label:
    """A label of one repository; its name is unique there, whatever the case."""

    id: int
    name: str
    color: str
    description: str | None = None
    default: bool = False


@dataclasses.dataclass(slots=True, kw_only=True)
class Comment:
    """A comment on an issue."""

    id: int
    issue: Issue
    author: User
    body: str
    created_at: float
    updated_at: float


@dataclasses.dataclass(slots=True, kw_only=True)
class Issue:
    """An issue; its number is unique in its repository."""

    id: int
    number: int
    author: User
    title: str
    body: str | None
    created_at: float
    updated_at: float
    state: str = "open"
    state_reason: str | None = None
    labels: list[Label] = dataclasses.field(default_factory=list[Label])
    assignees: list[User] = dataclasses.field(default_factory=list[User])
    closed_at: float | None = None
    closed_by: User | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """Who made a commit, and when (RFC 3339)."""

    name: str
    email: str
    date: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit on the default branch."""

    sha: str
    tree: str
    parent: str | None
    message: str
    author: Signature
    committer: Signature


@dataclasses.dataclass(slots=True, kw_only=True)
class Repo:
    """A repository with one branch."""

    id: int
    owner: User
    name: str
    created_at: float
    updated_at: float
    pushed_at: float
    description: str | None = None
    homepage: str | None = None
    private: bool = False
    archived: bool = False
    is_template: bool = False
    has_issues: bool = True
    has_projects: bool = True
    has_wiki: bool = True
    has_discussions: bool = False
    default_branch: str = "main"
    labels: dict[str, Label] = dataclasses.field(default_factory=dict[str, Label])
    issues: dict[int, Issue] = dataclasses.field(default_factory=dict[int, Issue])
    comments: dict[int, Comment] = dataclasses.field(default_factory=dict[int, Comment])
    files: dict[str, bytes] = dataclasses.field(default_factory=dict[str, bytes])
    tree: int = 0  # the sum of the hashes of `files`
    head: Commit | None = None

    @property
    def full_name(self) -> str:
        """Owner and name, as in URLs."""
        return f"{self.owner.login}/{self.name}"

    @property
    def open_issues(self) -> int:
        """Number of open issues."""
        return sum(issue.state == "open" for issue in self.issues.values())

    def comments_of(self, issue: Issue) -> list[Comment]:
        """List the comments of an issue, oldest first."""
        return [comment for comment in self.comments.values() if comment.issue is issue]


def when(seconds: float) -> str:
    """Spell a moment as GitHub does: in UTC and whole seconds."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def blob_sha(content: bytes) -> str:
    """Hash a file as git hashes a blob."""
    return _sha1(b"blob %d\x00" % len(content) + content)


def tree_sha(files: dict[str, bytes]) -> str:
    """Hash a set of files; equal sets hash equal, but not as git hashes trees."""
    return tree_name(sum(entry_hash(path, content) for path, content in files.items()))


def tree_name(entries: int) -> str:
    """Give the hash of a set of files from the sum of its entries', to which one can be added alone."""
    return f"{entries % 2**160:040x}"


def entry_hash(path: str, content: bytes) -> int:
    """Hash a file with its path."""
    return int(_sha1(f"{path}\x00{blob_sha(content)}".encode("utf-8", "surrogatepass")), 16)


def commit_sha(tree: str, parent: str | None, message: str, number: int) -> str:
    """Hash a commit; a `number` that no other commit has keeps equal ones apart."""
    return _sha1(f"{tree} {parent} {number} {message}".encode("utf-8", "surrogatepass"))


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()
