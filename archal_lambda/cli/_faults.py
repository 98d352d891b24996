"""How a fault is written on the command line.

This module owns that spelling, which `str()` of a `Fault` gives as well. It must not play a fault.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from archal_lambda.errors import ConfigurationError
from archal_lambda.testing import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FaultText"]

_METHOD = re.compile(r"[A-Z]+")
_CLONE = re.compile(r"\*|[a-z0-9][a-z0-9-]*")
_INTEGERS = ("status", "retry_after", "cut", "route", "teardown", "times", "seed")
_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(_INTEGERS, int),
    **dict.fromkeys(("delay", "drip", "probability"), float),
    "reset": lambda text: text.lower() == "true" or text,
}
_FLAGS = ("reset", "revoked")


class FaultText(click.ParamType[Fault]):
    """`CLONE METHOD PATH key=value …`, of which CLONE, METHOD and PATH may be left out."""

    name = "fault"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fault:
        """Read a fault; what is wrong is told with its word."""
        if isinstance(value, Fault):
            return value
        fields: dict[str, Any] = {}
        words: dict[str, str] = {}
        for word in str(value).split():
            try:
                name, read = _read(word)
            except ValueError as error:
                self.fail(f"{word!r} {error}", param, ctx)
            if name in fields:
                more = "; a path begins with /" if name == "clone" else ""
                self.fail(f"{word!r} says {name} a second time{more}", param, ctx)
            fields[name], words[name] = read, word
        try:
            return Fault(**fields)
        except ConfigurationError as error:
            wrong = words.get(error.variable)
            self.fail(f"{wrong!r}: {error}" if wrong else str(error), param, ctx)


def _read(word: str) -> tuple[str, Any]:
    name, equals, value = word.partition("=")
    if word.startswith("/"):
        return "path", word
    if not equals:
        if word in _FLAGS:
            return word, True
        if _METHOD.fullmatch(word):
            return "method", word
        if _CLONE.fullmatch(word):
            return "clone", word
        raise ValueError("is no clone, METHOD, /path or key=value")
    if name not in _READERS:
        raise ValueError(f"is of none of the keys {', '.join(sorted(_READERS))}")
    try:
        return name, _READERS[name](value)
    except ValueError:
        raise ValueError(f"must have a number behind {name}=") from None
