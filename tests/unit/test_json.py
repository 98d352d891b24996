"""Decoding."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import DecodeError, Response, Session
from archal_lambda.core.json import decode, decode_plain, encode, read_event

MARK = "s3ntinel-value"


class Color(enum.Enum):
    RED = "red"


class Item(msgspec.Struct):
    a: int
    b: Literal["x", "y"] = "x"
    c: Color = Color.RED


class Cat(msgspec.Struct, tag="cat"):
    pass


class Dog(msgspec.Struct, tag="dog"):
    pass


class Even(msgspec.Struct):
    value: int
    note: str = ""

    def __post_init__(self):
        if self.value == 3:
            raise msgspec.ValidationError(self.note)
        if self.value % 2:
            raise ValueError(self.note)


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    pass


SHAPE, EMPTY = "the body does not have the expected shape", "the body is empty"
ALLOWED = f"{SHAPE}: expected one of the allowed values"
SYNTAX, DEPTH = "the body is not valid JSON", "the body is nested too deep"


@pytest.mark.parametrize(
    ("content", "type_", "reason", "path"),
    [
        (b"", Any, EMPTY, "$"),
        (b"  ", Any, SYNTAX, "$"),
        (f"<html>{MARK}".encode(), Any, SYNTAX, "$"),
        (f'{{"a": "{MARK}"'.encode(), Any, SYNTAX, "$"),
        (f'{{"a": 1}} {MARK}'.encode(), Any, SYNTAX, "$"),
        (b'"\xff\xfe"', Any, SYNTAX, "$"),
        (b"\xff", Any, SYNTAX, "$"),
        (b"\xef\xbb\xbf", Any, EMPTY, "$"),
        (b"\xef\xbb\xbf{", Any, SYNTAX, "$"),
        (b"{}\xef\xbb\xbf", Any, SYNTAX, "$"),
        (b'{"a": "\xff"}', Item, f"{SHAPE}: expected `int`, got `str`", "$.a"),
        (b'"\\ud800"', str, SYNTAX, "$"),
        (b"NaN", Any, SYNTAX, "$"),
        (b"[" * 5_000_000, Any, DEPTH, "$"),
        (b'{"a":' * 1_000_000, Any, DEPTH, "$"),
        (b"[" * 5_000_000, list[Any], DEPTH, "$"),
        (f'"{MARK}"'.encode(), int, f"{SHAPE}: expected `int`, got `str`", "$"),
        (f'"{MARK}"'.encode(), Color, ALLOWED, "$"),
        (f'{{"a": "{MARK}"}}'.encode(), Item, f"{SHAPE}: expected `int`, got `str`", "$.a"),
        (f'{{"a": 1, "b": "{MARK}"}}'.encode(), Item, ALLOWED, "$.b"),
        (f'{{"a": 1, "c": "{MARK}"}}'.encode(), Item, ALLOWED, "$.c"),
        (f'{{"a": 1, "b": "x - at `$.{MARK}`"}}'.encode(), Item, ALLOWED, "$.b"),
        (f'"x\\n - at `$.{MARK}`"'.encode(), Color, ALLOWED, "$"),
        (b"{}", Item, f"{SHAPE}: missing required field `a`", "$"),
        (b'[{"a": 1}, {"a": 2}, {"a": null}]', list[Item], f"{SHAPE}: expected `int`, got `null`", "$[2].a"),
        (b'[{"a": 1}, {}]', list[Item], f"{SHAPE}: missing required field `a`", "$[1]"),
        (f'{{"{MARK}": "x"}}'.encode(), dict[str, int], f"{SHAPE}: expected `int`, got `str`", "$[...]"),
        (f'{{"{MARK}": 1}}'.encode(), dict[int, int], f"{SHAPE}: in a key, expected `int`, got `str`", "$"),
        (f'[{{"{MARK}": 1}}]'.encode(), list[dict[int, int]], f"{SHAPE}: in a key, expected `int`, got `str`", "$[0]"),
        (f'{{"type": "{MARK}"}}'.encode(), Cat | Dog, ALLOWED, "$.type"),
        (b"{}", Cat | Dog, f"{SHAPE}: missing required field `type`", "$"),
        (f'{{"{MARK}": 1}}'.encode(), Closed, f"{SHAPE}: expected no unknown field", "$"),
        (f'"{MARK}"'.encode(), dt.datetime, f"{SHAPE}: not a valid RFC3339 encoded datetime", "$"),
        (f'"{MARK}"'.encode(), uuid.UUID, f"{SHAPE}: not a valid UUID", "$"),
        (f'{{"value": 1, "note": "{MARK}"}}'.encode(), Even, SHAPE, "$"),
        (f'{{"value": 1, "note": "Expected {MARK}"}}'.encode(), Even, SHAPE, "$"),
        (f'{{"value": 3, "note": "Expected {MARK}"}}'.encode(), Even, SHAPE, "$"),
        (f'{{"value": 1, "note": "x - at `$.{MARK}`"}}'.encode(), Even, SHAPE, "$"),
        (f'{{"value": 3, "note": "x - at `$.{MARK}`"}}'.encode(), Even, SHAPE, "$"),
        (f'[{{"value": 1, "note": "x - at `$.{MARK}`"}}]'.encode(), list[Even], SHAPE, "$[0]"),
        (f'{{"x` - at `$.{MARK}": 1}}'.encode(), Closed, f"{SHAPE}: expected no unknown field", "$"),
        (b"5", Annotated[int, msgspec.Meta(le=4)], f"{SHAPE}: expected `int` <= 4", "$"),
        (b'"q"', Annotated[str, msgspec.Meta(pattern="^a")], f"{SHAPE}: expected `str` matching regex '^a'", "$"),
        (b"[1, 2]", tuple[int, int, int], f"{SHAPE}: expected `array` of length 3", "$"),
        (b"1e999", float, f"{SHAPE}: expected a value in range", "$"),
    ],
)  # fmt: skip
def test_a_decode_error_says_what_is_wrong_and_where(content, type_, reason, path):
    """Neither it nor its cause holds anything of the body."""
    with pytest.raises(DecodeError) as caught:
        decode(content, type_)
    error = caught.value
    assert (str(error), error.path) == (f"{reason} at {path}", path)
    assert (error.__cause__, error.__context__) == (None, None)
    assert MARK not in repr(vars(error))


@pytest.mark.parametrize(
    ("content", "type_", "value"),
    [
        (b'{"a": 1, "unknown": [1]}', Item, Item(1)),
        (b'[{"a": 1, "b": "y"}]', list[Item], [Item(1, "y")]),
        (b'{"type": "dog"}', Cat | Dog, Dog()),
        (b'"red"', Color, Color.RED),
        (b"null", int | None, None),
        (b'"2026-01-02T03:04:05Z"', dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)),
        (b"3", Annotated[int, msgspec.Meta(le=4, extra_json_schema={"x": 1})], 3),
        (b' {"a": 1, "a": 2} ', dict[str, int], {"a": 2}),
    ],
)
def test_a_body_becomes_any_type_of_msgspec(content, type_, value):
    """Unknown fields are skipped."""
    assert decode(content, type_) == value


@pytest.mark.parametrize(
    ("value", "said", "path", "field"),
    [
        (None, "expected `object`, got `null`", "$", None),
        ([], "expected `object`, got `array`", "$", None),
        ({}, "missing required field `a`", "$", "a"),
        ({"a": MARK}, "expected `int`, got `str`", "$.a", "a"),
        ({"a": 1, "c": MARK}, "expected one of the allowed values", "$.c", "c"),
    ],
)
def test_a_conversion_error_says_where(value, said, path, field):
    """It holds nothing of the value."""
    with pytest.raises(DecodeError) as caught:
        read_event(value, Item)
    error = caught.value
    assert str(error) == f"the event does not have the expected shape: {said} at {path}"
    assert (error.path, error.field) == (path, field)
    assert error.__context__ is None
    assert MARK not in repr(vars(error))


def test_conversion_skips_unknown_keys():
    assert read_event({"a": 1, "other": MARK}, Item) == Item(1)


def test_an_unsupported_type_is_the_callers_mistake():
    """It is not a fault of the body."""
    with pytest.raises(TypeError):
        decode(b"1", int | list[int] | tuple[int, ...])


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SIMPLE = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | FLOATS
JSON = st.recursive(
    SIMPLE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(JSON)
def test_plain_values_round_trip(value):
    assert decode_plain(encode(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_json_or_a_decode_error(content):
    """This also holds through a response."""
    try:
        decode_plain(content)
    except DecodeError:
        assert Response(400, content=content).rejected_by is None


SESSION = {
    "sessionId": "ses-1",
    "status": "starting",
    "cloneIds": ["github"],
    "endpoints": {},
    "apiBaseUrls": {},
    "createdAt": "2026-01-02T03:04:05.678Z",
    "expiresAt": "2026-01-02T03:34:05+00:00",
}


def test_a_session_needs_its_required_fields_only():
    """The other fields have defaults. Times have a zone."""
    session = decode(encode(SESSION), Session)
    assert (session.session_id, session.status, session.clone_ids) == (
        "ses-1",
        "starting",
        ["github"],
    )
    assert session.created_at.utcoffset() == dt.timedelta(0)
    assert (session.alive, session.mcp, session.ended_at, session.last_error) == (
        None,
        {},
        None,
        None,
    )


def test_a_session_may_have_every_field():
    """Fields that Archal may add are accepted as well."""
    more = {
        "alive": True,
        "mcp": {"github": "https://m"},
        "resolvedSeeds": {"github": "empty"},
        "evidence": {"any": [1]},
        "runtimeProvider": "p",
        "scenarioId": "s",
        "batchId": "b",
        "batchSuiteName": "n",
        "endedAt": "2026-01-02T03:04:06Z",
        "lastError": "e",
    }
    session = decode(encode(SESSION | more | {"newField": 1}), Session)
    told = decode_plain(encode(session))
    times = {"createdAt": "2026-01-02T03:04:05.678000Z", "expiresAt": "2026-01-02T03:34:05Z"}
    assert told == SESSION | more | times


@pytest.mark.parametrize("field", ["createdAt", "expiresAt", "endedAt"])
@pytest.mark.parametrize("time", ["2026-01-02", "now", 1767323045])
def test_what_is_not_a_time_is_refused(field, time):
    """One without a zone is a time, in UTC."""
    with pytest.raises(DecodeError) as caught:
        decode(encode(SESSION | {field: time}), Session)
    assert caught.value.path == f"$.{field}"


@pytest.mark.parametrize("field", ["sessionId", "status", "createdAt", "expiresAt"])
def test_a_session_without_a_required_field_is_refused(field):
    with pytest.raises(DecodeError):
        decode(encode({key: value for key, value in SESSION.items() if key != field}), Session)


def test_sessions_are_listed_in_the_servers_order():
    content = encode({"sessions": [SESSION, SESSION | {"sessionId": "ses-2"}]})
    assert [one.session_id for one in decode(content, dict[str, list[Session]])["sessions"]] == [
        "ses-1",
        "ses-2",
    ]
