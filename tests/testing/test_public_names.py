"""The public names of `local`, `testing` and `invoke`, as tools see them that read types at run time."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pydoc
import typing
from pathlib import Path

import msgspec
import pytest

from archal_lambda.invoke import Function, Outcome
from archal_lambda.local import RecordedHeaders, RecordedRequest, SeenByClone

PACKAGES = ["archal_lambda.invoke", "archal_lambda.local", "archal_lambda.testing"]
NAMES = [
    (package, name) for package in PACKAGES for name in importlib.import_module(package).__all__
]
HEADERS = RecordedHeaders([("accept", "*/*"), ("accept", "text/plain")])
SEEN = SeenByClone(method="GET", path="/user", query="page=2", headers=HEADERS)
RECORD = RecordedRequest(
    method="GET",
    path="/runtime/ses-1/github/api/user",
    query="page=2",
    session_id="ses-1",
    clone="github",
    status=200,
    duration_ms=1.5,
    received_headers=HEADERS,
    clone_saw=SEEN,
)


def parts(value):
    """A name itself, and what its class defines under public names; accessors of properties with them."""
    yield value
    if not isinstance(value, type):
        return
    for name, member in vars(value).items():
        function = member.fget if isinstance(member, property) else member
        if inspect.isfunction(function) and (name[0] != "_" or name in {"__init__", "__exit__"}):
            yield function


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_public_name_can_be_looked_at(package, name):
    """It says where it is imported from; its hints resolve, and `help()` and signatures work."""
    value = getattr(importlib.import_module(package), name)

    assert (value.__module__, value.__qualname__) == (package, name)
    for part in parts(value):
        typing.get_type_hints(part)
        inspect.signature(part)
    assert name in pydoc.render_doc(value)


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_public_name_pickles_under_its_public_path(package, name):
    """So that a pickle outlives a move inside the package."""
    value = getattr(importlib.import_module(package), name)

    pickled = pickle.dumps(value, protocol=0)

    assert pickled.startswith(f"c{package}\n{name}\n".encode())
    assert pickle.loads(pickled) is value  # noqa: S301 - our own


@pytest.mark.parametrize(
    "value",
    [HEADERS, SEEN, RECORD, Outcome(result={"a": 1}), Function("mine.handler", root=Path("here"))],
    ids=lambda value: type(value).__name__,
)
def test_a_value_survives_pickling(value):
    copy = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own

    assert (type(copy), copy) == (type(value), value)


@pytest.mark.parametrize("value", [SEEN, RECORD], ids=lambda value: type(value).__name__)
def test_a_record_survives_json(value):
    """Headers are pairs there, and have their methods again behind it."""
    copy = msgspec.json.decode(msgspec.json.encode(value), type=type(value))

    assert copy == value
    headers = copy.headers if isinstance(copy, SeenByClone) else copy.received_headers
    assert isinstance(headers, RecordedHeaders)
    assert (headers.get("Accept"), "ACCEPT" in headers, "host" in headers) == ("*/*", True, False)


@pytest.mark.parametrize("headers", [None, [["accept"]], [["accept", 1]], {"accept": "*/*"}])
def test_headers_of_another_shape_are_refused(headers):
    fields = msgspec.to_builtins(SEEN) | {"headers": headers}

    with pytest.raises(msgspec.ValidationError, match=r"\$\.headers"):
        msgspec.convert(fields, SeenByClone)
