"""Answer a webhook of GitHub's clone: a handler for a Function URL, an HTTP API or a load balancer.

It welcomes whoever opens an issue with a comment. Everything else is answered at once: 202 for what it has no use for,
200 for a ping, and 401 for what is not signed with the secret in `GITHUB_WEBHOOK_SECRET`. The webhook must send JSON.

A delivery may come again, by GitHub's or somebody's doing. With a table (`ARCHAL_LAMBDA_IDEMPOTENCY_TABLE`), one with
the same `X-GitHub-Delivery` is carried out once in four days: those of the last three can be redelivered.
"""

from __future__ import annotations

from functools import cache
from typing import Any

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
from archal_lambda.webhooks import header_of, secret_from_env, verify

# The dummy that Archal documents for GitHub clones; the real GitHub refuses it.
GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"  # noqa: S105 - public, see above
KEEP_SECONDS = 4 * 24 * 3600  # how long a delivery is remembered

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class User(msgspec.Struct):
    """Who opened it."""

    login: str


class Issue(msgspec.Struct):
    """An issue, as far as this handler looks."""

    number: int
    user: User


class Repository(msgspec.Struct):
    """Where it was opened."""

    full_name: str


class Delivery(msgspec.Struct):
    """What GitHub tells; other events have other fields."""

    action: str = ""
    issue: Issue | None = None
    repository: Repository | None = None


class Comment(msgspec.Struct):
    """What was made of it."""

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


def welcome(
    issue: Issue,
    repository: Repository,
    deadline: Deadline,
    event: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Comment on an issue. Put your agent here; what takes longer than GitHub waits belongs behind a queue."""
    path = f"/repos/{repository.full_name}/issues/{issue.number}/comments"
    body = {"body": f"Thank you, @{issue.user.login}. Somebody will look at it."}
    try:
        github = clones()["github"].with_deadline(deadline)
        comment = github.post(path, json=body, token=GITHUB_TOKEN).raise_for_status()
        return json_result(201, comment.decode(Comment), event=event)
    except ArchalError as error:
        return failure_result(error, logger, event=event)


def act(delivery: Delivery, event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Do what a delivery asks for, which is mostly nothing."""
    name, delivery_id = header_of(event, "X-GitHub-Event"), header_of(event, "X-GitHub-Delivery")
    if name == "ping":
        return json_result(200, {"message": "pong"}, event=event)
    issue, repository = delivery.issue, delivery.repository
    if (name, delivery.action) != ("issues", "opened") or issue is None or repository is None:
        return json_result(202, {"message": "nothing to do"}, event=event)
    table = once()
    if table is None or not delivery_id:
        return welcome(issue, repository, Deadline.from_context(context, reserve=1.0), event)
    deadline = Deadline.from_context(context, reserve=1.0 + table.reserve)
    return answer_once(
        table,
        lambda: welcome(issue, repository, deadline),
        event=event,
        key=f"webhook:{delivery_id}",
        payload=[issue.number, repository.full_name],
        context=context,
        metrics=metrics,
    )


@logger.inject_lambda_context(log_event=False)  # False even if POWERTOOLS_LOGGER_LOG_EVENT is set
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one delivery."""
    metrics.add_metric("Webhooks", MetricUnit.Count, 1)
    try:
        verify(event, secret_from_env("github"), service="github")
        delivery = read_json(event, Delivery)
    except WebhookRejected as error:
        metrics.add_metric("WebhooksRejected", MetricUnit.Count, 1)
        logger.warning("webhook rejected", extra={"reason": error.reason})
        return json_result(401, {"message": "the webhook is not signed as it should"}, event=event)
    except DecodeError as error:
        return json_result(400, {"message": str(error)}, event=event)
    except ConfigurationError as error:
        metrics.add_metric("SetupFailures", MetricUnit.Count, 1)
        return failure_result(error, logger, event=event)
    return act(delivery, event, context)
