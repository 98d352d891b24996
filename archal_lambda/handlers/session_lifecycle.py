"""Open a hosted session, try one of its clones, stop it: for EventBridge Scheduler or Step Functions.

It reads `{"clone": "github", "path": "/user", "seed": …}`, every field optional, and returns a `Summary`. Other keys,
such as EventBridge's own, are ignored. Every error is raised, so that a state machine can catch it by its name.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda import (
    ArchalClient,
    Deadline,
    DecodeError,
    LambdaContext,
    Request,
    RequestTimeout,
    read_event,
)
from archal_lambda.powertools import log_calls

CALL_SECONDS = 10.0  # longest that one call to Archal may take
# How long it may take to stop the session and to answer. A session whose creation got no response takes a call to
# find it and a call to stop it. A running session is billed, so this comes first.
CLEAN_UP_SECONDS = 2 * CALL_SECONDS + 5.0
SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class Check(msgspec.Struct):
    """What to try."""

    clone: Annotated[str, msgspec.Meta(min_length=1)] = "github"
    path: str = "/user"
    seed: str | None = None
    ttl_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 600  # what Archal takes


class Summary(msgspec.Struct):
    """The result of the check."""

    session_id: str
    clone: str
    status_code: int
    passed: bool
    start_seconds: float


def read_check(event: object) -> Check:
    """Read the event, before a session is opened for a check that cannot be made."""
    check = read_event(event, Check)
    try:
        Request("GET", check.path)
    except ValueError as error:  # which shows nothing of the path
        raise DecodeError(
            f"the event cannot be used: {error}", path="$.path", field="path"
        ) from None
    return check


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one invocation."""
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    check = read_check(event)
    deadline = Deadline.from_context(context, reserve=CLEAN_UP_SECONDS)
    if deadline.expired:
        raise RequestTimeout("too little time to start a session and stop it", phase="connect")
    seconds = 0.0

    def progress(_: object, elapsed: float) -> None:
        nonlocal seconds
        seconds = elapsed

    with (
        ArchalClient.from_env(timeout=CALL_SECONDS, on_call=log_calls(logger, metrics)) as client,
        client.sessions.open(
            clones=[check.clone],
            ttl_seconds=check.ttl_seconds,
            seeds={check.clone: check.seed} if check.seed else None,
            timeout=deadline.remaining(),
            on_progress=progress,
        ) as hosted,
    ):
        clone = hosted.clones[check.clone].with_deadline(deadline)
        response = clone.get(check.path, token=SERVICE_TOKEN)
    summary = Summary(
        session_id=hosted.session.session_id,
        clone=check.clone,
        status_code=response.status_code,
        passed=response.is_success,
        start_seconds=round(seconds, 3),
    )
    metrics.add_metric("SessionStart", MetricUnit.Seconds, seconds)
    metrics.add_metric("ChecksPassed", MetricUnit.Count, int(summary.passed))
    logger.info("session checked", extra={"summary": msgspec.to_builtins(summary)})
    return {field: getattr(summary, field) for field in summary.__struct_fields__}
