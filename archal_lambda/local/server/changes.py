"""Marks of a session's state, and what has changed between two states of a clone.

This module owns the comparison and the words for it. It must not know what the kinds and the keys mean.
"""

import re
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from archal_lambda.local.clones.running import StateOf

__all__ = ["Change", "Mark", "compare"]

_NUMBERS = re.compile(r"([0-9]+)")
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _./:@#+-]*")
_SHOWN = 60  # characters of one value
_LINE = 200  # characters of all values


class Mark(msgspec.Struct, frozen=True, kw_only=True, weakref=True):
    """A state that `LocalArchal.snapshot()` has marked; two are equal if they are of the same snapshot.

    It only names the state, which is kept as long as the mark itself is, and its session lives.

    Args:
        name: What it is called over HTTP, such as `m1`.
        session_id: The session.
        clones: The clones whose state was marked.
    """

    __module__ = "archal_lambda.local"

    name: str
    session_id: str
    clones: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name} of {self.session_id}: {', '.join(self.clones)}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One object of a clone that came, went or is another than before.

    `str()` tells it in one line, such as `github issue testuser/webshop#1: state open -> closed`. What came begins with
    `+`, what went with `-`. An object with another name is one that went and one that came.

    Args:
        clone: Clone id.
        kind: Kind of object, such as `issue`.
        key: What the object is known by, such as `testuser/webshop#1`.
        before: The object as JSON has it; None if it came.
        after: The object as JSON has it; None if it went.
    """

    __module__ = "archal_lambda.local"

    clone: str
    kind: str
    key: str
    before: Any
    after: Any

    def __str__(self) -> str:
        where = f"{self.clone} {self.kind} {_printable(self.key)}"
        if self.before is None or self.after is None:
            found = self.after if self.before is None else self.before
            told = _told(found)
            return f"{'+' if self.before is None else '-'} {where}{f': {told}' if told else ''}"
        return f"{where}: {', '.join(_differences(self.before, self.after))}"


def compare(clone: str, before: StateOf, after: StateOf) -> Iterator[Change]:
    """Give what changed, by kind in the order in which the clone has them, then by key."""
    for kind in dict.fromkeys([*after, *before]):
        old, new = before.get(kind, {}), after.get(kind, {})
        for key in sorted({*old, *new}, key=_order):
            if old.get(key) != new.get(key):
                yield Change(
                    clone=clone, kind=kind, key=key, before=old.get(key), after=new.get(key)
                )


def _order(key: str) -> list[tuple[int, str]]:
    # Numbers count as such: issue 9 comes before issue 10.
    return [
        (int(part) if part.isdecimal() and len(part) < _SHOWN else -1, part)
        for part in _NUMBERS.split(key)
    ]


def _differences(before: object, after: object) -> Iterator[str]:
    was, now = _fields(before), _fields(after)
    if was is None or now is None:
        yield f"{_shown(before)} -> {_shown(after)}"
        return
    for field in dict.fromkeys([*now, *was]):
        if was.get(field) != now.get(field) or (field in was) != (field in now):
            yield f"{_printable(field)} {_shown(was.get(field))} -> {_shown(now.get(field))}"


def _told(found: object) -> str:
    fields = _fields(found)
    if fields is None:
        return _shown(found)
    shown = [
        f"{_printable(field)} {_shown(value)}"
        for field, value in fields.items()
        if value not in (None, False, "", [], {})
    ]
    return _cut(", ".join(shown), _LINE)


def _fields(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _shown(value: object) -> str:
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value)
        return _cut(value if plain else _json(value), _SHOWN)
    if isinstance(value, list):
        items = map(_shown, cast("list[object]", value))
        return _cut(f"[{', '.join(items)}]", _SHOWN)
    return "none" if value is None else _cut(_json(value), _SHOWN)


def _json(value: object) -> str:
    return _printable(msgspec.json.encode(value).decode())


def _printable(text: str) -> str:
    # A terminal must not obey what a clone holds.
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
