"""Bodies as a recording has them, and back.

This module owns their forms. What is a secret in a text is for `testing.shown` to say, and what is another at each
recording for `names`; of messages of JSON-RPC, whose numbers are, this module knows.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import msgspec

from archal_lambda.testing.recording.form import Body, nothing
from archal_lambda.testing.recording.names import Names
from archal_lambda.testing.shown import HIDDEN, Hider

__all__ = ["message_id", "recorded_body", "recorded_pairs", "sent_body"]

_FORM = "application/x-www-form-urlencoded"
_ID = "{archal.id}"
_ID_IN_JSON = re.compile(rf'"{re.escape(_ID)}"')
# Those that are read in time; what else there is, is text if it is UTF-8.
_CHARSET = re.compile(
    r";\s*charset=\"?(utf-?(?:16|32)(?:le|be)?|iso-?8859-\d+|latin-?1|windows-125\d|shift_jis|euc-(?:jp|kr)|gbk|big5)\b",
    re.IGNORECASE,
)
_DATA = re.compile(r"^(data: ?)(\{.*\})(\r?)$", re.MULTILINE)
_BOUNDARY = re.compile(r";\s*boundary=\"?([^\";,]{1,70})", re.IGNORECASE)
_PART_NAME = re.compile(rb';\s*name="([^"\r\n]*)"')
_CLIENT = "clientInfo"  # with the version of this package


def message_id(content: bytes) -> object:
    """Give the number of a JSON-RPC request; None for what is no request."""
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        message = _object(msgspec.json.decode(content))
        return message.get("id") if "jsonrpc" in message else None
    return None


def recorded_body(
    content: bytes, content_type: str, hider: Hider, names: Names, *, number: object = None
) -> Body:
    """Write a body down without secrets; `number` is the one of the JSON-RPC request that it is, or answers."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.startswith("multipart/"):
        content = _multipart(content, content_type, hider)
    text = _text(content, content_type)
    if text is None:
        raw = names.hide(hider.plain(content.decode("latin-1"))).encode("latin-1")
        return Body(base64=base64.b64encode(raw).decode("ascii"))
    if not text:
        return nothing()
    if media_type == _FORM:
        return Body(form=recorded_pairs(text, hider, names))
    if not media_type or "json" in media_type:
        with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
            value = msgspec.json.decode(hider.text(text, "application/json"))
            msgspec.json.encode(value)  # which a lone surrogate keeps from being written
            hidden = _leaves(value, lambda leaf: names.hide(hider.plain(leaf)))
            return Body(json=_unnumbered(hidden, number))
    shown = hider.text(text, media_type)
    if media_type == "text/event-stream":
        shown = _DATA.sub(lambda found: _event(found, number), shown)
    return Body(text=names.hide(shown))


def recorded_pairs(text: str, hider: Hider, names: Names) -> list[tuple[str, str]]:
    """Write a query or form down without secrets."""
    pairs = parse_qsl(hider.text(text, _FORM), keep_blank_values=True)
    return [(names.hide(hider.plain(key)), names.hide(hider.plain(value))) for key, value in pairs]


def sent_body(body: Body, content_type: str, names: Names, *, number: object = None) -> bytes:
    """Make the content of a recorded body anew, with the names and the number of now."""
    if isinstance(body.base64, str):
        return base64.b64decode(body.base64)
    if isinstance(body.form, list):
        return urlencode(
            [(names.show(key), names.show(value)) for key, value in body.form]
        ).encode()
    if body.json is not msgspec.UNSET:
        text = msgspec.json.encode(body.json).decode()
    elif isinstance(body.text, str):
        text = body.text
    else:
        return b""
    if number is not None:
        shown = msgspec.json.encode(number).decode()
        text = _ID_IN_JSON.sub(lambda _: shown, text)
    text = names.show(text)
    if body.json is msgspec.UNSET:
        with suppress(LookupError, UnicodeError):
            return text.encode(_charset(content_type))
    return text.encode()


def _charset(content_type: str) -> str:
    found = _CHARSET.search(content_type)
    return found[1] if found else "utf-8"


def _text(content: bytes, content_type: str) -> str | None:
    """Give a body as text, if it is the same again as bytes."""
    with suppress(LookupError, UnicodeError, ValueError):
        charset = _charset(content_type)
        text = content.decode(charset)
        if text.encode(charset) == content and ("\0" not in text):
            return text
    return None


def _leaves(value: object, change: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON may be anything
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_leaves(one, change) for one in cast("list[object]", value)]
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return {change(key): _leaves(one, change) for key, one in pairs}
    return value


def _unnumbered(value: object, number: object) -> object:
    """Leave out of messages what counts in one process only."""
    if isinstance(value, list):
        return [_unnumbered(one, number) for one in cast("list[object]", value)]
    message = _object(value)
    if number is None or "jsonrpc" not in message:
        return value
    if message.get("id") == number:
        message["id"] = _ID
    params = _object(message.get("params"))
    for part in (params, _object(params.get("_meta"))):
        if part.get("progressToken") in {number, HIDDEN}:
            part["progressToken"] = _ID
        for key in [key for key in part if key.rpartition("/")[2] == _CLIENT]:
            del part[key]
    return message


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _event(found: re.Match[str], number: object) -> str:
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        message = msgspec.json.decode(found[2])
        return found[1] + msgspec.json.encode(_unnumbered(message, number)).decode() + found[3]
    return found[0]


def _multipart(content: bytes, content_type: str, hider: Hider) -> bytes:
    """Hide what the fields of a form hold (RFC 7578), and put a boundary that stays for the one that was drawn."""
    found = _BOUNDARY.search(content_type)
    if found is None:
        return content
    parts: list[bytes] = []
    for part in content.split(f"--{found[1]}".encode("latin-1")):
        head, gap, value = part.partition(b"\r\n\r\n")
        named = _PART_NAME.search(head)
        if named is not None:
            shown = hider.field(named[1].decode("latin-1"), value.decode("latin-1"))
            value = shown.encode("latin-1")
        parts.append(head + gap + value)
    return b"--boundary".join(parts)
