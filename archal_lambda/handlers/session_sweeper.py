"""Stop sessions that somebody forgot: for a schedule.

It reads `{"max_age_seconds": 7200, "dry_run": true}`, both optional, and returns a `Report`. Other keys, such as
EventBridge's own, are ignored. A forgotten session costs money until its time to live is over. Unless `dry_run` is
false, the handler only reports.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda import (
    ArchalClient,
    ArchalError,
    Deadline,
    LambdaContext,
    NotFoundError,
    read_event,
)
from archal_lambda.powertools import log_calls

# No further session is begun with less than this left; one DELETE may take 15 s.
RESERVE_SECONDS = 20.0
Seconds = Annotated[int, msgspec.Meta(ge=0)]  # below it, even the youngest session would be too old

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class Sweep(msgspec.Struct):
    """What to stop."""

    max_age_seconds: Seconds = 7200
    dry_run: bool = True


class Report(msgspec.Struct):
    """What was done, as session ids. A dry run skips them all; so does too little time, for the rest.

    Unreadable sessions are named, as far as they have ids, and left alone: their age is not known, and one that
    somebody uses may be among them.
    """

    found: int
    dry_run: bool
    unreadable: list[str | None] = []
    stopped: list[str] = []
    failed: list[str] = []
    skipped: list[str] = []


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one invocation."""
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    sweep = read_event(event, Sweep)
    deadline = Deadline.from_context(context, reserve=RESERVE_SECONDS)
    now = datetime.now(UTC)
    with ArchalClient.from_env(on_call=log_calls(logger, metrics)) as client:
        sessions = client.sessions.list()
        unreadable = sessions.unreadable
        report = Report(len(sessions) + len(unreadable), sweep.dry_run, unreadable)
        forgotten = [
            session.session_id
            for session in sessions
            if (now - session.created_at).total_seconds() > sweep.max_age_seconds
        ]
        for session_id in forgotten:
            if sweep.dry_run or deadline.expired:
                report.skipped.append(session_id)
                continue
            try:
                client.sessions.delete(session_id)
            except NotFoundError:
                pass  # it ended by itself meanwhile
            except (ArchalError, ValueError) as error:  # one session never keeps the others running
                logger.warning("session not stopped", extra={"reason": str(error)})
                report.failed.append(session_id)
                continue
            report.stopped.append(session_id)
    metrics.add_metric("SessionsFound", MetricUnit.Count, report.found)
    metrics.add_metric("SessionsStopped", MetricUnit.Count, len(report.stopped))
    metrics.add_metric("SessionsNotStopped", MetricUnit.Count, len(report.failed))
    metrics.add_metric("SessionsSkipped", MetricUnit.Count, len(report.skipped))
    metrics.add_metric("SessionsUnreadable", MetricUnit.Count, len(report.unreadable))
    result: dict[str, Any] = msgspec.to_builtins(report)
    logger.info("sessions swept", extra={"report": result})
    return result
