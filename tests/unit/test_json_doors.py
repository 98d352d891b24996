"""What is let in, and refused, wherever JSON and forms come in or go out."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime as dt
import enum
import math
from typing import Any, Literal
from urllib.parse import parse_qsl

import msgspec
import pytest

from archal_lambda import DecodeError, Request, Response, edge, powertools, read_event
from archal_lambda.core.sessions import creation

BOM = b"\xef\xbb\xbf"


class Item(msgspec.Struct):
    name: str


class BytesOfARequest:
    """The part of a Worker's request that is read."""

    def __init__(self, content):
        self._content = content

    async def bytes(self):
        return self._content


@pytest.mark.parametrize(
    "read",
    [
        lambda content: Response(200, content=content).decode(Item),
        lambda content: msgspec.convert(Response(200, content=content).json(), Item),
        lambda content: powertools.read_json({"body": content.decode()}, Item),
        lambda content: powertools.read_json(
            {"body": base64.b64encode(content).decode(), "isBase64Encoded": True},
            Item,
        ),
        lambda content: asyncio.run(edge.read_json(BytesOfARequest(content), Item)),
    ],
    ids=["decode", "json", "event", "event in base64", "worker"],
)
def test_a_byte_order_mark_is_skipped(read):
    """RFC 8259, section 8.1 allows it; one mark, and at the beginning only."""
    assert read(BOM + b'{"name": "x"}') == Item("x")
    with pytest.raises(DecodeError):
        read(BOM + BOM + BOM + b"{")


def test_an_envelope_behind_a_byte_order_mark_is_read():
    body = BOM + b'{"error": "unauthorized", "code": "expired", "message": "m"}'
    response = Response(401, content=body)
    assert (response.rejected_by, response.error_field("code")) == ("route", "expired")


@dataclasses.dataclass
class Point:
    x: float


class Price(msgspec.Struct):
    amount: float
    note: str | None = None


class Level(enum.Enum):
    NONE = math.nan


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "wrap",
    [
        lambda x: x,
        lambda x: {"amount": x},
        lambda x: [1, [None, {"a": (x,)}]],
        Price,
        lambda x: [Price(1.0), Point(x)],
        lambda x: {"raw": msgspec.Raw(b"null"), "set": {x}},
        lambda x: {"as a key": {x: 1}},
    ],
)
def test_a_number_that_json_lacks_is_refused(number, wrap):
    """It would be sent as null."""
    with pytest.raises(ValueError, match=r"^json contains NaN or an infinity"):
        Request("POST", "/", json=wrap(number))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_lacks_is_refused_in_results_and_responses(number):
    """A handler's result and a response made by hand are JSON of the caller's, too."""
    with pytest.raises(ValueError, match=r"^json contains NaN or an infinity"):
        Response(200, json={"amount": number})
    with pytest.raises(ValueError, match=r"^json contains NaN or an infinity"):
        powertools.json_result(200, {"amount": number})


def test_a_number_that_json_lacks_is_refused_in_a_session():
    with pytest.raises(ValueError, match=r"^run_config contains something that JSON cannot"):
        creation(clones=["github"], key=None, fields={"run_config": {"rate": math.nan}})


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"a": None},
        [None, 1.5, "null"],
        Price(1.0),
        {"raw": msgspec.Raw(b"[null]")},
        {"null": 1},
    ],
)
def test_null_is_not_a_number(value):
    request = Request("POST", "/", json={"value": value})
    assert msgspec.json.decode(request.content) == {
        "value": msgspec.json.decode(msgspec.json.encode(value))
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, Level.NONE])
@pytest.mark.parametrize("argument", ["form", "params"])
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [1, x]])
def test_a_number_that_is_not_finite_is_refused_as_text_too(argument, wrap, number):
    with pytest.raises(ValueError, match=rf"^{argument}\['amount'\] must not be NaN or infinite$"):
        Request("POST", "/", **{argument: {"amount": wrap(number)}})


def sent(form):
    return parse_qsl(Request("POST", "/", form=form).content.decode(), keep_blank_values=True)


@pytest.mark.parametrize(
    ("form", "fields"),
    [
        ({"metadata": {"order": "7", "ok": True}}, [("metadata[order]", "7"), ("metadata[ok]", "true")]),
        (
            {"line_items": [{"price": "p", "quantity": 2}, {"price": "q"}]},
            [("line_items[0][price]", "p"), ("line_items[0][quantity]", "2"), ("line_items[1][price]", "q")],
        ),
        ({"a": {"b": {"c": ["x", "y"]}}}, [("a[b][c][0]", "x"), ("a[b][c][1]", "y")]),
        ({"a": [["x"], "y"]}, [("a[0][0]", "x"), ("a[1]", "y")]),
        ({"expand": ["x", "y"]}, [("expand", "x"), ("expand", "y")]),
        ({"expand[]": ("x", "y")}, [("expand[]", "x"), ("expand[]", "y")]),
        ({"a": {"b": None, "c": ""}, "d": None, "e": {}, "f": []}, [("a[c]", "")]),
        ([("a", {"b": 1}), ("a", 2)], [("a[b]", "1"), ("a", "2")]),
    ],
)  # fmt: skip
def test_nested_form_fields_stand_in_brackets(form, fields):
    """As Stripe reads them; a flat list repeats its key."""
    assert sent(form) == fields


@pytest.mark.parametrize(
    "value", [{1: "x"}, {"a": {None: "x"}}, {"a": {"b": object()}}, {"a": {"b"}}]
)
def test_what_a_form_cannot_hold_is_named(value):
    with pytest.raises(TypeError, match=r"^form\['key"):
        Request("POST", "/", form={"key": value})


def test_parameters_stay_flat():
    with pytest.raises(TypeError, match=r"^params\['a'\] must be"):
        Request("GET", "/", params={"a": {"b": 1}})


def test_a_nested_number_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match=r"^form\['a\[b\]\[0\]'\] must not be NaN"):
        Request("POST", "/", form={"a": {"b": [math.nan]}})


class Event(msgspec.Struct):
    name: str = ""
    more: Any = None


class Nested(msgspec.Struct):
    inner: Nested | None = None


@pytest.mark.parametrize(
    ("event", "type_"),
    [
        ("x\ud800", str),
        ("x\ud800", int),
        ("x\ud800", dt.datetime),
        ("x\ud800", Literal["a"]),
        ({"name": "\udfff"}, Event),
        ({"more": [{"a": "\ud800"}]}, Event),
        ({"\ud800": 1}, dict[str, int]),
        ({"\ud800": 1}, Event),
    ],
)
def test_a_lone_surrogate_in_an_event_is_a_decode_error(event, type_):
    """It is not text: nothing could send it on."""
    with pytest.raises(DecodeError, match="the event contains a lone surrogate") as caught:
        read_event(event, type_)
    assert caught.value.__context__ is None


def test_a_lone_surrogate_in_json_is_a_decode_error():
    for read in (
        lambda: Response(200, content=b'"\\ud800"').decode(str),
        lambda: powertools.read_json({"body": '"x\ud800"'}, str),
    ):
        with pytest.raises(DecodeError):
            read()


def test_an_event_may_hold_what_json_cannot():
    """It is read as it is."""
    marker = object()
    assert read_event({"more": marker}, Event).more is marker


def test_an_event_that_is_nested_too_deep_is_a_decode_error():
    event: Any = {}
    for _ in range(100_000):
        event = {"inner": event}
    with pytest.raises(DecodeError, match="nested too deep"):
        read_event(event, Nested)
