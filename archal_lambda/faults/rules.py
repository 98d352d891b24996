"""Which fault a request meets, and what a refusal by one says.

This module owns the order of the rules, their counts and their draws. It must not play a fault, nor know a clock or a
connection.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from archal_lambda.core.services import SERVICES
from archal_lambda.faults.fault import Fault
from archal_lambda.faults.service_errors import (
    ServiceError,
    archal_error,
    service_error,
    token_revoked,
)

__all__ = ["FaultRule", "FaultRules", "matches", "mcp_paths", "refusal"]

P = TypeVar("P")
T = TypeVar("T")

_ROUTE = {
    401: ("unauthorized", "x-route-authorization must contain 'Bearer ' and a valid Archal token"),
    403: ("forbidden", "the session belongs to another user"),
}


class FaultRule:
    """A fault that is in force, and what came of it so far."""

    def __init__(self, id_: str, fault: Fault) -> None:
        self.id = id_
        self.fault = fault
        self.hits = 0
        self._draws = 0

    def take(self) -> bool:
        """Tell whether it is played for one more request that it fits."""
        fault = self.fault
        if fault.times is not None and self.hits >= fault.times:
            return False
        if fault.probability is not None:
            self._draws += 1
            if _draw(fault.seed or 0, self._draws) >= fault.probability:
                return False
        self.hits += 1
        return True


class FaultRules:
    """The faults in force, in the order in which they were made; `lock` guards them."""

    def __init__(self, lock: AbstractContextManager[Any]) -> None:
        self._lock = lock
        self._rules: dict[str, FaultRule] = {}
        self._made = 0

    def add(self, fault: Fault) -> FaultRule:
        """Put a fault in force, behind those that are."""
        with self._lock:
            self._made += 1
            rule = FaultRule(f"f{self._made}", fault)
            self._rules[rule.id] = rule
            return rule

    def remove(self, id_: str) -> bool:
        """Let one be over; tell whether it was in force."""
        with self._lock:
            return self._rules.pop(id_, None) is not None

    def clear(self) -> None:
        """Let all be over."""
        with self._lock:
            self._rules.clear()

    def listed(self) -> list[FaultRule]:
        """List those in force."""
        with self._lock:
            return list(self._rules.values())

    def for_call(self, clone: str, method: str, paths: Iterable[str]) -> Fault | None:
        """Take the first that fits a call of a clone, by any of the paths it goes by."""
        known = {spelled for path in paths for spelled in _spellings(clone, path)}
        with self._lock:
            for rule in self._rules.values():
                fits = any(matches(rule.fault, clone, method, path) for path in known)
                if fits and rule.take():
                    return rule.fault
        return None

    def for_teardown(self) -> Fault | None:
        """Take the first that is for the end of a session."""
        with self._lock:
            for rule in self._rules.values():
                if rule.fault.teardown is not None and rule.take():
                    return rule.fault
        return None


def matches(fault: Fault, clone: str, method: str, path: str) -> bool:
    """Tell whether a fault is for a call of a clone."""
    if fault.teardown is not None:
        return False
    return (
        fault.clone in (None, clone)
        and fault.method in (None, method)
        and (fault.path is None or _fits_path(fault.path, path))
    )


def mcp_paths(message: object) -> tuple[str, ...]:
    """Give the paths by which a message to the MCP door goes, from its JSON as plain values."""
    match message:
        case {"method": "tools/call", "params": {"name": str(tool)}}:
            return "/mcp", f"/mcp/{quote(tool, safe='')}"
        case _:
            return ("/mcp",)


def refusal(fault: Fault, clone: str) -> ServiceError | None:
    """Give the response of a fault in whose place nobody else answers; None for the other effects."""
    if fault.status is not None:
        return service_error(clone, fault.status, fault.retry_after)
    if fault.revoked:
        return token_revoked(clone)
    if fault.route is not None:
        return archal_error(fault.route, *_ROUTE[fault.route])
    if fault.teardown is not None:
        return archal_error(fault.teardown, "teardown_failed", "the session could not be stopped")
    return None


def _draw(seed: int, number: int) -> float:
    """Give the draw of that number, from 0 up to 1."""
    # Not random.Random: its sequences may change with Python, and the fault of a run should be found again.
    digest = hashlib.sha256(f"{seed} {number}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48


def _spellings(clone: str, path: str) -> tuple[str, ...]:
    # Where a service's API begins below its host, a clone takes paths from either on.
    service = SERVICES.get(clone)
    prefix = service.path_prefix if service is not None else ""
    return (
        (path, path.removeprefix(prefix))
        if path.startswith(f"{prefix}/")
        else (path, prefix + path)
    )


def _fits_path(pattern: str, path: str) -> bool:
    return _fits(_pattern(pattern), [_plain(one) for one in path[1:].split("/")], _fits_segment)


def _plain(segment: str) -> str:
    return unquote(segment).replace("/", "%2F")


@lru_cache(maxsize=256)
def _pattern(path: str) -> tuple[tuple[str | None, ...] | None, ...]:
    # Of each segment its characters; None stands for any number of segments, or of characters.
    return tuple(
        None if segment == "**" else tuple(_characters(segment)) for segment in path[1:].split("/")
    )


def _characters(segment: str) -> Iterator[str | None]:
    for number, piece in enumerate(segment.split("*")):
        if number:
            yield None
        yield from _plain(piece)


def _fits_segment(pattern: tuple[str | None, ...], segment: str) -> bool:
    return _fits(pattern, segment, operator.eq) and bool(segment or pattern != (None,))


def _fits(pattern: Sequence[P | None], parts: Sequence[T], same: Callable[[P, T], bool]) -> bool:
    # Only the last None is ever tried again with more, which is enough and bounds the time by both lengths multiplied.
    at = done = 0
    again: tuple[int, int] | None = None
    while done < len(parts):
        wanted = pattern[at] if at < len(pattern) else None
        if wanted is not None and same(wanted, parts[done]):
            at, done = at + 1, done + 1
        elif wanted is None and at < len(pattern):
            at += 1
            again = (at, done)
        elif again is not None:
            at, done = again[0], again[1] + 1
            again = (at, done)
        else:
            return False
    return all(rest is None for rest in pattern[at:])
