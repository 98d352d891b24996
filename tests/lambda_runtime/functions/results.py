"""Handlers that return what JSON itself does not know, or fail."""

import decimal
from typing import Any, NamedTuple


class Point(NamedTuple):
    x: int
    y: Any


RESULTS = {
    "decimal": {
        "price": decimal.Decimal("1.10"),
        "many": [decimal.Decimal(3), decimal.Decimal("1E+2")],
    },
    "nan": [decimal.Decimal("NaN"), float("nan")],
    "point": {"at": Point(1, Point(2, 3)), "pair": (1, 2)},
    "bytes": {"text": b"bytes"},
    "raw": b'{"made": "elsewhere"}',
    "text": "caf\xe9 \u2028 \U0001f600",
    "set": {"a": {1}},
    "object": object(),
    "none": None,
}
RESULTS["circle"] = circle = []
circle.append(circle)


def handler(event, context):
    return RESULTS[event["kind"]]


async def awaited(event, context):
    return "never"


def fails(event, context):
    return inner(event)


def inner(event):
    raise LookupError("no such thing")
