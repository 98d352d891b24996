"""Which recorded request is like one that is made, and what differs where none is.

This module owns the comparison. What it tells names parts and never their values.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from difflib import SequenceMatcher
from typing import TypeVar, cast

import msgspec

from archal_lambda.testing.recording.form import Asked
from archal_lambda.testing.shown import HIDDEN

__all__ = ["differences", "distance", "fits"]

K = TypeVar("K")

_SHOWABLE = re.compile(r"[A-Za-z_][\w.-]{0,39}", re.ASCII)
_MOST = 6  # differences that are told of


def fits(recorded: Asked, made: Asked) -> bool:
    """Tell whether the two are the same request."""
    return next(_differ(recorded, made), None) is None


def differences(recorded: Asked, made: Asked) -> list[str]:
    """Name the parts that differ, the first few."""
    told = list(dict.fromkeys(_differ(recorded, made)))
    return told if len(told) <= _MOST else [*told[:_MOST], f"{len(told) - _MOST} more"]


def distance(recorded: Asked, made: Asked) -> float:
    """Tell how far from the same the two are."""
    alike = SequenceMatcher(None, recorded.path, made.path, autojunk=False).ratio()
    others = sum(1 for _ in _differ(recorded, made))
    away = 3 * (recorded.clone != made.clone) + 2 * (recorded.method != made.method)
    return away + 4 * (1 - alike) + min(others, 9) / 10


def _differ(recorded: Asked, made: Asked) -> Iterator[str]:
    for part in ("method", "clone", "path"):
        if not _same_text(getattr(recorded, part), getattr(made, part)):
            yield part
    yield from _pairs("query", recorded.query, made.query)
    for name in ("content-type", "accept"):
        if not _same_text(recorded.headers.get(name, ""), made.headers.get(name, "")):
            yield f"header {name}"
    yield from _bodies(recorded, made)


def _bodies(recorded: Asked, made: Asked) -> Iterator[str]:
    one, other = recorded.body, made.body
    if one.json is not msgspec.UNSET and other.json is not msgspec.UNSET:
        yield from _values("body $", one.json, other.json)
        return
    if isinstance(one.form, list) and isinstance(other.form, list):
        yield from _pairs("form", one.form, other.form)
    elif isinstance(one.text, str) and isinstance(other.text, str):
        if not _same_text(one.text, other.text):
            yield "body"
    elif one != other:
        yield "body"


def _pairs(
    what: str, recorded: list[tuple[str, str]], made: list[tuple[str, str]]
) -> Iterator[str]:
    """Compare pairs whose order is no matter, but for that of a name's values."""
    one, other = _grouped(recorded), _grouped(made)
    for name in dict.fromkeys([*one, *other]):
        if not _same(one.get(name), other.get(name)):
            yield f"{what} {_shown(name)}"


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in pairs:
        groups[name].append(value)
    return groups


def _values(where: str, recorded: object, made: object) -> Iterator[str]:
    if HIDDEN in {_hidden(recorded), _hidden(made)}:
        return
    if isinstance(recorded, dict) and isinstance(made, dict):
        yield from _parts(
            cast("dict[str, object]", recorded),
            cast("dict[str, object]", made),
            lambda key: f"{where}.{_shown(key)}",
        )
    elif isinstance(recorded, list) and isinstance(made, list):
        ones = dict(enumerate(cast("list[object]", recorded)))
        others = dict(enumerate(cast("list[object]", made)))
        yield from _parts(ones, others, lambda number: f"{where}[{number}]")
    elif isinstance(recorded, str) and isinstance(made, str):
        if not _same_text(recorded, made):
            yield where
    elif recorded != made or isinstance(recorded, bool) != isinstance(made, bool):
        yield where


def _parts(
    recorded: Mapping[K, object], made: Mapping[K, object], named: Callable[[K], str]
) -> Iterator[str]:
    for key in dict.fromkeys([*recorded, *made]):
        if key in recorded and key in made:
            yield from _values(named(key), recorded[key], made[key])
        else:
            yield named(key)


def _hidden(value: object) -> str:
    return value if isinstance(value, str) else ""


def _same(recorded: object, made: object) -> bool:
    return next(_values("", recorded, made), None) is None


def _same_text(recorded: str, made: str) -> bool:
    """Compare texts; what is hidden in one may be anything in the other, as another run has other secrets."""
    return recorded == made or _covers(recorded, made) or _covers(made, recorded)


def _covers(pattern: str, text: str) -> bool:
    first, *parts = pattern.split(HIDDEN)
    if not parts or not text.startswith(first):
        return False
    place = len(first)
    for part in parts[:-1]:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return text.endswith(parts[-1]) and len(text) - len(parts[-1]) >= place


def _shown(name: str) -> str:
    """Name a key, unless it may be a value in the wrong place."""
    return name if _SHOWABLE.fullmatch(name) else "(a key)"
