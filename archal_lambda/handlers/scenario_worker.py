"""Run scenarios from a queue: an SQS batch in which one bad record never fails the others.

A record's body is `{"name": …, "steps": [{"clone": "github", "method": "POST", "path": "/user/repos",
"json": {…}, "expect": 201}, …]}`, as it is or as the message of an SNS notification or the detail of an EventBridge
event. A record that fails, or that no longer fits the time left, goes back to the queue. Of a FIFO queue, so does the
rest of its message group, not run: the order is kept.

SQS may deliver a record twice. With a table (`ARCHAL_LAMBDA_IDEMPOTENCY_TABLE`), a scenario that went well is not run
again, and one that is under way elsewhere goes back to the queue.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import SqsFifoPartialProcessor
from aws_lambda_powertools.utilities.batch.exceptions import SQSFifoMessageGroupCircuitBreakerError

from archal_lambda import Clones, Deadline, read_event
from archal_lambda.idempotency import NotRunError, Once
from archal_lambda.powertools import log_calls, read_message

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A scenario is not started with less than this left: half-done work is worse than work returned.
NEEDED_SECONDS = 10.0
SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret
KEEP_SECONDS = 4 * 24 * 3600  # as long as a queue keeps a message unless told otherwise

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")
# For standard queues as well: a record without a message group stands alone.
processor = SqsFifoPartialProcessor(skip_group_on_error=True)
# An error for the whole batch would return the good records, too.
processor.raise_on_entire_batch_failure = False


class Batch(msgspec.Struct, rename="pascal"):
    """An SQS event, as far as this handler reads it."""

    records: list[Any] = []


class Step(msgspec.Struct):
    """One call and the status it should get."""

    clone: str
    path: str
    method: str = "GET"
    json: Any = None
    expect: int = 200


class Scenario(msgspec.Struct):
    """Calls to make one after the other."""

    name: str
    steps: list[Step]


class ScenarioError(Exception):
    """A scenario was not run, or did not go as expected. The record goes back to the queue."""


@cache
def clones() -> Clones:
    """Make the clients once per process."""
    return Clones.from_env(on_call=log_calls(logger, metrics))


@cache
def once() -> Once | None:
    """Find the table of what was done, once per process; None if there is none."""
    return Once.from_env(keep_seconds=KEEP_SECONDS, logger=logger)


once()  # now: what it loads is loaded fastest before the first batch


def run_record(record: SQSRecord, lambda_context: LambdaContext) -> bool:
    """Run the scenario of one record, if it has not been run. Raise an error if it does not go as expected."""
    table = once()
    reserve = 1.0 + table.reserve if table else 1.0
    deadline = Deadline.from_context(lambda_context, reserve=reserve)
    if deadline.remaining() < NEEDED_SECONDS:
        raise ScenarioError("not started: too little time is left")
    ran = False

    def run() -> None:
        nonlocal ran
        ran = True
        run_scenario(read_message(record.body, Scenario), deadline)

    if table is None:
        run()
    else:
        table.run(run, key=record.message_id, context=lambda_context)
    return ran


def run_scenario(scenario: Scenario, deadline: Deadline) -> None:
    """Make the calls of a scenario."""
    view = clones().with_deadline(deadline)
    for number, step in enumerate(scenario.steps, 1):
        response = view[step.clone].request(
            step.method, step.path, json=step.json, token=SERVICE_TOKEN
        )
        if response.status_code != step.expect:
            raise ScenarioError(
                f"step {number}: expected {step.expect}, got {response.status_code}"
            )


def one_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Run one record; count and log how it went. Powertools passes both arguments by name."""
    facts = {"record": record.message_id}
    try:
        ran = run_record(record, lambda_context)
    except Exception as error:
        if isinstance(error, NotRunError) and error.status_code == HTTPStatus.CONFLICT:
            metrics.add_metric("ScenariosSkipped", MetricUnit.Count, 1)
        else:
            metrics.add_metric("ScenariosFailed", MetricUnit.Count, 1)
        facts |= {"error": type(error).__name__, "reason": str(error)}
        logger.warning("scenario failed", extra=facts)
        raise
    if ran:
        metrics.add_metric("ScenariosPassed", MetricUnit.Count, 1)
    else:
        metrics.add_metric("ScenariosSkipped", MetricUnit.Count, 1)
        logger.info("scenario not run again", extra=facts)


def sound(record: Any) -> dict[str, Any] | None:  # noqa: ANN401 - an event may contain anything
    """Take a record as SQS makes them; None if it has no id to report it by."""
    fields = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
    if not isinstance(fields.get("messageId"), str):
        return None
    attributes = fields.get("attributes")
    if isinstance(attributes, dict):
        group = cast("dict[str, Any]", attributes).get("MessageGroupId")
        if group is None or isinstance(group, str):
            return fields
    return {**fields, "attributes": {}}


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one batch. Return the ids of the records that go back to the queue."""
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    batch = read_event(event, Batch)
    # Only a record with an id can be reported; SQS gives one to each.
    records = [record for one in batch.records if (record := sound(one)) is not None]
    if len(records) < len(batch.records):
        logger.error("records left out", extra={"count": len(batch.records) - len(records)})
    metrics.add_metric("Records", MetricUnit.Count, len(records))
    with processor(records, one_record, context):
        processor.process()  # pyright: ignore[reportUnknownMemberType] - untyped in Powertools
    skipped = sum(
        kind is SQSFifoMessageGroupCircuitBreakerError for kind, *_ in processor.exceptions
    )
    if skipped:
        metrics.add_metric("ScenariosSkipped", MetricUnit.Count, skipped)
        logger.warning("records skipped after one of their group", extra={"count": skipped})
    return dict(processor.response())
