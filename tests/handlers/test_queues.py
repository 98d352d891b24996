"""What comes in a batch: records of FIFO queues, and messages that other services wrapped."""

from __future__ import annotations

import io
import json

import pytest

from archal_lambda import DecodeError
from archal_lambda.handlers import scenario_worker
from archal_lambda.local import LocalArchal
from archal_lambda.powertools import read_message
from archal_lambda.testing import LocalContext

GOOD = '{"name": "good", "steps": [{"clone": "github", "path": "/user"}]}'
BAD = '{"name": "bad", "steps": [{"clone": "github", "path": "/user", "expect": 418}]}'


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        scenario_worker.clones.cache_clear()
        yield local
        scenario_worker.clones.cache_clear()


def record(name, body, group=None):
    """Make a record as SQS does (AWS Lambda Developer Guide, "Using Lambda with Amazon SQS")."""
    attributes = {"ApproximateReceiveCount": "1", "SenderId": "123456789012"}
    if group is not None:
        attributes |= {
            "SequenceNumber": "18849496460467696128",
            "MessageGroupId": group,
            "MessageDeduplicationId": name,
        }
    end = "" if group is None else ".fifo"
    return {
        "messageId": name,
        "body": body,
        "attributes": attributes,
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:us-east-2:123456789012:scenarios{end}",
    }


def returned(*records):
    """Handle a batch; give the ids of the records that return to the queue."""
    result = scenario_worker.handler({"Records": list(records)}, LocalContext(timeout=60.0))
    return [item["itemIdentifier"] for item in result["batchItemFailures"]]


def test_a_failed_record_returns_with_the_rest_of_its_group(archal):
    """What follows it in the group is not run, what went before it is done, and other groups go on."""
    ids = returned(
        record("a1", GOOD, "a"),
        record("b1", BAD, "b"),
        record("a2", BAD, "a"),
        record("b2", GOOD, "b"),
        record("c1", GOOD, "c"),
        record("a3", GOOD, "a"),
    )

    assert ids == ["b1", "a2", "b2", "a3"]
    assert len(archal.requests) == 4


def test_a_group_is_forgotten_after_the_batch(archal):
    """The next batch of the same process runs it again."""
    assert returned(record("a1", BAD, "a"), record("a2", GOOD, "a")) == ["a1", "a2"]
    assert returned(record("a2", GOOD, "a")) == []


def test_records_of_a_standard_queue_stand_alone(archal):
    """Without a group, one that fails is returned alone, from wherever it stands."""
    assert returned(record("1", BAD), record("2", GOOD), record("3", GOOD)) == ["1"]


@pytest.mark.parametrize("attributes", [None, "x", [], {"MessageGroupId": ["a"]}])
def test_attributes_that_sqs_did_not_make_fail_nothing(archal, attributes):
    """Such a record has no group."""
    odd = [
        record(name, body) | {"attributes": attributes} for name, body in (("1", BAD), ("2", GOOD))
    ]

    assert returned(*odd, record("3", GOOD)) == ["1"]


def test_skipped_records_are_counted_and_logged(archal, capsys):
    """They neither passed nor failed."""
    handler = scenario_worker.logger.registered_handler
    before = handler.setStream(stream := io.StringIO())
    try:
        returned(record("1", BAD, "g"), record("2", GOOD, "g"), record("3", GOOD, "g"))
    finally:
        handler.setStream(before)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[-1]["message"] == "records skipped after one of their group"
    assert lines[-1]["count"] == 2
    (emf,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert (emf["ScenariosFailed"], emf["ScenariosSkipped"], emf["Records"]) == (
        [1.0],
        [2.0],
        [3.0],
    )
    assert "ScenariosPassed" not in emf


def notification(message):
    """Wrap a message as SNS does (Amazon SNS Developer Guide, "Fanout to Amazon SQS queues")."""
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
            "TopicArn": "arn:aws:sns:us-west-2:123456789012:MyTopic",
            "Subject": "Testing publish to subscribed queues",
            "Message": message,
            "Timestamp": "2012-03-29T05:12:16.901Z",
            "SignatureVersion": "1",
            "Signature": "EXAMPLEnTrFPa3...",
            "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService.pem",
            "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
        }
    )


def emitted(detail):
    """Wrap a detail as EventBridge does (Amazon EventBridge User Guide, "Structure of events")."""
    return json.dumps(
        {
            "version": "0",
            "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
            "detail-type": "scenario",
            "source": "my.application",
            "account": "111122223333",
            "time": "2017-12-22T18:43:48Z",
            "region": "us-west-1",
            "resources": [],
            "detail": json.loads(detail),
        }
    )


WRAPPINGS = {
    "plain": lambda body: body,
    "sns": notification,
    "eventbridge": emitted,
    "eventbridge-sns": lambda body: notification(emitted(body)),
    "sns-sns": lambda body: notification(notification(body)),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS)
def test_a_wrapped_scenario_is_run(archal, wrap):
    """Whichever way it came to the queue."""
    assert returned(record("1", wrap(GOOD)), record("2", wrap(BAD))) == ["2"]
    assert len(archal.requests) == 2


@pytest.mark.parametrize(
    "body",
    [
        None,
        {},
        7,
        "",
        "{",
        "\ud800",
        notification("{"),
        notification("\ud800"),
        emitted("[]"),
        json.dumps({"Type": "Notification", "Message": {}}),
        json.dumps({"Type": "Other", "Message": GOOD}),
    ],
)
def test_a_message_that_cannot_be_read_is_a_decode_error(body):
    """Of whatever shape it is, and no value of it is shown."""
    with pytest.raises(DecodeError) as caught:
        read_message(body, scenario_worker.Scenario)

    assert "Notification" not in str(caught.value)


def test_wrappers_are_undone_a_few_times_only():
    """An endless nesting ends."""
    body = GOOD
    for _ in range(4):
        body = notification(body)

    with pytest.raises(DecodeError, match="shape"):
        read_message(body, scenario_worker.Scenario)
