"""The form of a recording: JSON Lines, of which the first says the version, and each other one is an exchange.

This module owns the lines, and what is told of one that is none. It must not know what is left out of them.
"""
# Annotations are evaluated here, so that msgspec can read them.

import base64
import binascii
from pathlib import Path
from typing import Any

import msgspec

from archal_lambda.errors import ConfigurationError

__all__ = [
    "Answered",
    "Asked",
    "Body",
    "Exchange",
    "Failed",
    "first_line",
    "line_of",
    "nothing",
    "read",
]

_VERSION = 1
_Pairs = list[tuple[str, str]]


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """A body as it reads best: the value of JSON, the pairs of a form, text, or base64; none of them is empty."""

    json: Any = msgspec.UNSET
    form: _Pairs | msgspec.UnsetType = msgspec.UNSET
    text: str | msgspec.UnsetType = msgspec.UNSET
    base64: str | msgspec.UnsetType = msgspec.UNSET


_EMPTY = Body()  # one and the same, which is how msgspec knows that it can be left out


class Asked(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request, as far as it is compared."""

    method: str
    clone: str
    path: str
    query: _Pairs = []
    headers: dict[str, str] = {}
    body: Body = _EMPTY


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """A response."""

    status: int
    headers: _Pairs = []
    body: Body = _EMPTY


class Failed(msgspec.Struct, frozen=True, omit_defaults=True):
    """A `TransportError` in place of a response."""

    type: str
    reason: str
    sent: bool
    phase: str | None = None
    status_code: int | None = None
    limit: int | None = None


class Exchange(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request and what came of it: one of the two."""

    request: Asked
    response: Answered | None = None
    error: Failed | None = None


class _First(msgspec.Struct, frozen=True):
    archal_recording: int


def nothing() -> Body:
    """Give the body that is left out of a line."""
    return _EMPTY


def first_line() -> bytes:
    """Write the line that a recording begins with."""
    return msgspec.json.encode(_First(_VERSION)) + b"\n"


def line_of(exchange: Exchange) -> bytes:
    """Write an exchange."""
    return msgspec.json.encode(exchange) + b"\n"


def read(path: Path) -> list[Exchange]:
    """Read a recording; a `ConfigurationError` names the file, and the line that is none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise _wrong(f"{path} does not exist; record it with RecordTransport") from None
    except OSError as error:
        raise _wrong(f"{path} cannot be read: {error.strerror}") from None
    first, *rest = content.split(b"\n")
    try:
        version = msgspec.json.decode(first, type=_First).archal_recording
    except (msgspec.DecodeError, UnicodeError):
        raise _wrong(f"{path}, line 1: must be the first line of a recording") from None
    if version != _VERSION:
        told = f"is of version {version}, and this archal-lambda reads version {_VERSION}"
        raise _wrong(f"{path}, line 1: {told}")
    if not rest or rest.pop():
        raise _wrong(f"{path}, line {len(rest) + 1 + bool(rest)}: is cut off; record it again")
    return [_exchange(path, number, line) for number, line in enumerate(rest, 2)]


def _exchange(path: Path, number: int, line: bytes) -> Exchange:
    try:
        exchange = msgspec.json.decode(line, type=Exchange)
        for part in (exchange.request, exchange.response):
            if part is not None and isinstance(part.body.base64, str):
                base64.b64decode(part.body.base64, validate=True)
    except msgspec.ValidationError as error:
        raise _wrong(f"{path}, line {number}: {_told(error)}") from None
    except (msgspec.DecodeError, UnicodeError, RecursionError, binascii.Error):
        raise _wrong(f"{path}, line {number}: is damaged; record it again") from None
    if (exchange.response is None) == (exchange.error is None):
        raise _wrong(f"{path}, line {number}: must have a response or an error")
    return exchange


def _told(error: msgspec.ValidationError) -> str:
    reason, _, where = str(error).partition(" - at ")
    return f"{reason} at {where.strip('`')}" if where else reason


def _wrong(reason: str) -> ConfigurationError:
    return ConfigurationError("recording", reason)
