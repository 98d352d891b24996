"""What may be shown of secrets, headers and addresses.

This module owns redaction. It must not import anything of the package, so that all else can use it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REDACTED", "Secret", "is_sensitive", "redact_headers", "redact_url"]

REDACTED = "[redacted]"

# A pattern, not a list: a list always misses one header, and ours (x-route-authorization) is in no
# common list.
_SENSITIVE = re.compile(
    r"auth|token|secret|cookie|key|signature|password|credential|session|^x-route-|^x-archal-",
    re.IGNORECASE,
)


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


def is_sensitive(name: str) -> bool:
    """Tell whether a header or parameter of this name may hold a secret.

    Args:
        name: A header, query parameter or variable name, in any case.

    Returns:
        True where the value must not be shown.
    """
    return _SENSITIVE.search(name) is not None


def redact_headers(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Copy headers with the values of sensitive ones replaced.

    Args:
        pairs: Header names and values.

    Returns:
        The same names in the same order.
    """
    return [(name, REDACTED if is_sensitive(name) else value) for name, value in pairs]


def redact_url(url: str) -> str:
    """Cut an address down to what may be logged.

    Args:
        url: Any URL or path.

    Returns:
        Scheme, host, port and path; no user info, query or fragment. Nothing at all of a malformed URL.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # its message quotes the URL
        return REDACTED
    host = parts.netloc.rpartition("@")[2]
    scheme = f"{parts.scheme}:" if parts.scheme else ""
    return f"{scheme}//{host}{parts.path}" if host else parts.path
