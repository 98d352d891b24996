"""What calling by MCP takes, as steps: a call, sent again where it was refused as a request, and lists of many pages.

This module owns what is sent and in which order. It must not send anything itself, nor know who waits.

A server is spoken to in the stateless way first, which takes one request. If it refuses, it has done nothing, and the
handshake is made. What was learnt is kept for the process. A call that may have arrived is never sent again: only one
that was refused as a request is, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archal_lambda.errors import McpError
from archal_lambda.mcp._eras import era_after
from archal_lambda.mcp._mirrored import wishes
from archal_lambda.mcp._post import Asked, post
from archal_lambda.mcp._results import code_of, result_of
from archal_lambda.mcp._servers import Server, learnt_of

if TYPE_CHECKING:
    from archal_lambda.core.flow import Flow
    from archal_lambda.core.response import Response

__all__ = ["Result", "call", "pages"]

_MAX_PAGES = 1000
_HEADER_MISMATCH = -32020


class Result(NamedTuple):
    """What a call gave, and the response that it came in, which errors name."""

    members: Any
    response: Response


def call(server: Server, asked: Asked) -> Flow[Result]:
    """Make one call and return its result, an object; a refusal is a `McpError`."""
    learnt = learnt_of(server)
    era = learnt.era
    outcome = yield from post(server, era, asked)
    if code_of(outcome.answer.message) == _HEADER_MISMATCH and asked.method == "tools/call":
        # A tool wants arguments in headers, of which this process has not been told yet.
        yield from pages(server, "tools/list", "tools")
        outcome = yield from post(server, learnt.era, asked)
    else:
        other = yield from era_after(server, era, asked, outcome)
        if other is not None:
            outcome = yield from post(server, other, asked)
    members = result_of(outcome, asked.operation)
    learnt.sure = True
    return Result(members, outcome.response)


def pages(server: Server, method: str, key: str) -> Flow[Result]:
    """Collect a list, all of its pages."""
    found: list[Any] = []
    params: dict[str, Any] = {}
    cursors: set[str] = set()
    while True:
        result = yield from call(server, Asked(method, params))
        items: list[Any] | None = result.members.get(key)
        found.extend(items if isinstance(items, list) else [])
        cursor = result.members.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            break
        if cursor in cursors or len(cursors) >= _MAX_PAGES:
            raise McpError(f"{method}: the pages of the list have no end")
        cursors.add(cursor)
        params = {"cursor": cursor}
    if key == "tools":
        learnt_of(server).wishes = wishes(found)
    return Result(found, result.response)
