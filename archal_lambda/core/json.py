"""JSON in and out, by msgspec.

This module owns encoding, decoding and the wording of their failures. It must not know what a value is for. Every
function here is a door for a body, an event or a response, but for `encode`, which is called behind doors alone: no
error of one shows a value.
"""

from __future__ import annotations

import codecs
import math
import re
from functools import lru_cache
from typing import Any, Protocol, TypeVar, cast

import msgspec

from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import guarded
from archal_lambda.errors import DecodeError

__all__ = [
    "decode",
    "decode_plain",
    "decoder",
    "encode",
    "encode_finite",
    "read_event",
    "without_surrogates",
]

T = TypeVar("T")

_LONE_SURROGATE = lazy(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_SURROGATE = "the event contains a lone surrogate"

_encoder = msgspec.json.Encoder()
# At the end: a value may look like it.
_PATH = lazy(r" - at `(?P<key>key` in `)?(?P<path>\$[^`]*)`\Z")
_UNKNOWN = "Object contains unknown field"
_LAST_FIELD = lazy(r"\.([^.\[\]]+)(?:\[[^\]]*\])*\Z")
_MISSING = lazy(r"Object missing required field `([^`]+)`")
# What msgspec says of a type, and so of the caller's own code; where it quotes a value or a key, that is left out.
_SAYINGS = [
    (lazy(r"Object (missing required field `[^`]+`)"), r"\1"),
    (lazy(r"Expected (.+)"), r"expected \1"),
    (lazy(r"Invalid ((?:RFC3339|base64) encoded \w+|ISO8601 duration|UUID|decimal string)"), r"not a valid \1"),
    (lazy(r"(?:Integer value|Number|Timestamp|Duration) (?:is )?out of range *"), "expected a value in range"),
    (lazy(r"Invalid (?:enum )?value .*", re.DOTALL), "expected one of the allowed values"),
    (lazy(_UNKNOWN), "expected no unknown field"),
]  # fmt: skip


@lru_cache(maxsize=256)
def decoder(type_: object) -> msgspec.json.Decoder[Any]:
    """Give the decoder of a type, which is made once; its errors show values."""
    return msgspec.json.Decoder(cast("Any", type_))


def encode(value: object) -> bytes:
    """Encode anything that msgspec encodes as JSON; a `TypeError` if it cannot."""
    return _encoder.encode(value)


def encode_finite(value: object, *, what: str) -> bytes:
    """Encode what a caller gave as the argument `what`; NaN and the infinities are a `ValueError`."""
    content = _encoder.encode(value)
    # msgspec writes them as null, and keys as words: without one there is nothing to look for.
    # As text, in which they are found in a third of the time.
    text = content.decode("latin-1")
    suspect = "null" in text or 'inf":' in text or 'nan":' in text
    if suspect and not _is_finite(value):
        raise ValueError(
            f"{what} contains NaN or an infinity; JSON has neither (RFC 8259, section 6)"
        )
    return content


def _is_finite(value: object) -> bool:
    left: list[Any] = [msgspec.to_builtins(value, enc_hook=lambda _: None)]  # Raw is JSON already
    while left:
        one: Any = left.pop()
        if isinstance(one, float) and not math.isfinite(one):
            return False
        if isinstance(one, dict):
            left.extend([*one.keys(), *one.values()])  # pyright: ignore[reportUnknownArgumentType] - anything
        elif isinstance(one, list | tuple | set | frozenset):
            left.extend(cast("list[Any]", one))
    return True


class _Source(Protocol):
    """What an error shows of the `Response` that a body belongs to, which this module must not know."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def status_code(self) -> int: ...


@guarded
def decode(content: bytes, type: type[T], source: _Source | None = None) -> T:  # noqa: A002 - the name msgspec users know
    """Decode JSON into a type; a `DecodeError` says what is wrong, and where."""
    return _decoded(content, type, source)


@guarded
def decode_plain(content: bytes, source: _Source | None = None) -> Any:  # noqa: ANN401 - JSON may be anything
    """Decode JSON into plain Python values."""
    return _decoded(content, cast("type[Any]", Any), source)


def _decoded(content: bytes, type: type[T], source: _Source | None) -> T:  # noqa: A002 - as in decode
    try:
        # A call less than cast(), on the way of each response.
        value: T = decoder(type).decode(content)  # type: ignore[arg-type]  # unhashable types do not come here
    except msgspec.ValidationError as error:
        raise _misshapen("body", error, source) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        rest = content.removeprefix(codecs.BOM_UTF8)  # RFC 8259, section 8.1: it may be ignored
        if len(rest) < len(content) and not rest.startswith(codecs.BOM_UTF8):
            return _decoded(rest, type, source)
        reason = "the body is not valid JSON" if content else "the body is empty"
        raise DecodeError(reason, **_facts(source)) from None
    except RecursionError:
        raise DecodeError("the body is nested too deep", **_facts(source)) from None
    return value


@guarded
def without_surrogates(content: bytes) -> bytes:
    """Replace escapes of lone surrogates by U+FFFD: text that was cut has them, and is refused as a whole for them."""
    return _LONE_SURROGATE.sub(rb"\\ufffd", content)


@guarded
def read_event(event: object, type: type[T]) -> T:  # noqa: A002 - as in decode
    """Read the event of a function into a type.

    Args:
        event: What Lambda hands a handler: plain Python values, as JSON has them.
        type: Any type msgspec knows, such as a Struct.

    Returns:
        The event in that type.

    Raises:
        DecodeError: If it has another shape, or contains a lone surrogate, which is not text; `.path` says where,
            `.field` which field. No value of it is shown.

    Example:
        >>> import msgspec
        >>> from archal_lambda import read_event
        >>> class Task(msgspec.Struct):
        ...     task: str
        >>> read_event({"task": "count", "id": 7}, Task)
        Task(task='count')
    """
    try:
        value = msgspec.convert(event, type)
    except msgspec.ValidationError as error:
        raise _misshapen("event", error, None) from None
    except UnicodeEncodeError:
        raise DecodeError(_SURROGATE) from None
    except RecursionError:
        raise DecodeError("the event is nested too deep") from None
    if not _is_text(value):
        raise DecodeError(_SURROGATE)
    return value


read_event.__module__ = "archal_lambda"  # where users import it from


def _is_text(value: object) -> bool:
    """Tell whether all strings of a value can be sent; an escape in JSON may make one that cannot."""
    try:
        _encoder.encode(value)
    except UnicodeEncodeError:
        return False
    except (TypeError, ValueError, OverflowError, RecursionError):
        return True  # a value of a type that is not JSON's
    return True


def _facts(source: _Source | None) -> dict[str, Any]:
    if source is None:
        return {}
    return {"method": source.method, "url": source.url, "status_code": source.status_code}


def _misshapen(what: str, error: msgspec.ValidationError, source: _Source | None) -> DecodeError:
    reason, text = f"the {what} does not have the expected shape", str(error)
    trace, cause = error.__traceback__, error.__cause__
    if trace is not None and trace.tb_next is not None:
        text = (
            ""  # raised by code in Python, such as a `__post_init__`, which may quote what it likes
        )
    elif cause is not None:
        text = text.removeprefix(str(cause))  # the same, but msgspec has added the path
    elif text.startswith(_UNKNOWN):
        text = _UNKNOWN  # the key, which stands last, may look like a path
    found = _PATH.search(text)
    path = found["path"] if found else "$"
    saying = text[: found.start()] if found else text
    named = _MISSING.fullmatch(saying) or _LAST_FIELD.search(path)
    key = "in a key, " if found and found["key"] else ""
    for pattern, words in _SAYINGS:
        said = pattern.fullmatch(saying)
        if said:
            reason += f": {key}{said.expand(words)}"
            break
    return DecodeError(reason, path=path, field=named[1] if named else None, **_facts(source))
