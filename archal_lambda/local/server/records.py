"""What happened on the wire, as frozen records without secrets.

This module owns the record types, their redaction and the bounded log. It must not keep bodies, nor any value of a
sensitive header or query parameter: they are dropped before a record is made, so that no later reader can leak them.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

import re
import threading
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, overload
from urllib.parse import unquote_plus

import msgspec

from archal_lambda.testing.shown import Hider, credentials

__all__ = ["RecordedHeaders", "RecordedRequest", "Redactor", "RequestLog", "SeenByClone"]

_REDACTED = "[redacted]"
_MAX_RECORDS = 1000
_SENSITIVE = re.compile(
    r"auth|token|secret|cookie|key|signature|passw|passphrase|pwd|credential|^x-route-|^x-archal-",
    re.IGNORECASE,
)


class RecordedHeaders(tuple[tuple[str, str], ...]):
    """Header fields as pairs, in order and with repetitions; names are in lower case.

    Example:
        >>> headers = RecordedHeaders([("accept", "*/*")])
        >>> "Accept" in headers, headers.get("host")
        (True, None)
    """

    __slots__ = ()
    __module__ = "archal_lambda.local"

    def __contains__(self, item: object) -> bool:
        if isinstance(item, str):
            return any(name == item.lower() for name, _ in self)
        return super().__contains__(item)

    @overload
    def get(self, name: str) -> str | None: ...

    @overload
    def get(self, name: str, default: str) -> str: ...

    def get(self, name: str, default: str | None = None) -> str | None:
        """Find the first value of a field.

        Args:
            name: Field name in any case.
            default: Returned if there is no such field.

        Returns:
            The value, redacted if the name is sensitive.
        """
        return next((value for key, value in self if key == name.lower()), default)


# msgspec decodes tuples, but not a class derived from them.
# It reads the second form, of which `_as_recorded` makes the first.
if TYPE_CHECKING:
    _Headers = RecordedHeaders
else:
    _Headers = tuple[tuple[str, str], ...]


class SeenByClone(msgspec.Struct, frozen=True, kw_only=True):
    """The request as it reached the clone, behind the proxy.

    Args:
        method: HTTP method.
        path: Raw path below the clone's base, percent-encoding as sent.
        query: Raw query string without `?`, sensitive values redacted.
        headers: Header fields, sensitive values redacted.
    """

    __module__ = "archal_lambda.local"

    method: str
    path: str
    query: str
    headers: _Headers

    def __post_init__(self) -> None:
        _as_recorded(self, "headers")


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One request that reached the stand-in.

    Args:
        method: HTTP method.
        path: Raw path as received, percent-encoding as sent.
        query: Raw query string without `?`, sensitive values redacted.
        session_id: The session, or None for control-plane calls and unknown sessions.
        clone: The clone, or None for control-plane calls and unknown clones.
        status: HTTP status of the response; 499 if the caller went away before there was one, 0 if a fault reset the
            connection in place of one.
        duration_ms: Milliseconds from the request's head to the beginning of the response.
        received_headers: What reached the proxy, sensitive values redacted.
        clone_saw: What reached the clone, or None if nothing did.
        tool: The MCP tool that was called, or None for other requests and for tools that do not exist.
        fault: The effect of the fault that was played, such as `status=503`, or None for no fault.
    """

    __module__ = "archal_lambda.local"

    method: str
    path: str
    query: str
    session_id: str | None
    clone: str | None
    status: int
    duration_ms: float
    received_headers: _Headers
    clone_saw: SeenByClone | None
    tool: str | None = None
    fault: str | None = None

    def __post_init__(self) -> None:
        _as_recorded(self, "received_headers")


def _as_recorded(record: msgspec.Struct, field: str) -> None:
    msgspec.structs.force_setattr(record, field, RecordedHeaders(getattr(record, field)))


class Redactor:
    """Removes sensitive values by name and by looks, and the known secrets wherever they stand."""

    __slots__ = ("_hider", "_secrets")

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = tuple(secrets)
        self._hider = Hider(self._secrets)

    def of(self, headers: Iterable[tuple[bytes, bytes]]) -> "Redactor":
        """Give one that knows the secrets of a request's headers as well."""
        found = credentials(headers)
        return Redactor([*self._secrets, *found]) if found else self

    def text(self, raw: bytes) -> str:
        """Decode a piece of the request head, without a secret."""
        return self._hider.part(raw.decode("latin-1"))

    def headers(self, raw: Iterable[tuple[bytes, bytes]]) -> RecordedHeaders:
        """Copy header fields, sensitive values redacted."""
        names = ((name.decode("latin-1").lower(), value) for name, value in raw)
        return RecordedHeaders(
            (name, _REDACTED if _SENSITIVE.search(name) else self.text(value))
            for name, value in names
        )

    def query(self, raw: bytes) -> str:
        """Copy a query string byte for byte, except for sensitive values."""
        return "&".join(self._parameter(part) for part in self.text(raw).split("&"))

    @staticmethod
    def _parameter(part: str) -> str:
        name, equals, _ = part.partition("=")
        sensitive = equals and _SENSITIVE.search(unquote_plus(name))
        return f"{name}={_REDACTED}" if sensitive else part


class RequestLog:
    """The last records, safe to read from any thread."""

    def __init__(self) -> None:
        self._records: deque[RecordedRequest] = deque(maxlen=_MAX_RECORDS)
        self._lock = threading.Lock()

    def append(self, record: RecordedRequest) -> None:
        """Add the newest record; the oldest one goes once the log is full."""
        with self._lock:
            self._records.append(record)

    def snapshot(self) -> tuple[RecordedRequest, ...]:
        """Copy the log, oldest first."""
        with self._lock:
            return tuple(self._records)

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._records.clear()
