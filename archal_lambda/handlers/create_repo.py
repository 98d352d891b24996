"""Create a repository on the GitHub clone: a handler for an HTTP API, a Function URL, a load balancer or VPC Lattice.

It reads `{"name": …, "description": …, "private": …}` and answers 201 with the repository, or 400 for a bad body. If
the clone refuses, it answers as the clone did. If the clone cannot be asked, it answers 502, or 504 when time ran out.
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
from archal_lambda.powertools import (
    before_snapshot,
    failure_result,
    json_result,
    log_calls,
    read_json,
)

# The dummy that Archal documents for GitHub clones; the real GitHub refuses it.
GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"  # noqa: S105 - public, see above

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


@before_snapshot
def prime() -> None:
    """Do before a snapshot what the first request would: read the settings, learn the types."""
    with suppress(ArchalError):  # a wrong setting is a 502, as without a snapshot
        clones()
    read_json({"body": '{"name": ""}'}, NewRepo)
    Response(201, json=Repo(id=0, full_name="", html_url="", private=False)).decode(Repo)


@logger.inject_lambda_context(log_event=False)  # False even if POWERTOOLS_LOGGER_LOG_EVENT is set
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one request."""
    metrics.add_metric("Requests", MetricUnit.Count, 1)
    try:
        new = read_json(event, NewRepo)
    except DecodeError as error:
        return json_result(400, {"message": str(error)}, event=event)
    try:
        github = clones()["github"].with_deadline(Deadline.from_context(context, reserve=1.0))
        response = github.post("/user/repos", json=new, token=GITHUB_TOKEN)
        return json_result(201, response.raise_for_status().decode(Repo), event=event)
    except ArchalError as error:
        if isinstance(
            error, ConfigurationError
        ):  # no call was made that could be counted as refused
            metrics.add_metric("SetupFailures", MetricUnit.Count, 1)
        return failure_result(error, logger, event=event)
