"""What arguments of the local Archal may be.

This module owns their limits. It must not use them.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from archal_lambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["check_clones", "check_numbers"]

_MAX_PORT = 65535
_CLONE_ID = re.compile(r"[a-z0-9][a-z0-9-]*")


def check_clones(clones: Iterable[str], *, known: Iterable[str]) -> None:
    """Refuse a clone that is not known."""
    names = sorted(known)
    for clone in clones:
        if clone in names and not _CLONE_ID.fullmatch(clone):
            raise ConfigurationError(
                "clones",
                f"include {clone[:60]!a}: an id has lower-case letters, digits and dashes alone",
            )
        if clone not in names:
            raise ConfigurationError(
                "clones",
                f"names the unknown clone {clone[:60]!r}; available here: {', '.join(names)}",
            )


def check_numbers(*, port: int, **seconds: float) -> None:
    """Refuse a port or a duration that cannot be."""
    if not 0 <= port <= _MAX_PORT:
        raise ConfigurationError("port", f"must be between 0 and {_MAX_PORT}")
    for name, value in seconds.items():
        if not 0 <= value < math.inf:
            raise ConfigurationError(name, "must be a number of seconds from 0 up")
