"""The smaller objects that GitHub's MCP server makes of REST's.

This module owns their fields and how they follow from REST's JSON. It must not ask the clone. A field with a default
is left out where it has nothing to say, as GitHub's server does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

__all__ = [
    "Comment",
    "Details",
    "Issue",
    "Issues",
    "Label",
    "Labels",
    "Made",
    "Me",
    "PageInfo",
    "User",
]

_Rest = dict[str, Any]  # JSON of the clone's REST, whose shapes its own tests hold


class Made(msgspec.Struct, frozen=True):
    """What was created or changed, in short."""

    id: str
    url: str

    @classmethod
    def of(cls, data: _Rest) -> Made:
        """Shorten any object of REST."""
        return cls(id=str(data["id"]), url=data["html_url"])


class User(msgspec.Struct, frozen=True):
    """An account."""

    login: str
    id: int
    profile_url: str
    avatar_url: str

    @classmethod
    def of(cls, data: _Rest) -> User:
        """Shorten a `simple-user`."""
        return cls(data["login"], data["id"], data["html_url"], data["avatar_url"])


class Details(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an account sees of itself."""

    name: str = ""
    public_repos: int
    public_gists: int
    followers: int
    following: int
    created_at: str
    updated_at: str
    private_gists: int = 0
    total_private_repos: int = 0
    owned_private_repos: int = 0


class Me(msgspec.Struct, frozen=True):
    """The account behind the credential."""

    login: str
    id: int
    profile_url: str
    avatar_url: str
    details: Details

    @classmethod
    def of(cls, data: _Rest) -> Me:
        """Shorten a `private-user`."""
        known: _Rest = {name: data[name] for name in Details.__struct_fields__}
        user = User.of(data)
        return cls(user.login, user.id, user.profile_url, user.avatar_url, Details(**known))


class Label(msgspec.Struct, frozen=True):
    """A label of a repository."""

    id: str
    name: str
    color: str
    description: str

    @classmethod
    def of(cls, data: _Rest) -> Label:
        """Shorten a `label`; its id is that of GraphQL, as with GitHub's server."""
        return cls(data["node_id"], data["name"], data["color"], data["description"] or "")


class Labels(msgspec.Struct, frozen=True, rename={"total_count": "totalCount"}):
    """All labels of a repository or an issue."""

    labels: list[Label]
    total_count: int

    @classmethod
    def of(cls, items: Iterable[_Rest]) -> Labels:
        """Shorten a list of labels."""
        labels = [Label.of(item) for item in items]
        return cls(labels, len(labels))


class Issue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An issue."""

    number: int
    title: str
    body: str | None = None
    state: str
    state_reason: str | None = None
    html_url: str
    user: User
    author_association: str
    labels: list[str] = []
    assignees: list[str]
    comments: int = 0
    created_at: str
    updated_at: str
    closed_at: str | None = None
    closed_by: str | None = None

    @classmethod
    def of(cls, data: _Rest) -> Issue:
        """Shorten an `issue`."""
        same: _Rest = {name: data[name] for name in cls.__struct_fields__ if name in data}
        same["user"] = User.of(data["user"])
        same["labels"] = [label["name"] for label in data["labels"]]
        same["assignees"] = [user["login"] for user in data["assignees"]]
        same["closed_by"] = data["closed_by"] and data["closed_by"]["login"]
        return cls(**same)


class PageInfo(msgspec.Struct, frozen=True, rename="camel"):
    """Where a page of a list stands."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str
    end_cursor: str


class Issues(msgspec.Struct, frozen=True, rename="camel"):
    """A page of issues."""

    issues: list[Issue]
    page_info: PageInfo
    total_count: int


class Comment(msgspec.Struct, frozen=True):
    """A comment on an issue."""

    id: int
    body: str
    html_url: str
    user: User
    author_association: str
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, data: _Rest) -> Comment:
        """Shorten an `issue-comment`."""
        same: _Rest = {name: data[name] for name in cls.__struct_fields__}
        same["user"] = User.of(data["user"])
        return cls(**same)
