"""The handlers for schedules, queues and agents, on the local Archal."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import pytest

from archal_lambda import ArchalClient, ArchalError, RequestTimeout
from archal_lambda.clients.control import Sessions
from archal_lambda.handlers import agent, scenario_worker, session_lifecycle, session_sweeper
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext

EVENTS = Path(__file__).parents[2] / "events"


def event(name):
    """Load an event file."""
    return json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture
def point_at(monkeypatch):
    """Point the environment at a local Archal."""

    def point(local):
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        scenario_worker.clones.cache_clear()
        return local

    yield point
    scenario_worker.clones.cache_clear()


@pytest.fixture
def archal(point_at):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        yield point_at(local)


# --- session_lifecycle


def sessions(archal):
    """List the sessions that are still active, but for the stand-in's own."""
    with ArchalClient.from_env(archal.environ) as client:
        return [s for s in client.sessions.list() if s.session_id != archal.session_id]


def test_lifecycle_checks_a_clone_and_leaves_no_session(archal):
    """The event file opens a session, gets a 200 from its clone, and stops it."""
    summary = session_lifecycle.handler(event("session_lifecycle"), LocalContext(timeout=60.0))

    assert summary["passed"] is True
    assert summary["status_code"] == 200
    assert summary["session_id"] != archal.session_id
    assert sessions(archal) == []


def test_lifecycle_reports_a_failed_check(archal):
    """A clone's refusal is a result, not an error, and the session is stopped."""
    summary = session_lifecycle.handler({"path": "/repos/a/b"}, LocalContext(timeout=60.0))

    assert (summary["passed"], summary["status_code"]) == (False, 404)
    assert sessions(archal) == []


@pytest.mark.parametrize(
    ("payload", "seconds", "error"),
    [
        ({"clone": "gitlab"}, 60.0, "BadRequestError"),
        ({"path": "/../../x"}, 60.0, "DecodeError"),
        ({"ttl_seconds": 0}, 60.0, "DecodeError"),
        ({"clone": 7}, 60.0, "DecodeError"),
        ({}, 20.0, "RequestTimeout"),
    ],
)
def test_lifecycle_raises_what_a_state_machine_can_catch(archal, payload, seconds, error):
    """Failures have names, and never leave a session behind."""
    with pytest.raises((ArchalError, ValueError)) as caught:
        session_lifecycle.handler(payload, LocalContext(timeout=seconds))

    assert type(caught.value).__name__ == error
    assert sessions(archal) == []


def test_lifecycle_stops_a_session_that_starts_too_slowly(point_at):
    """A session that is not running in time is given up and stopped."""
    with LocalArchal(startup_delay=60.0) as local:
        point_at(local)
        with pytest.raises(ArchalError, match="not running yet"):
            session_lifecycle.handler({}, LocalContext(timeout=25.3))

        assert sessions(local) == []


def test_lifecycle_finds_and_stops_a_session_within_its_time(point_at, monkeypatch):
    """An Archal that never responds costs the time there is, and the two calls kept for the end fit in."""
    monkeypatch.setattr(session_lifecycle, "CALL_SECONDS", 0.4)
    monkeypatch.setattr(session_lifecycle, "CLEAN_UP_SECONDS", 2.0)
    context = LocalContext(timeout=2.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("ARCHAL_TOKEN", "t")
        monkeypatch.setenv("ARCHAL_LAMBDA_API_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(RequestTimeout) as caught:
            session_lifecycle.handler({}, context)

    assert "may still be billed" in caught.value.__notes__[0]
    assert context.get_remaining_time_in_millis() > 500


# --- scenario_worker


def batch(*bodies):
    """Make an SQS event."""
    template = event("scenario_worker")["Records"][0]
    return {
        "Records": [
            {**template, "messageId": str(number), "body": body}
            for number, body in enumerate(bodies)
        ]
    }


def failed(result):
    """Give the ids of the records that return to the queue."""
    return [item["itemIdentifier"] for item in result["batchItemFailures"]]


def test_worker_runs_the_event_file(archal):
    """Both scenarios of the event file pass."""
    result = scenario_worker.handler(event("scenario_worker"), LocalContext(timeout=60.0))

    assert failed(result) == []
    assert [call.status for call in archal.requests] == [201, 200, 404]


def test_one_bad_record_does_not_fail_the_others(archal):
    """Bad JSON, a wrong shape, an unknown clone, a bad path and a wrong status fail alone."""
    steps = [
        {"clone": "github", "path": "/user"},
        {"clone": "slack", "path": "/user"},
        {"clone": "github", "path": "/../x"},
        {"clone": "github", "path": "/user", "expect": 201},
        {"clone": "github", "path": "/user"},
    ]
    bodies = [json.dumps({"name": "n", "steps": [step]}) for step in steps]

    result = scenario_worker.handler(batch(*bodies, "{", "[]", "{}"), LocalContext(timeout=60.0))

    assert failed(result) == ["1", "2", "3", "5", "6", "7"]


def test_a_batch_that_fails_whole_is_reported_record_by_record(archal):
    """Even if nothing works, the response is the list of records, not an error."""
    assert failed(scenario_worker.handler(batch("{", "{"), LocalContext())) == ["0", "1"]


def test_work_that_does_not_fit_returns_to_the_queue(archal):
    """With too little time left no scenario is started."""
    before = len(archal.requests)

    result = scenario_worker.handler(event("scenario_worker"), LocalContext(timeout=5.0))

    assert len(failed(result)) == 2
    assert len(archal.requests) == before


def test_an_empty_batch_is_fine(archal):
    """No records, no failures."""
    assert failed(scenario_worker.handler({}, LocalContext())) == []


@pytest.mark.parametrize("payload", [None, [], "x", 5, {"Records": None}, {"Records": "abc"}])
def test_worker_refuses_what_is_no_sqs_event(archal, payload):
    """It is said, so that the records, if there are any, come again."""
    with pytest.raises(ValueError, match="does not have the expected shape"):
        scenario_worker.handler(payload, LocalContext(timeout=60.0))


def test_records_that_sqs_did_not_make_fail_no_others(archal):
    """Without an id a record cannot be reported and is left out; without a body it fails alone."""
    template, other = event("scenario_worker")["Records"]
    odd = [None, 5, {**template, "messageId": None}, {"body": template["body"]}]
    bodiless = [
        {"messageId": "none"},
        {"messageId": "null", "body": None},
        {"messageId": "n", "body": {}},
    ]

    result = scenario_worker.handler(
        {"Records": [*odd, *bodiless, template, other]}, LocalContext(timeout=60.0)
    )

    assert failed(result) == ["none", "null", "n"]
    assert [call.status for call in archal.requests] == [201, 200, 404]


# --- session_sweeper


@pytest.fixture
def old(point_at):
    """A local Archal whose two extra sessions, and its own, are three hours old."""
    now = time.time() - 3 * 3600
    with LocalArchal(clock=lambda: now) as local, ArchalClient.from_env(local.environ) as client:
        made = [client.sessions.create(clones=["github"], ttl_seconds=86_400) for _ in "ab"]
        point_at(local)
        yield [local.session_id, *(session.session_id for session in made)], client


def test_sweeper_only_reports_by_default(old):
    """A dry run names the old sessions and stops none."""
    ids, client = old

    report = session_sweeper.handler(event("session_sweeper"), LocalContext(timeout=60.0))

    assert sorted(report["skipped"]) == sorted(ids)
    assert (report["found"], report["stopped"], report["dry_run"]) == (3, [], True)
    assert len(client.sessions.list()) == 3


def test_sweeper_stops_old_sessions(old):
    """Without dry run the old sessions are gone."""
    ids, client = old

    report = session_sweeper.handler({"dry_run": False}, LocalContext(timeout=60.0))

    assert sorted(report["stopped"]) == sorted(ids)
    assert client.sessions.list() == []


@pytest.mark.parametrize(
    "payload", [None, [], {"max_age_seconds": -1}, {"max_age_seconds": "7"}, {"dry_run": "false"}]
)
def test_sweeper_refuses_what_could_be_a_mistake(old, payload):
    """It stops nothing that it was not asked for in so many words."""
    _, client = old
    given = {"dry_run": False, **payload} if isinstance(payload, dict) else payload

    with pytest.raises(ValueError, match="does not have the expected shape"):
        session_sweeper.handler(given, LocalContext(timeout=60.0))

    assert len(client.sessions.list()) == 3


def test_sweeper_leaves_young_sessions_alone(old):
    """Sessions younger than the limit are not touched."""
    payload = {"dry_run": False, "max_age_seconds": 4 * 3600}

    report = session_sweeper.handler(payload, LocalContext(timeout=60.0))

    assert (report["found"], report["stopped"], report["skipped"]) == (3, [], [])


def test_sweeper_stops_when_time_runs_out(old):
    """With too little time left the rest is skipped and said so."""
    report = session_sweeper.handler({"dry_run": False}, LocalContext(timeout=10.0))

    assert len(report["skipped"]) == 3


@pytest.mark.parametrize("error", [ArchalError("not this one"), ValueError("no id")])
def test_sweeper_goes_on_after_a_failure(old, monkeypatch, error):
    """A session that cannot be stopped is reported; one that is gone counts as stopped."""
    delete = Sessions.delete
    outcomes = iter([error, None, None])

    def flaky(self, session_id):
        if outcome := next(outcomes):
            raise outcome
        delete(self, session_id)
        delete(self, session_id)  # a second DELETE is 404

    monkeypatch.setattr(Sessions, "delete", flaky)

    report = session_sweeper.handler({"dry_run": False}, LocalContext(timeout=60.0))

    assert len(report["failed"]) == 1
    assert len(report["stopped"]) == 2


# --- agent


def test_agent_answers_with_text(archal):
    """The event file's task is answered from the clone, with the calls made."""
    result = agent.handler(event("agent"), LocalContext(timeout=10.0))

    assert result["text"].startswith("Asked: How are my repositories doing?")
    assert result["calls"] == [{"method": "GET", "path": "/user/repos", "status": 200}]
