"""Look at many things at once: an `asyncio` program, as a handler.

`report` works in any event loop, such as that of a web service. The handler is one place to run it. It returns
`{"testuser/demo": 3, …}`: the open issues of each repository.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aws_lambda_powertools import Logger

from archal_lambda import ArchalError, AsyncClones, Deadline, LambdaContext, Request
from archal_lambda.powertools import log_calls

SERVICE_TOKEN = "any-service-token"  # noqa: S105 - a clone takes any; it is no secret

logger = Logger()


class Named(msgspec.Struct):
    """The fields of a repository or an issue that this program reads."""

    id: int
    full_name: str = ""


async def report(clones: AsyncClones) -> dict[str, int]:
    """Count the open issues of every repository, a hundred at most, eight repositories at a time."""
    pages = clones["github"].paginate("/user/repos", type=list[Named], token=SERVICE_TOKEN)
    names = [repo.full_name async for repo in pages]
    calls = [
        (
            "github",
            Request("GET", f"/repos/{name}/issues", params={"per_page": 100}, token=SERVICE_TOKEN),
        )
        for name in names
    ]
    counts: dict[str, int] = {}
    for name, outcome in zip(names, await clones.gather(calls, max_concurrency=8), strict=True):
        if isinstance(outcome, ArchalError):
            raise outcome
        counts[name] = len(outcome.raise_for_status().decode(list[Named]))
    return counts


async def run(deadline: Deadline) -> dict[str, int]:
    """Make the clients and the report, within the time there is."""
    async with AsyncClones.from_env(on_call=log_calls(logger)) as clones:
        return await report(clones.with_deadline(deadline))


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Handle one invocation, whatever the event is."""
    del event
    return asyncio.run(run(Deadline.from_context(context, reserve=1.0)))
