"""JSON in and out, by msgspec.

This module owns encoding, decoding and the wording of their failures. It must not know what a value is for. Every
function here is a door for a body, an event or a response, but for `encode`, which is called behind doors alone: no
error of one shows a value.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from archal_lambda.core.secrets import guarded
from archal_lambda.errors import DecodeError

__all__ = ["decode", "decode_plain", "encode", "read_event"]

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
# At the end: a value may look like it.
_PATH = re.compile(r" - at `(?:key` in `)?(?P<path>\$[^`]*)`\Z")


@lru_cache(maxsize=256)
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def encode(value: object) -> bytes:
    """Encode anything that msgspec encodes as JSON; a `TypeError` if it cannot."""
    return _encoder.encode(value)


@guarded
def decode(content: bytes, type: type[T]) -> T:  # noqa: A002 - the name msgspec users know
    """Decode JSON into a type; a `DecodeError` says what is wrong, and where."""
    return _decoded(content, type)


@guarded
def decode_plain(content: bytes) -> Any:  # noqa: ANN401 - JSON may be anything
    """Decode JSON into plain Python values."""
    return _decoded(content, cast("type[Any]", Any))


def _decoded(content: bytes, type: type[T]) -> T:  # noqa: A002 - as in decode
    try:
        value: T = _decoder(cast("Hashable", type)).decode(content)
    except msgspec.ValidationError as error:
        raise DecodeError("the body does not have the expected shape", path=_place(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        reason = "the body is not valid JSON" if content else "the body is empty"
        raise DecodeError(reason) from None
    except RecursionError:
        raise DecodeError("the body is nested too deep") from None
    return value


@guarded
def read_event(event: object, type: type[T]) -> T:  # noqa: A002 - as in decode
    """Read the event of a function into a type.

    Args:
        event: What Lambda hands a handler: plain Python values, as JSON has them.
        type: Any type msgspec knows, such as a Struct.

    Returns:
        The event in that type.

    Raises:
        DecodeError: If it has another shape; `.path` says where. No value of it is shown.

    Example:
        >>> import msgspec
        >>> from archal_lambda import read_event
        >>> class Task(msgspec.Struct):
        ...     task: str
        >>> read_event({"task": "count", "id": 7}, Task)
        Task(task='count')
    """
    try:
        return msgspec.convert(event, type)
    except msgspec.ValidationError as error:
        reason = "the event does not have the expected shape"
        raise DecodeError(reason, path=_place(error)) from None


read_event.__module__ = "archal_lambda"  # where users import it from


def _place(error: msgspec.ValidationError) -> str:
    # msgspec puts the offending value into some messages (enums, literals), so only the place is kept.
    found = _PATH.search(str(error))
    return found["path"] if found else "$"
