"""An agent under test: takes a task, uses a clone, returns text.

It reads `{"task": …}` and returns `{"text": …, "calls": […]}`, with method, path and status of each call.
`archal-lambda harness` runs it, or any handler of this shape, the way `archal run` runs a local harness.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda import CallRecord, Clones, Deadline, LambdaContext, read_event
from archal_lambda.powertools import log_calls

if TYPE_CHECKING:
    from archal_lambda import Clone

SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")


class Task(msgspec.Struct):
    """What the agent is asked."""

    task: str


class Repo(msgspec.Struct):
    """A repository, as far as this agent looks."""

    full_name: str
    open_issues_count: int


def answer(task: str, github: Clone) -> str:
    """Do the task. Put your agent here: this one reports the state of the repositories, whatever it is asked."""
    repos = list(github.paginate("/user/repos", type=list[Repo], token=SERVICE_TOKEN))
    lines = [f"{repo.full_name}: {repo.open_issues_count} open issues" for repo in repos]
    return "\n".join([f"Asked: {task}", f"{len(repos)} repositories", *lines])


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one task. If the clone cannot be used, the error is raised, and `archal run` counts the run as failed."""
    # Only with tenant isolation is there one. In a metric it would be a dimension, each value of which is billed.
    logger.append_keys(tenant_id=getattr(context, "tenant_id", None))
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    task = read_event(event, Task)
    log = log_calls(logger, metrics)
    calls: list[dict[str, Any]] = []

    def note(record: CallRecord) -> None:
        log(record)
        calls.append({"method": record.method, "path": record.path, "status": record.status_code})

    with Clones.from_env(on_call=note) as clones:
        github = clones["github"].with_deadline(Deadline.from_context(context, reserve=1.0))
        text = answer(task.task, github)
    return {"text": text, "calls": calls}
