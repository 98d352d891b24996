"""An agent with tools: a model on Amazon Bedrock calls a clone's tools by MCP until it has an answer.

It reads `{"task": …}`, with a `"model"` if it is to be another one, and returns `{"text": …, "calls": […]}`, with each
call of the protocol and its status. The model is asked through one function of the shape of Bedrock's Converse API, so
that another one, or a test's, can take its place. All of it is under the invocation's deadline.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from archal_lambda import (
    CallRecord,
    Clones,
    Deadline,
    LambdaContext,
    McpError,
    RouteRejectedError,
    StatusError,
    read_event,
)
from archal_lambda.powertools import log_calls

if TYPE_CHECKING:
    from archal_lambda import Mcp

# Of Bedrock, or an inference profile; your account needs access to it.
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
CLONE = "github"
MAX_TURNS = 20
NEEDED_SECONDS = 5.0  # a model is not asked with less than this left

logger = Logger()
metrics = Metrics(namespace="ArchalLambda")

# Asks a model: takes `messages` and `toolConfig` and returns what `bedrock-runtime`'s `converse` returns.
Converse = Callable[..., dict[str, Any]]


class Task(msgspec.Struct):
    """What the agent is asked."""

    task: str
    model: str = MODEL


class AgentError(Exception):
    """The model came to no answer."""


def bedrock(model: str, deadline: Deadline) -> Converse:
    """Ask Bedrock. Lambda has boto3; a client of its own has the time that is left as its limit."""
    import boto3  # noqa: PLC0415 - it costs a cold start more than all else, and a test or another model needs none
    from botocore.config import Config  # noqa: PLC0415 - the same

    limits = Config(
        connect_timeout=2,
        read_timeout=max(deadline.remaining(), 1.0),
        retries={"total_max_attempts": 1},
    )
    client = boto3.client("bedrock-runtime", config=limits)
    return partial(client.converse, modelId=model)


def answer(task: str, mcp: Mcp, converse: Converse, deadline: Deadline) -> str:
    """Let the model call tools until it answers."""
    tools = [tool.bedrock() for tool in mcp.tools()]
    messages: list[dict[str, Any]] = [{"role": "user", "content": [{"text": task}]}]
    for _ in range(MAX_TURNS):
        if deadline.remaining() < NEEDED_SECONDS:
            raise AgentError("no time is left for another turn of the model")
        told = {"toolConfig": {"tools": tools}} if tools else {}  # the API takes no empty list
        message = converse(messages=messages, **told)["output"]["message"]
        messages.append(message)
        uses = [block["toolUse"] for block in message["content"] if "toolUse" in block]
        if not uses:
            text = "\n".join(block["text"] for block in message["content"] if "text" in block)
            if not text:
                raise AgentError("the model has said nothing")
            return text
        results = [{"toolResult": use_tool(mcp, use)} for use in uses]
        messages.append({"role": "user", "content": results})
    raise AgentError(f"the model has no answer after {MAX_TURNS} turns")


def use_tool(mcp: Mcp, use: dict[str, Any]) -> dict[str, Any]:
    """Call a tool as the model asks for it. What goes wrong is for the model to read, and to try otherwise.

    A call that did not arrive, or whose answer did not, is not the model's business: the error is raised.
    """
    try:
        result = mcp.call(use["name"], read_event(use.get("input") or {}, dict[str, Any]))
    except RouteRejectedError:
        raise
    except (McpError, StatusError, ValueError) as error:
        text, failed = getattr(error, "detail", None) or str(error), True
    else:
        text, failed = result.text, result.is_error
        if not text:
            text = msgspec.json.encode(result.structured or result.content).decode()
    return {
        "toolUseId": use["toolUseId"],
        "content": [{"text": text}],
        "status": "error" if failed else "success",
    }


@logger.inject_lambda_context(log_event=False)
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle one task. If the clone or the model cannot be used, the error is raised."""
    metrics.add_metric("Invocations", MetricUnit.Count, 1)
    task = read_event(event, Task)
    deadline = Deadline.from_context(context, reserve=1.0)
    log = log_calls(logger, metrics)
    calls: list[dict[str, Any]] = []

    def note(record: CallRecord) -> None:
        log(record)
        calls.append({"operation": record.operation, "status": record.status_code})

    with Clones.from_env(on_call=note) as clones:
        mcp = clones[CLONE].with_deadline(deadline).mcp
        text = answer(task.task, mcp, bedrock(task.model, deadline), deadline)
    return {"text": text, "calls": calls}
