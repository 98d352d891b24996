"""Events that a session cannot be opened for."""

from __future__ import annotations

import pytest

from archal_lambda import DecodeError
from archal_lambda.handlers import session_lifecycle
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext


@pytest.fixture(scope="module")
def archal():
    with LocalArchal() as local:
        yield local


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (None, None),
        ([], None),
        ("text", None),
        ({"clone": 7}, "clone"),
        ({"clone": None}, "clone"),
        ({"clone": ""}, "clone"),
        ({"clone": "\ud800"}, None),
        ({"seed": {}}, "seed"),
        ({"path": 5}, "path"),
        ({"path": "/../x"}, "path"),
        ({"path": "/..%3f"}, "path"),
        ({"path": "https://hidden.test/"}, "path"),
        ({"ttl_seconds": "600"}, "ttl_seconds"),
        ({"ttl_seconds": True}, "ttl_seconds"),
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 10**30}, "ttl_seconds"),
    ],
)
def test_a_session_is_not_opened_for_an_event_that_cannot_be_used(
    archal, monkeypatch, event, field
):
    """The error has a type of ours, names the field, and shows no value."""
    for name, value in archal.environ.items():
        monkeypatch.setenv(name, value)
    before = len(archal.requests)
    with pytest.raises(DecodeError) as caught:
        session_lifecycle.handler(event, LocalContext(timeout=60.0))
    assert caught.value.field == field
    assert "hidden" not in str(caught.value)
    assert len(archal.requests) == before
