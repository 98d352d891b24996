"""Environment variables that hold JSON.

This module owns their parsing and its errors. It is handed the variables and must not read the process's own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from archal_lambda.core.models import decode_plain
from archal_lambda.errors import ConfigurationError, DecodeError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["check_pair", "entry_name", "json_object"]

_PAIR = ("AGENT_CLONE_URLS", "AGENT_ROUTE_HEADERS")
_SHOWABLE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_LOST = (
    "is the empty string; `sam local` makes that of a JSON object in its environment file: quote the object, "
    'as "{\\"github\\": …}", or leave the variable out'
)


def check_pair(env: Mapping[str, str]) -> None:
    """Refuse an environment that has lost one of the two JSON variables.

    Args:
        env: The variables.

    Raises:
        ConfigurationError: If one is the empty string although the other, or nothing at all, is set.
    """
    # The two come as a pair. Both empty are the untouched defaults of a template; one empty beside the other is
    # what `sam local` leaves of a JSON object, and going on would call something other than was asked for.
    empty = [name for name in _PAIR if name in env and not env[name].strip()]
    paired = any(env.get(name, "").strip() for name in _PAIR)
    others = ("ARCHAL_SESSION_ID", "AGENT_SESSION_ID", "ARCHAL_TOKEN")
    if empty and (paired or not any(env.get(name) for name in others)):
        raise ConfigurationError(empty[0], _LOST)


def json_object(env: Mapping[str, str], name: str) -> dict[str, str]:
    """Read a variable that holds a JSON object of strings.

    Args:
        env: The variables.
        name: The variable's name.

    Returns:
        The object; empty if the variable is not set or empty.

    Raises:
        ConfigurationError: If it is no JSON, no object, or holds something but strings.
    """
    text = env.get(name, "")
    if not text.strip():
        return {}
    problem = "is not JSON; it must be a JSON object of strings"
    try:
        value = decode_plain(text.encode())
    except (DecodeError, UnicodeEncodeError):
        pass
    else:
        if isinstance(value, dict):
            return _strings(name, cast("dict[str, object]", value))
        problem = "is JSON but no object; it must be a JSON object of strings"
    raise ConfigurationError(name, problem)


def _strings(name: str, items: dict[str, object]) -> dict[str, str]:
    result: dict[str, str] = {}
    for key, value in items.items():
        if not isinstance(value, str):
            raise ConfigurationError(name, f"{entry_name(key)}is not a string")
        result[key] = value
    return result


def entry_name(key: str) -> str:
    """Name an entry of such an object, for the start of an error's reason.

    Args:
        key: The entry's key. It may be a misplaced secret as well as a value may, so only plain names are shown.

    Returns:
        A few words and a space.
    """
    return f"entry {key!r} " if _SHOWABLE.fullmatch(key) else "one entry "
