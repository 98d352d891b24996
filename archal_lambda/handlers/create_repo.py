"""Create a repository on the GitHub clone: a handler for an HTTP API, a Function URL, a load balancer or VPC Lattice.

It reads `{"name": …, "description": …, "private": …}` and answers 201 with the repository, or 400 for a bad body. If
the clone refuses, it answers as the clone did. If the clone cannot be asked, it answers 502, or 504 when time ran out.

With a table (`ARCHAL_LAMBDA_IDEMPOTENCY_TABLE`), a request that has an `Idempotency-Key` is carried out once: the same
request gets the same answer for a day, another one with that key 422, and one that comes meanwhile 409.
"""

from __future__ import annotations

from contextlib import suppress
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
    Response,
)
from archal_lambda.idempotency import Once, answer_once, request_key
from archal_lambda.powertools import (
    before_snapshot,
    failure_result,
    json_result,
    log_calls,
    read_json,
)

# The dummy that Archal documents for GitHub clones; the real GitHub refuses it.
GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"  # noqa: S105 - public, see above
KEEP_SECONDS = 24 * 3600  # how long a request with a key is remembered

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class NewRepo(msgspec.Struct, omit_defaults=True):
    """What the caller asks for."""

    name: str
    description: str | None = None
    private: bool = False


class Repo(msgspec.Struct):
    """What the caller gets. The clone's response has more fields."""

    id: int
    full_name: str
    html_url: str
    private: bool


@cache
def clones() -> Clones:
    """Make the clients once per process, on the first call, so that a wrong setting is a 502."""
    return Clones.from_env(on_call=log_calls(logger, metrics))


@cache
def once() -> Once | None:
    """Find the table of what was done, once per process; None if there is none."""
    return Once.from_env(keep_seconds=KEEP_SECONDS, logger=logger)


once()  # now: what it loads is loaded fastest before the first request


@before_snapshot
def prime() -> None:
    """Do before a snapshot what the first request would: read the settings, learn the types."""
    with suppress(ArchalError):  # a wrong setting is a 502, as without a snapshot
        clones()
    read_json({"body": '{"name": ""}'}, NewRepo)
    Response(201, json=Repo(id=0, full_name="", html_url="", private=False)).decode(Repo)


def create(new: NewRepo, deadline: Deadline, event: dict[str, Any] | None = None) -> dict[str, Any]:
    """Ask the clone for a repository. Return the result, in the form that the event asks for."""
    try:
        github = clones()["github"].with_deadline(deadline)
        response = github.post("/user/repos", json=new, token=GITHUB_TOKEN)
        return json_result(201, response.raise_for_status().decode(Repo), event=event)
    except ArchalError as error:
        if isinstance(
            error, ConfigurationError
        ):  # no call was made that could be counted as refused
            metrics.add_metric("SetupFailures", MetricUnit.Count, 1)
        return failure_result(error, logger, event=event)


@logger.inject_lambda_context(log_event=False)  # False even if POWERTOOLS_LOGGER_LOG_EVENT is set
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    table = once()
    try:
        new = read_json(event, NewRepo)
        key = request_key(event) if table else None
    except DecodeError as error:
        return json_result(400, {"message": str(error)}, event=event)
    if table is None or key is None:
        return create(new, Deadline.from_context(context, reserve=1.0), event)
    deadline = Deadline.from_context(context, reserve=1.0 + table.reserve)
    return answer_once(
        table,
        lambda: create(new, deadline),
        event=event,
        key=key,
        payload=msgspec.to_builtins(new),
        context=context,
        metrics=metrics,
    )
