"""What the control plane says, as typed structs, and the one way to decode JSON.

This module owns decoding. It must not fetch anything, and no error it raises may hold a value of the body.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec

from archal_lambda.errors import DecodeError

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["Session", "SessionList", "SessionName", "convert", "decode", "decode_plain", "encode"]

T = TypeVar("T")
# A time without a zone is refused: it cannot be compared with now.
_Moment = Annotated[datetime, msgspec.Meta(tz=True)]

_PATH = re.compile(
    r" - at `(?:key` in `)?(?P<path>\$[^`]*)`\Z"
)  # at the end: a value may look like it
_encoder = msgspec.json.Encoder()


class Session(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A hosted session of clones (`SessionSummary`, Archal OpenAPI 0.3.0).

    Args:
        session_id: Opaque identifier.
        status: An open string; `starting`, `running`, `ended` and `failed` are documented.
        clone_ids: The clones of the session.
        endpoints: Clone to general URL.
        api_base_urls: Clone to REST base URL; prefer these.
        created_at: When it was created, with time zone.
        expires_at: When it ends by itself; read it, the server may cap a requested lifetime.
        alive: Whether the runtime answers, where the server says so.
        mcp: Clone to MCP URL.
        resolved_seeds: Clone to the name of its seed.
        evidence: Free-form.
        runtime_provider: What runs the clones.
        scenario_id: The scenario the session was made for.
        batch_id: The batch it belongs to.
        batch_suite_name: The suite of that batch.
        ended_at: When it ended, with time zone; None while it has not.
        last_error: Why it failed, in the server's words.
    """

    session_id: str
    status: str
    clone_ids: list[str]
    endpoints: dict[str, str]
    api_base_urls: dict[str, str]
    created_at: _Moment
    expires_at: _Moment
    alive: bool | None = None
    mcp: dict[str, str] = {}
    resolved_seeds: dict[str, str] = {}
    evidence: dict[str, Any] = {}
    runtime_provider: str | None = None
    scenario_id: str | None = None
    batch_id: str | None = None
    batch_suite_name: str | None = None
    ended_at: _Moment | None = None
    last_error: str | None = None


class SessionName(msgspec.Struct, frozen=True, rename="camel"):
    """The least that is known of a session.

    Args:
        session_id: Opaque identifier.
    """

    session_id: str


class SessionList(msgspec.Struct, frozen=True):
    """The active sessions of the caller (`SessionListResponse`, Archal OpenAPI 0.3.0).

    Args:
        sessions: In the server's order.
    """

    sessions: list[Session]


@lru_cache(maxsize=256)
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(type_)


def encode(value: object) -> bytes:
    """Encode a value as JSON.

    Args:
        value: Anything msgspec encodes: Structs, dataclasses, dicts, lists, dates, enums, …

    Returns:
        UTF-8 bytes.

    Raises:
        TypeError: If it holds something msgspec cannot encode.
    """
    return _encoder.encode(value)


def decode(content: bytes, type: type[T]) -> T:  # noqa: A002 - the name msgspec users know
    """Decode JSON into a type.

    Args:
        content: UTF-8 JSON.
        type: Any type msgspec knows; `Any` for plain Python values.

    Returns:
        The decoded value.

    Raises:
        DecodeError: If the content is empty, no JSON, nested too deep, or of another shape; `.path` says
            where. The values of the body are not shown.
    """
    reason, path = "", "$"
    try:
        value: T = _decoder(cast("Hashable", type)).decode(content)
    except msgspec.ValidationError as error:
        reason, path = "the body does not have the expected shape", _place(error)
    except (msgspec.DecodeError, UnicodeDecodeError):
        reason = "the body is not valid JSON" if content else "the body is empty"
    except RecursionError:
        reason = "the body is nested too deep"
    else:
        return value
    del content  # a traceback that shows locals would show the body
    # Raised here, so that no context or cause drags the library's message along.
    raise DecodeError(reason, path=path)


def convert(value: object, type: type[T]) -> T:  # noqa: A002 - as in decode
    """Convert plain Python values, such as the event of a function, into a type.

    Args:
        value: What JSON may hold.
        type: Any type msgspec knows.

    Returns:
        The converted value.

    Raises:
        DecodeError: If the value is of another shape; `.path` says where. It is not shown.
    """
    path = "$"
    try:
        return msgspec.convert(value, type)
    except msgspec.ValidationError as error:
        path = _place(error)
    del value  # a traceback that shows locals would show it
    raise DecodeError("the event does not have the expected shape", path=path)


def _place(error: msgspec.ValidationError) -> str:
    # msgspec puts the offending value into some messages (enums, literals), so only the place is kept.
    found = _PATH.search(str(error))
    return found["path"] if found else "$"


def decode_plain(content: bytes) -> Any:  # noqa: ANN401 - JSON holds anything
    """Decode JSON into plain Python values.

    Args:
        content: UTF-8 JSON.

    Returns:
        What the JSON says.

    Raises:
        DecodeError: If the content is empty, no JSON or nested too deep.
    """
    return decode(content, cast("type[Any]", Any))
