"""The sweeper does its work whatever the sessions look like."""

from __future__ import annotations

import json

import pytest
from support.fakes import session

from archal_lambda.handlers import session_sweeper
from archal_lambda.testing import LocalContext
from archal_lambda.testing.faulty_server import FaultServer, answer


@pytest.fixture
def stopped(monkeypatch):
    """The ids that an Archal was told to stop, which lists two sessions that can be read and two that cannot."""
    ids = []
    bodies = [
        json.loads(session(**fields).content)
        for fields in (
            {"sessionId": "one", "evidence": None},
            {"sessionId": "two", "expiresAt": None},
            {"sessionId": None},
            {"sessionId": "three"},
        )
    ]

    def script(conn, _index):
        while True:
            received = conn.read_request()
            if received.method == "DELETE":
                ids.append(received.target.rpartition("/")[2])
            conn.send(answer(json.dumps({"sessions": bodies}).encode()))

    with FaultServer(script) as server:
        monkeypatch.setenv("ARCHAL_TOKEN", "t")
        monkeypatch.setenv("ARCHAL_LAMBDA_API_URL", server.origin)
        yield ids


def test_sessions_that_cannot_be_read_keep_no_other_running(stopped):
    """They are reported, and left alone: one of them may be young."""
    report = session_sweeper.handler({"dry_run": False}, LocalContext(timeout=60.0))

    assert (report["found"], report["unreadable"]) == (4, ["two", None])
    assert sorted(report["stopped"]) == sorted(stopped) == ["one", "three"]


def test_a_dry_run_names_them(stopped):
    report = session_sweeper.handler({}, LocalContext(timeout=60.0))

    assert (sorted(report["skipped"]), stopped) == (["one", "three"], [])
