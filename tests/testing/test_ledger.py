"""The notes of hosted sessions, by which a run leaves none behind."""

from __future__ import annotations

import pytest
from support.fakes import Clock, session
from support.programs import outcome_of

from archal_lambda import ArchalClient, ConnectionLost, Response, Settings, errors
from archal_lambda.testing.pytest_plugin.ledger import Ledger
from archal_lambda.transports.mock import MockTransport


@pytest.fixture
def ledger_of(tmp_path):
    """Makes a ledger whose control plane is a function."""

    def make(answer):
        clock = Clock()
        client = ArchalClient(
            Settings(token="t"), transport=MockTransport(answer), clock=clock, sleep=clock.sleep
        )
        return Ledger(client, tmp_path)

    return make


def test_whoever_dies_at_any_instruction_leaves_no_session():
    """Not even one that was asked for and not yet answered: its note has the key that finds it."""
    outcome = outcome_of("interrupted_ledger.py")

    assert outcome["instructions"] > 200
    assert outcome["left"] == []


def test_a_creation_without_an_answer_is_found_by_its_key(ledger_of):
    keys, deleted = [], []

    def answer(request):
        if request.method == "DELETE":
            deleted.append(request.path)
            return Response(204)
        keys.append(request.headers["idempotency-key"])
        if len(keys) <= 3:
            raise ConnectionLost("lost", sent=True)
        return session(sessionId="ses-found")

    ledger = ledger_of(answer)
    with pytest.raises(ConnectionLost):
        ledger.create(("github",), {"github": "empty"})

    assert ledger.sweep() == []
    assert len(set(keys)) == 1
    assert deleted == ["/api/sessions/ses-found"]
    assert ledger.sweep() == []


def test_a_creation_that_was_refused_is_not_noted(ledger_of, tmp_path):
    ledger = ledger_of(lambda request: Response(401, json={}))
    with pytest.raises(errors.AuthenticationError):
        ledger.create(("github",), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", ["DELETE", "POST"])
def test_what_may_still_run_is_named_until_it_is_deleted(ledger_of, failing):
    """By its id, or by its key where there is none."""
    broken = [True]

    def answer(request):
        if broken[0] and request.method == failing:
            return Response(502)
        return Response(204) if request.method == "DELETE" else session(sessionId="ses-1")

    ledger = ledger_of(answer)
    if failing == "DELETE":
        ledger.delete(ledger.create(("github",), {}).session_id)
        named = "ses-1: "
    else:
        with pytest.raises(errors.ServerError):
            ledger.create(("github",), {})
        named = "with the Idempotency-Key pytest-"

    (line,) = ledger.sweep()
    assert line.startswith(named)
    assert "502" in line
    broken[0] = False
    assert ledger.sweep() == []


def test_nobody_waits_when_the_run_is_over(ledger_of):
    """A session that starts is not waited for, and is deleted."""
    seen = []

    def answer(request):
        seen.append(request.method)
        return (
            Response(204)
            if request.method == "DELETE"
            else session(sessionId="ses-1", status="starting")
        )

    ledger = ledger_of(answer)
    with pytest.raises(InterruptedError, match="the run has ended"):
        ledger.create(("github",), {}, stopped=lambda: "GET" in seen)
    assert ledger.sweep() == []
    assert seen[-1] == "DELETE"
    ledger.close()
