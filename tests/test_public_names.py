"""The public names, as tools look at them; other Pythons and Pyodide have tests of their own."""

from __future__ import annotations

import pickle

import msgspec
import pytest
from support import public_names

from archal_lambda import (
    CallRecord,
    Deadline,
    Headers,
    Request,
    Response,
    RetryPolicy,
    Secret,
    Settings,
    Timeout,
    Transfer,
    errors,
)
from archal_lambda.core.url import BaseUrl

RECORD = CallRecord(
    clone="github",
    method="GET",
    path="/user",
    status_code=200,
    error=None,
    sent=True,
    attempts=2,
    elapsed=0.5,
    time_left=None,
    transfer=Transfer(
        reused=True, bytes_sent=10, bytes_received=20, marks=(("send", 0.0), ("send", 0.5))
    ),
)
VALUES = [
    Request("GET", "/user", token="t"),
    Request("GET", "/user").prepared(BaseUrl("https://clone.test/api"), Headers({"a": "b"})),
    Response(200, json={"a": 1}),
    Timeout(3.0),
    RetryPolicy(),
    Headers({"a": "b"}),
    Settings(clone_urls={"github": "https://clone.test/api"}, token="t", session_id="ses-1"),
    RECORD,
]


def test_help_signatures_hints_and_pickles_of_every_name():
    """A pickle names the path that users import from, so that it outlives a move inside the package."""
    assert public_names.problems() == []


def test_a_name_that_cannot_be_looked_at_is_found(monkeypatch):
    """The walk itself can fail."""
    monkeypatch.setattr(CallRecord, "__module__", "archal_lambda.core.records")
    monkeypatch.setattr(errors.DecodeError.__init__, "__annotations__", {"reason": "Nonsense"})
    found = "\n".join(public_names.problems())
    assert "archal_lambda.CallRecord: pickle" in found
    assert "DecodeError.__init__: hints: NameError" in found


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_value_cannot_be_changed(value):
    """No field can be set or deleted, and none can be added; the value stays what it was."""
    before = repr(value)
    fields = getattr(value, "__struct_fields__", None) or value._fields()
    for name in fields:
        kept = getattr(value, name)
        with pytest.raises(AttributeError):
            setattr(value, name, kept)
        with pytest.raises(AttributeError):
            delattr(value, name)
        assert getattr(value, name) is kept
    with pytest.raises(AttributeError):
        value.anything = 1
    assert repr(value) == before


def test_a_deadline_cannot_be_moved():
    deadline = Deadline.after(5.0)
    with pytest.raises(AttributeError):
        deadline.at = 1e9


def test_no_header_can_be_smuggled_in_through_a_value():
    """What was checked when it was made stays checked."""
    request = Request("GET", "/x")
    with pytest.raises(AttributeError, match="Request is immutable: path cannot be set"):
        request.path = "/x HTTP/1.1\r\nX: y"
    assert request.target == "/x"


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_value_survives_pickling(value, protocol):
    """Its pickle names public paths alone, so that it outlives a move inside the package."""
    pickled = pickle.dumps(value, protocol)
    for room in (b"core", b"clients", b"transports"):
        assert b"archal_lambda." + room not in pickled
    copy = pickle.loads(pickled)  # noqa: S301 - our own bytes
    assert type(copy) is type(value)
    assert repr(copy) == repr(value)
    with pytest.raises(AttributeError):
        copy.anything = 1


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_are_equal_if_their_fields_are(value):
    """And then have the same hash."""
    copy = pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    assert copy == value
    assert hash(copy) == hash(value)
    assert value != object()


def test_values_with_other_fields_differ():
    assert Request("GET", "/a", token="t") != Request("GET", "/a", token="u")
    assert Response(200, content=b"a") != Response(200, content=b"b")
    assert Settings(token="t") != Settings(token="u")
    assert Headers({"A": "b"}) == Headers({"a": "b"}) == {"a": "b"}
    assert Headers({"a": "b"}) != Headers({"a": "c"})


@pytest.mark.parametrize("cls", [Request, Response, Headers, Settings])
def test_a_value_cannot_be_subclassed(cls):
    """What a subclass adds would be neither checked nor kept by copies."""
    with pytest.raises(TypeError, match=f"{cls.__name__} cannot be subclassed"):
        type("Mine", (cls,), {}, init=False)


@pytest.mark.parametrize("value", [RECORD, RECORD.transfer, Timeout(3.0, read=1.0), RetryPolicy(3)])
def test_a_public_struct_survives_json(value):
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_a_secret_is_not_copied_into_anything_readable():
    assert pickle.loads(pickle.dumps(Secret("a"))) == Secret("a")  # noqa: S301 - our own bytes
