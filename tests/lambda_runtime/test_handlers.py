"""The handlers for queues, schedules and agents on the emulator, against the local Archal."""

from __future__ import annotations

import pytest

HANDLERS = "archal_lambda.handlers."


def asked(archal):
    """List what reached Archal, as method and path."""
    return [(call.method, call.path) for call in archal.requests]


def record(name, body):
    """Make a record of an SQS event."""
    return {"messageId": name, "body": body, "eventSource": "aws:sqs", "attributes": {}}


@pytest.fixture
def batch(event):
    """A batch of two good records and three bad ones, one of each in front."""
    create, read = event("scenario_worker")["Records"]
    wrong = '{"name": "wrong", "steps": [{"clone": "github", "path": "/user", "expect": 418}]}'
    unknown = '{"name": "unknown", "steps": [{"clone": "stripe", "path": "/v1/charges"}]}'
    bad = [record("malformed", "{"), record("wrong", wrong), record("unknown", unknown)]
    return {"Records": [bad[0], create, bad[1], read, bad[2]]}


def test_only_the_bad_records_return_to_the_queue(emulate, archal, batch):
    """Each bad record is reported by its id, wherever it stands, and the others are done."""
    emulator = emulate(f"{HANDLERS}scenario_worker.handler", archal.environ, timeout=30)

    failed = emulator.invoke(batch).json

    names = ("malformed", "wrong", "unknown")
    assert failed == {"batchItemFailures": [{"itemIdentifier": name} for name in names]}
    assert [(call.status, call.clone_saw.path) for call in archal.requests] == [
        (201, "/user/repos"),
        (200, "/repos/testuser/scenario"),
        (200, "/user"),
        (404, "/repos/testuser/none"),
    ]


def test_a_batch_leaves_nothing_for_the_next(emulate, archal, batch, event):
    """The same process reports no record of an earlier batch."""
    emulator = emulate(f"{HANDLERS}scenario_worker.handler", archal.environ, timeout=30)
    emulator.invoke(batch)

    good = {"Records": event("scenario_worker")["Records"][1:]}
    assert emulator.invoke(good).json == {"batchItemFailures": []}


def test_work_that_no_longer_fits_returns_to_the_queue(emulate, archal, event):
    """With less time left than a scenario may take, none is begun and all are reported."""
    emulator = emulate(f"{HANDLERS}scenario_worker.handler", archal.environ, timeout=5)
    records = event("scenario_worker")

    failed = emulator.invoke(records).json["batchItemFailures"]

    ids = [record["messageId"] for record in records["Records"]]
    assert [failure["itemIdentifier"] for failure in failed] == ids
    assert archal.requests == ()


def test_a_session_is_opened_tried_and_stopped(emulate, archal, event):
    """The response sums up the check, and the session is gone."""
    emulator = emulate(f"{HANDLERS}session_lifecycle.handler", archal.environ, timeout=60)

    summary = emulator.invoke(event("session_lifecycle")).json

    assert (summary["passed"], summary["status_code"]) == (True, 200)
    assert summary["session_id"] != archal.session_id
    assert asked(archal)[-1] == ("DELETE", f"/api/sessions/{summary['session_id']}")
    assert archal.requests[-1].status == 204


def test_a_failed_check_is_an_error_by_name(emulate, archal, event):
    """A state machine can tell what went wrong by the error's type."""
    settings = archal.environ | {"ARCHAL_TOKEN": "wrong"}
    emulator = emulate(f"{HANDLERS}session_lifecycle.handler", settings, timeout=60)

    failure = emulator.invoke(event("session_lifecycle")).json

    assert failure["errorType"] == "AuthenticationError"
    assert "errorMessage" in failure


def test_the_sweeper_stops_nothing_unless_told_to(emulate, archal, event):
    """A dry run reports the session that a real run then stops."""
    emulator = emulate(f"{HANDLERS}session_sweeper.handler", archal.environ, timeout=60)
    everything = event("session_sweeper") | {"max_age_seconds": 0}

    dry = emulator.invoke(everything).json
    before = asked(archal)
    real = emulator.invoke(everything | {"dry_run": False}).json

    assert (dry["found"], dry["stopped"], dry["skipped"]) == (1, [], [archal.session_id])
    assert before == [("GET", "/api/sessions")]
    assert (real["stopped"], real["skipped"]) == ([archal.session_id], [])
    assert asked(archal)[-1] == ("DELETE", f"/api/sessions/{archal.session_id}")


def test_the_agent_answers_with_text(emulate, archal, event):
    """The text tells of the task and of what the agent found; the calls are listed."""
    emulator = emulate(f"{HANDLERS}agent.handler", archal.environ)

    answer = emulator.invoke(event("agent")).json

    assert event("agent")["task"] in answer["text"]
    assert "repositories" in answer["text"]
    assert [(call["method"], call["status"]) for call in answer["calls"]] == [("GET", 200)]


def test_a_webhook_is_verified_and_answered(emulate, archal, event):
    """In the event file's form; a changed body is not believed."""
    settings = archal.environ | {"ARCHAL_LAMBDA_WEBHOOK_SECRET": "dummy"}
    emulator = emulate(f"{HANDLERS}github_webhook.handler", settings)
    told = event("github_webhook")

    believed = emulator.invoke(told).json
    changed = emulator.invoke(told | {"body": told["body"].replace("opened", "0pened")}).json

    assert (believed["statusCode"], changed["statusCode"]) == (404, 401)  # it has no such issue
    assert [(call.method, call.clone_saw.path) for call in archal.requests] == [
        ("POST", "/repos/testuser/webshop/issues/1/comments")
    ]


@pytest.mark.parametrize(
    ("handler", "lines"),
    [("scenario_worker", 2), ("session_lifecycle", 2), ("session_sweeper", 2), ("agent", 2)],
)
def test_every_line_of_every_handler_is_json(emulate, archal, event, handler, lines):
    """Logs and metrics can be searched, whatever the handler."""
    emulator = emulate(f"{HANDLERS}{handler}.handler", archal.environ, timeout=60)
    emulator.invoke(event(handler))

    log = emulator.log(lines)
    assert len(log) >= lines
    assert len([line for line in log if "_aws" in line]) == 1
