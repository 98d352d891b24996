"""Run scenarios from a queue: an SQS batch in which one bad record never fails the others.

A record's body is `{"name": …, "steps": [{"clone": "github", "method": "POST", "path": "/user/repos",
"json": {…}, "expect": 201}, …]}`. A record that fails, or that no longer fits the time left, goes back to the queue.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType

from archal_lambda import Clones, Deadline, read_event
from archal_lambda.powertools import log_calls

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.typing import LambdaContext

# A scenario is not started with less than this left: half-done work is worse than work returned.
NEEDED_SECONDS = 10.0
SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")
# An error for the whole batch would return the good records, too.
processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)


class Batch(msgspec.Struct, rename="pascal"):
    """An SQS event, as far as it must be one."""

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
    """A scenario was not run, or did not go as expected; the record returns to the queue."""


@cache
def clones() -> Clones:
    """Make the clients once per process."""
    return Clones.from_env(on_call=log_calls(logger, metrics))


def run_record(record: SQSRecord, lambda_context: LambdaContext) -> None:
    """Run the scenario of one record.

    Args:
        record: The record; Powertools passes it by this name.
        lambda_context: The invocation's context; Powertools passes it by this name.

    Raises:
        ScenarioError: If it no longer fits the time left, or a step got another status.
        ValueError: If the body is not JSON, or not a scenario.
        ArchalError: If a clone does not answer.
    """
    deadline = Deadline.from_context(lambda_context, reserve=1.0)
    if deadline.remaining() < NEEDED_SECONDS:
        raise ScenarioError("not started: too little time is left")
    scenario = read_event(record.json_body, Scenario)
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
    """Run one record, and count and log how it went.

    Args:
        record: The record.
        lambda_context: The invocation's context.

    Raises:
        Exception: Whatever `run_record` raises; Powertools reports the record as failed.
    """
    try:
        run_record(record, lambda_context)
    except Exception as error:
        metrics.add_metric("ScenariosFailed", MetricUnit.Count, 1)
        logger.warning(
            "scenario failed",
            extra={
                "record": record.message_id,
                "error": type(error).__name__,
                "reason": str(error),
            },
        )
        raise
    metrics.add_metric("ScenariosPassed", MetricUnit.Count, 1)


def has_id(record: Any) -> bool:  # noqa: ANN401 - an event may hold anything
    """Tell whether a record can be reported.

    Args:
        record: A member of `Records`.

    Returns:
        True if it has an id.
    """
    return isinstance(record, dict) and isinstance(
        cast("dict[str, Any]", record).get("messageId"), str
    )


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one batch.

    Args:
        event: An SQS event.
        context: The invocation's context.

    Returns:
        `batchItemFailures` with the ids of the records to return.

    Raises:
        DecodeError: If the event is not an SQS event.
    """
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    batch = read_event(event, Batch)
    # Only a record with an id can be reported; SQS gives one to each.
    records = [record for record in batch.records if has_id(record)]
    if len(records) < len(batch.records):
        logger.error("records left out", extra={"count": len(batch.records) - len(records)})
    metrics.add_metric("Records", MetricUnit.Count, len(records))
    with processor(records, one_record, context):
        processor.process()  # pyright: ignore[reportUnknownMemberType] - untyped in Powertools
    return dict(processor.response())
