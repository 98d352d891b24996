"""Regular expressions that are compiled when they are first used.

This module owns that delay: a cold start pays for each expression that is compiled, and a usual call needs few of them.
It must not know any expression.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

__all__ = ["lazy"]

_METHODS = ("findall", "fullmatch", "match", "search", "split", "sub")


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Make a pattern of which the methods to search with can be used."""
    return cast("re.Pattern[AnyStr]", _Lazy(pattern, flags))


class _Lazy:
    def __init__(self, pattern: str | bytes, flags: int) -> None:
        self._given = pattern, flags

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method of a pattern
        if name not in _METHODS:
            raise AttributeError(name)
        # From here on its methods are those of the compiled one, found without coming by here.
        pattern, flags = self._given
        compiled: re.Pattern[Any] = re.compile(cast("str", pattern), flags)
        vars(self).update({method: getattr(compiled, method) for method in _METHODS})
        return getattr(compiled, name)
