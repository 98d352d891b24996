"""Sessions as they may come: with gaps, and some that cannot be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from support.blocking import as_async
from support.fakes import repickled, script, session

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    Response,
    Session,
    SessionList,
    Settings,
)
from archal_lambda.transports.mock import MockTransport


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, ArchalClient=AsyncArchalClient):
        yield request.param


def body(**fields):
    return json.loads(session(**fields).content)


def sessions(*bodies):
    response = Response(200, json={"sessions": list(bodies)})
    return ArchalClient(Settings(token="t"), transport=script(response)).sessions.list()


def without(name):
    return {key: value for key, value in body().items() if key != name}


@pytest.mark.parametrize(
    ("listed", "attribute", "value"),
    [
        (body(evidence=None), "evidence", {}),
        (body(evidence={"a": None}), "evidence", {"a": None}),
        (body(mcp=None), "mcp", {}),
        (body(mcp={"github": None}), "mcp", {}),
        (body(resolvedSeeds=None), "resolved_seeds", {}),
        (body(resolvedSeeds={"github": None, "slack": "s"}), "resolved_seeds", {"slack": "s"}),
        (body(endpoints=None), "endpoints", {}),
        (body(apiBaseUrls=None), "api_base_urls", {}),
        (body(apiBaseUrls={"github": None}), "api_base_urls", {}),
        (body(cloneIds=None), "clone_ids", []),
        (without("endpoints"), "endpoints", {}),
        (without("apiBaseUrls"), "api_base_urls", {}),
        (
            body(createdAt="2026-01-02T03:04:05"),
            "created_at",
            datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        (body(expiresAt="2026-01-02 03:04:05.5"), "expires_at", datetime(2026, 1, 2, 3, 4, 5, 500000, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_gaps_are_read_as_nothing(listed, attribute, value):
    """A session that starts has some things not yet. A time without a zone is UTC."""
    (found,) = sessions(listed)
    assert getattr(found, attribute) == value
    assert getattr(msgspec.convert(listed, Session), attribute) == value


def test_a_session_that_starts_is_waited_for():
    outcomes = [
        session("starting", apiBaseUrls=None, endpoints=None, evidence=None),
        session("starting", apiBaseUrls={"github": None}),
        session(),
        204,
    ]
    client = ArchalClient(
        Settings(token="t"), transport=script(*outcomes), sleep=lambda _seconds: None
    )
    with client.sessions.open(clones=["github"]) as hosted:
        assert hosted.clones["github"].base_url == "https://ses-1.test/github/api"


def test_a_session_that_cannot_be_read_keeps_no_other_back():
    """Its id is told, where it has one."""
    listed = sessions(
        body(sessionId="a"),
        body(sessionId="b", createdAt="yesterday"),
        body(sessionId="c", status=None),
        body(sessionId=7),
        without("sessionId"),
        None,
        "x",
        body(sessionId="d", endpoints=["x"]),
        body(sessionId="e"),
    )
    assert [one.session_id for one in listed] == ["a", "e"]
    assert listed.unreadable == ["b", "c", None, None, None, None, "d"]


def test_a_list_of_sessions_is_a_list():
    listed = sessions(body(), body(status=None))
    assert isinstance(listed, list)
    again = repickled(listed)
    assert (again, again.unreadable) == (listed, ["ses-1"])
    assert (SessionList(), SessionList().unreadable) == ([], [])


@pytest.mark.parametrize("cut", [r"\ud83d", r"\ud83dx", r"x\ude00", r"\ud83d\ud83d"])
def test_text_that_was_cut_in_a_character_keeps_no_session_back(cut):
    """An escape of half a character is not text, and would make the whole list unreadable."""
    body = session(lastError="MARK").content.replace(b"MARK", cut.encode())
    listed = b'{"sessions": [' + session().content + b"," + body + b"]}"
    client = ArchalClient(
        Settings(token="t"), transport=MockTransport(lambda _request: Response(200, content=listed))
    )
    assert len(client.sessions.list()) == 2
    assert "\ufffd" in client.sessions.list()[1].last_error
