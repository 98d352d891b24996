"""Comment on each new issue: a handler for GitHub's webhooks, behind a Function URL or whatever else speaks HTTP.

It answers 401 unless the body is signed with the webhook's secret (`ARCHAL_LAMBDA_WEBHOOK_SECRET`), 200 when it has
commented or was pinged, and 202 for what it has no use for. If the clone refuses, it answers as the clone did; 502 or
504 says that the clone could not be asked, or the secret is missing. GitHub waits for ten seconds, and repeats nothing
by itself. Let the webhook send `application/json`.

With a table (`ARCHAL_LAMBDA_IDEMPOTENCY_TABLE`), a delivery that comes again within three days gets the answer that it
had, and the issue no second comment.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Annotated, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda import (
    ArchalError,
    Clones,
    ConfigurationError,
    Deadline,
    DecodeError,
    LambdaContext,
    WebhookRejected,
)
from archal_lambda.idempotency import Once, answer_once
from archal_lambda.powertools import failure_result, json_result, log_calls, read_json
from archal_lambda.webhooks import secrets_from_env, verify

SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret
KEEP_SECONDS = 3 * 24 * 3600  # as long as GitHub redelivers what it has sent

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class Issue(msgspec.Struct):
    """An issue, as far as this handler looks."""

    number: int


class Repository(msgspec.Struct):
    """Where it happened."""

    full_name: Annotated[str, msgspec.Meta(pattern=r"^(?!\.+/)[\w.-]+/(?!\.+\Z)[\w.-]+\Z")]


class Webhook(msgspec.Struct):
    """What GitHub tells. Each event has its own fields; these tell the wanted ones from the rest."""

    action: str | None = None
    issue: Issue | None = None
    comment: Any = None
    repository: Repository | None = None
    zen: str | None = None


class Comment(msgspec.Struct):
    """What the clone answers, as far as it is passed on."""

    html_url: str


@cache
def clones() -> Clones:
    """Make the clients once per process, on the first call, so that a wrong setting is a 502."""
    return Clones.from_env(on_call=log_calls(logger, metrics))


@cache
def once() -> Once | None:
    """Find the table of what was done, once per process; None if there is none."""
    return Once.from_env(keep_seconds=KEEP_SECONDS, logger=logger)


once()  # now: what it loads is loaded fastest before the first request


def greet(
    where: Repository, issue: Issue, deadline: Deadline, event: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Comment on a new issue. Put your agent here; what takes longer than GitHub waits belongs behind a queue."""
    path = f"/repos/{where.full_name}/issues/{issue.number}/comments"
    try:
        github = clones()["github"].with_deadline(deadline)
        response = github.post(path, json={"body": "Thanks, we look at it."}, token=SERVICE_TOKEN)
        return json_result(200, response.raise_for_status().decode(Comment), event=event)
    except ArchalError as error:
        return failed(error, event)


def failed(error: ArchalError, event: dict[str, Any] | None) -> dict[str, Any]:
    """Answer what went wrong; count it if only the operator can mend it, and no call was made that would count."""
    if isinstance(error, ConfigurationError):
        metrics.add_metric("SetupFailures", MetricUnit.Count, 1)
    return failure_result(error, logger, event=event)


def act(
    told: Webhook, body: bytes, event: dict[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Do what a delivery asks for, which is mostly nothing. Only its body is signed, so no header tells anything."""
    if told.zen is not None:
        return json_result(200, {"message": "pong"}, event=event)
    where, issue = told.repository, told.issue
    # The comment that is made here is told as well. Whoever acts on comments must know their own by the author, or
    # answers themselves for ever.
    if told.action != "opened" or issue is None or where is None or told.comment is not None:
        return json_result(202, {"message": "ignored"}, event=event)
    table = once()
    if table is None:
        return greet(where, issue, Deadline.from_context(context, reserve=1.0), event)
    deadline = Deadline.from_context(context, reserve=1.0 + table.reserve)
    return answer_once(
        table,
        lambda: greet(where, issue, deadline),
        event=event,
        # Not `X-GitHub-Delivery`, which is not signed: whoever sends a delivery again can change it.
        key=f"github:{hashlib.sha256(body).hexdigest()}",
        payload=None,
        context=context,
        metrics=metrics,
    )


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one delivery."""
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    try:
        body = verify(event, secrets_from_env(), "github")
    except WebhookRejected as error:
        metrics.add_metric("WebhooksRejected", MetricUnit.Count, 1)
        logger.warning("webhook rejected", extra={"reason": error.reason})
        return json_result(401, {"message": "not verified"}, event=event)
    except ConfigurationError as error:
        return failed(error, event)
    try:
        told = read_json(event, Webhook)
    except DecodeError as error:
        return json_result(400, {"message": str(error)}, event=event)
    return act(told, body, event, context)
