"""Seed documents: what a starting state may say, and how it is read.

This module owns the keys of a document and every rule about them, so that one that was read can be planted. It must
not make any object, nor read a file.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from typing import TYPE_CHECKING, Annotated, Literal, cast

import msgspec

from archal_lambda.local.clones.github.state import DEFAULT_LABELS, LABEL_COLOR, LOGIN
from archal_lambda.local.clones.running import SeedError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Document", "IssueSeed", "LabelSeed", "RepositorySeed", "UserSeed", "moment", "read"]

_ROOT = "github"
_AGE = re.compile(r"([0-9]{1,5}) (second|minute|hour|day|week)s? ago")
_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
_OLDEST = 36_500 * 86_400  # seconds; more would lead to years that GitHub cannot spell
_LATEST = 253_370_764_800  # epoch seconds; the year 9999
_LOGIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,37}[A-Za-z0-9])?(?:\[bot\])?")
_REPOSITORY = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}")
_SURROGATES = re.compile("[\ud800-\udfff]")
_PARTS = 500_000  # keys and values
_DEPTH = 20  # levels; a document has seven
_MAX_MESSAGE = 300

_Name = Annotated[str, msgspec.Meta(pattern=r"\S")]
# "31 days ago", ISO 8601 (UTC if it has no zone), epoch seconds, or what YAML makes of a date; see `moment`.
_Moment = object


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class UserSeed(_Part, frozen=True, kw_only=True):
    """An account."""

    login: str
    created: _Moment = None


class LabelSeed(_Part, frozen=True, kw_only=True):
    """A label of a repository, beside or instead of one of GitHub's nine."""

    name: _Name
    color: Annotated[str, msgspec.Meta(pattern=r"^[0-9A-Fa-f]{6}\Z")] = LABEL_COLOR
    description: str | None = None


class _CommentSeed(_Part, frozen=True, kw_only=True):
    body: _Name
    author: str = LOGIN
    created: _Moment = None


class IssueSeed(_Part, frozen=True, kw_only=True):
    """An issue; its number is its place in the list."""

    title: _Name
    body: str | None = None
    author: str = LOGIN
    labels: list[str] = []
    assignees: list[str] = []
    state: Literal["open", "closed"] = "open"
    state_reason: Literal["completed", "not_planned", "duplicate", "reopened"] | None = None
    comments: list[_CommentSeed] = []
    created: _Moment = None
    updated: _Moment = None
    closed: _Moment = None


class RepositorySeed(_Part, frozen=True, kw_only=True):
    """A repository with all that belongs to it."""

    name: str
    owner: str = LOGIN
    description: str | None = None
    homepage: str | None = None
    private: bool = False
    archived: bool = False
    files: dict[str, object] = {}  # path to text, or to bytes
    labels: list[str | LabelSeed] = []
    issues: list[IssueSeed] = []
    created: _Moment = None


class Document(_Part, frozen=True, kw_only=True):
    """A starting state of the whole clone."""

    users: list[str | UserSeed] = []
    repositories: list[RepositorySeed] = []


def read(raw: object) -> Document:
    """Read a document; a `SeedError` names the first key that is wrong."""
    _check_text(raw, _ROOT, itertools.count())
    try:
        document = msgspec.convert(raw, Document)
    except msgspec.ValidationError as error:
        reason, _, where = f"{error} - at `$`".partition(" - at `$")
        where = where.partition("`")[0]
        raise SeedError(f"{_ROOT}{where}: {reason[:_MAX_MESSAGE]}") from None
    logins = {LOGIN}
    listed: set[str] = set()
    for number, user in enumerate(document.users):
        where = f"{_ROOT}.users[{number}]"
        login = user if isinstance(user, str) else user.login
        _check(_LOGIN.fullmatch(login), where, "is not a login of GitHub's")
        _check(login.lower() not in listed, where, "is there twice")
        listed.add(login.lower())
        if not isinstance(user, str):
            _check_moment(user.created, f"{where}.created")
    logins |= listed
    names: set[str] = set()
    for number, repo in enumerate(document.repositories):
        where = f"{_ROOT}.repositories[{number}]"
        name = f"{repo.owner}/{repo.name}".lower()
        _check(_REPOSITORY.fullmatch(repo.name), f"{where}.name", "is not a name of GitHub's")
        _check(name not in names, f"{where}.name", "is there twice")
        names.add(name)
        _check_repository(repo, where, logins)
    return document


def moment(raw: object, now: float, default: float | None = None) -> float:
    """Tell when something was, in epoch seconds; of nothing at all the default, else now."""
    if raw is None:
        return now if default is None else default
    if isinstance(raw, str) and (age := _AGE.fullmatch(raw.strip())):
        seconds = int(age[1]) * _UNITS[age[2]]
        if seconds > _OLDEST:
            raise ValueError
        return now - seconds
    if isinstance(raw, str):
        raw = dt.datetime.fromisoformat(raw.strip())
    if isinstance(raw, dt.datetime):
        found = (raw if raw.tzinfo else raw.replace(tzinfo=dt.UTC)).timestamp()
    elif isinstance(raw, dt.date):
        found = dt.datetime(raw.year, raw.month, raw.day, tzinfo=dt.UTC).timestamp()
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        found = float(raw)
    else:
        raise TypeError
    if not 0 <= found <= _LATEST:
        raise ValueError
    return found


def _check_repository(repo: RepositorySeed, where: str, logins: set[str]) -> None:
    _check_login(repo.owner, f"{where}.owner", logins)
    _check_moment(repo.created, f"{where}.created")
    for path, content in repo.files.items():
        inside = f"{where}.files[{path!a}]"
        parts = path.split("/")
        above = {"/".join(parts[:end]) for end in range(1, len(parts))}
        _check(not {"", ".", "..", ".git"} & set(parts), inside, "is not a path of a file")
        _check("\x00" not in path, inside, "is not a path of a file")
        _check(not above & repo.files.keys(), inside, "is below another file")
        _check(isinstance(content, str | bytes), inside, "must hold text or bytes")
    labels = {name.lower() for name, *_ in DEFAULT_LABELS}
    listed: set[str] = set()
    for number, label in enumerate(repo.labels):
        name = (label if isinstance(label, str) else label.name).lower()
        _check(name.strip(), f"{where}.labels[{number}]", "must not be blank")
        _check(name not in listed, f"{where}.labels[{number}]", "is there twice")
        listed.add(name)
    for number, issue in enumerate(repo.issues):
        _check_issue(issue, f"{where}.issues[{number}]", labels | listed, logins)


def _check_issue(issue: IssueSeed, where: str, labels: set[str], logins: set[str]) -> None:
    _check_login(issue.author, f"{where}.author", logins)
    for number, name in enumerate(issue.labels):
        _check(name.lower() in labels, f"{where}.labels[{number}]", f"no such label: {name!a}")
    for number, login in enumerate(issue.assignees):
        _check_login(login, f"{where}.assignees[{number}]", logins)
    is_open = issue.state == "open"
    fits = issue.state_reason is None or (issue.state_reason == "reopened") == is_open
    _check(fits, f"{where}.state_reason", f"does not fit an issue that is {issue.state}")
    _check(not is_open or issue.closed is None, f"{where}.closed", "does not fit an open issue")
    for key in ("created", "updated", "closed"):
        _check_moment(getattr(issue, key), f"{where}.{key}")
    for number, comment in enumerate(issue.comments):
        _check_login(comment.author, f"{where}.comments[{number}].author", logins)
        _check_moment(comment.created, f"{where}.comments[{number}].created")


def _check_login(login: str, where: str, logins: set[str]) -> None:
    _check(login.lower() in logins, where, f"no such user: {login!a}")


def _check_moment(raw: object, where: str) -> None:
    try:
        moment(raw, 0.0)
    except (TypeError, ValueError, OverflowError):
        words = (
            "must be an age such as '31 days ago', an ISO 8601 time from 1970 on, or epoch seconds"
        )
        raise SeedError(f"{where}: {words}") from None


def _check_text(raw: object, where: str, parts: Iterator[int], depth: int = 0) -> None:
    """Refuse what JSON could not say: keys that are not text, text that is not Unicode, what contains itself."""
    _check(depth <= _DEPTH, where[:_MAX_MESSAGE], "is nested too deep")
    # YAML can say a few lines over and over.
    _check(next(parts) < _PARTS, _ROOT, f"has more than {_PARTS} parts")
    if isinstance(raw, str):
        _check(raw.isascii() or not _SURROGATES.search(raw), where, "is not Unicode text")
    elif isinstance(raw, dict):
        for key, value in cast("dict[object, object]", raw).items():
            _check(isinstance(key, str), where, f"has a key that is not text: {key!a:.60}")
            _check_text(key, where, parts, depth)
            _check_text(value, f"{where}.{key}", parts, depth + 1)
    elif isinstance(raw, list | tuple):
        for number, value in enumerate(cast("list[object]", raw)):
            _check_text(value, f"{where}[{number}]", parts, depth + 1)


def _check(fine: object, where: str, reason: str) -> None:
    if not fine:
        raise SeedError(f"{where}: {reason}")
