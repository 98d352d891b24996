"""What may be shown of secrets.

This module owns redaction. It must not import anything of the package, so that all else can use it.
"""

from __future__ import annotations

import re

__all__ = ["REDACTED", "Secret", "entry_name"]

REDACTED = "[redacted]"
# Words, as names of clones and headers are; no digits, underscores or capitals within, as tokens have.
_SHOWABLE = re.compile(r"[A-Za-z][a-z]{0,19}(-[A-Za-z][a-z]{0,19}){0,3}")


class Secret:
    """A string that is never shown: its `str`, `repr` and `format` are a fixed marker.

    Args:
        value: The secret itself.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret, for the one place that sends it.

        Returns:
            The string given to the constructor.
        """
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def entry_name(key: str) -> str:
    """Name an entry of a JSON object, for the start of an error's reason.

    Args:
        key: The entry's key. It may be a misplaced secret as well as a value may, so only plain names are shown.

    Returns:
        A few words and a space.
    """
    return f"entry {key!r} " if _SHOWABLE.fullmatch(key) else "one entry "
