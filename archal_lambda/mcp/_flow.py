"""What calling by MCP takes, as steps: which era a server is of, a session renewed, lists of many pages.

This module owns what is sent and in which order. It must not send anything itself, nor know who waits.

A server is spoken to in the stateless way first, which takes one request. If it refuses, it has done nothing, and the
handshake is made. What was learnt is kept for the process. A call that may have arrived is never sent again: only one
that was refused as a request is, once.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from itertools import count
from typing import Any, NamedTuple, cast

from archal_lambda.core.bodies import Reading
from archal_lambda.core.error_bodies import error_message
from archal_lambda.core.flow import Flow, exchange
from archal_lambda.core.headers import Headers
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.errors import McpError
from archal_lambda.mcp._mirrored import mirrored, wishes
from archal_lambda.mcp._servers import Server, learnt_of
from archal_lambda.mcp._wire import (
    CLIENT,
    HANDSHAKES,
    STATELESS,
    Answer,
    Era,
    headers_of,
    message_of,
)

__all__ = ["Progress", "call", "pages"]

Progress = Callable[[float, "float | None"], object]

_MAX_PAGES = 1000
_BAD_REQUEST = 400
_NOT_FOUND = 404
_HEADER_MISMATCH = -32020
_UNSUPPORTED_VERSION = -32022
# With these a server of the handshake era refuses a request that stands alone; with the last one, some of them.
_REFUSALS = frozenset({-32600, -32601, -32602, -32000, -32001, -32002, _UNSUPPORTED_VERSION})
# And with these any server refuses a call for what it asks.
_OF_CALLS = frozenset({-32601, -32602})
_numbers = count(1)


class _Call(NamedTuple):
    method: str
    params: Mapping[str, Any]
    progress: Progress | None


def call(
    server: Server, method: str, params: Mapping[str, Any], progress: Progress | None = None
) -> Flow[dict[str, Any]]:
    """Make one call and return its result; a refusal is a `McpError`."""
    learnt = learnt_of(server)
    asked = _Call(method, params, progress)
    era = learnt.era
    response, message = yield from _post(server, era, asked)
    code = _code(message)
    if learnt.sure and era.session_id is not None and response.status_code == _NOT_FOUND:
        # The session is gone, and with it whatever the request would have done.
        learnt.era = yield from _handshake(server)
        response, message = yield from _post(server, learnt.era, asked)
    elif not learnt.sure and _is_refusal(response, code):
        other = yield from _other_era(server, message)
        if other is not None:
            learnt.era, learnt.sure = other, True
            response, message = yield from _post(server, other, asked)
    elif code == _HEADER_MISMATCH and method == "tools/call":
        # A tool wants arguments in headers, of which this process has not been told yet.
        yield from pages(server, "tools/list", "tools")
        response, message = yield from _post(server, learnt.era, asked)
    result = _result(response, message, method)
    learnt.sure = True
    return result


def pages(server: Server, method: str, key: str) -> Flow[list[Any]]:
    """Collect a list, all of its pages."""
    found: list[Any] = []
    params: dict[str, Any] = {}
    cursors: set[str] = set()
    while True:
        result = yield from call(server, method, params)
        items: list[Any] | None = result.get(key)
        found.extend(items if isinstance(items, list) else [])
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str):
            break
        if cursor in cursors or len(cursors) >= _MAX_PAGES:
            raise McpError(f"{method}: the pages of the list have no end")
        cursors.add(cursor)
        params = {"cursor": cursor}
    if key == "tools":
        learnt_of(server).wishes = wishes(found)
    return found


def _post(
    server: Server, era: Era, asked: _Call
) -> Generator[Any, Any, tuple[Response, dict[str, Any] | None]]:
    method, params, progress = asked
    number = next(_numbers)
    answers: list[Answer] = []

    def begin(_: int, headers: Headers) -> Answer | None:
        answer = Answer(number, headers, progress)
        if answer.is_stream:
            answers[:] = [answer]
            return answer
        answers.clear()
        return None

    content = message_of(era, method, params, number, progress=progress is not None)
    name = params.get("name") or params.get("uri") or ""
    wanted = learnt_of(server).wishes.get(name, {}) if method == "tools/call" else {}
    headers = headers_of(era, method, params, mirrored(wanted, params.get("arguments")))
    request = Request("POST", server.path, content=content, headers=headers).read_by(
        Reading(f"{method} {name}".strip(), begin)
    )
    response = yield from exchange(
        request, server.base, server.options, server.jitter, server.clone, server.known
    )
    if answers:
        answers[0].end(b"")
        return response, answers[0].message
    answer = Answer(
        number, response.headers, progress
    )  # it is one body, or the transport is not ours
    answer.end(response.content)
    return response, answer.message


def _handshake(server: Server, version: str = HANDSHAKES[0]) -> Flow[Era]:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    asked = _Call("initialize", params, None)
    response, message = yield from _post(server, Era(version), asked)
    agreed = _result(response, message, "initialize").get("protocolVersion")
    if agreed not in HANDSHAKES:
        raise McpError("initialize: the server speaks no revision that is known here")
    era = Era(agreed, response.headers.get("mcp-session-id"))
    note = Request(
        "POST",
        server.path,
        content=message_of(era, "notifications/initialized", {}, None),
        headers=headers_of(era, "notifications/initialized", {}, {}),
    ).read_by(Reading("notifications/initialized", _nobody))
    answer = yield from exchange(
        note, server.base, server.options, server.jitter, server.clone, server.known
    )
    answer.raise_for_status()
    return era


def _nobody(_status: int, _headers: Headers) -> None:
    return None


def _other_era(server: Server, message: dict[str, Any] | None) -> Flow[Era | None]:
    """Find out how a server that refused wants to be spoken to; None if the refusal is of the call itself."""
    if _code(message) in _OF_CALLS:
        asked = _Call("server/discover", {}, None)
        _, found = yield from _post(server, Era(STATELESS), asked)
        if _part(found, "result"):
            return None
    supported = _part(_part(message, "error"), "data").get("supported")
    known = (
        [one for one in HANDSHAKES if one in supported]
        if isinstance(supported, list)
        else [*HANDSHAKES]
    )
    if not known:
        return None
    try:
        return (yield from _handshake(server, known[0]))
    except McpError:
        return None


def _is_refusal(response: Response, code: int | None) -> bool:
    """Tell whether a server may have refused a request because it stands alone."""
    if code is not None:
        return code in _REFUSALS
    return (
        response.status_code in {_BAD_REQUEST, _NOT_FOUND, 405, 406, 415, 422}
        and response.rejected_by != "route"
    )


def _result(response: Response, message: dict[str, Any] | None, method: str) -> dict[str, Any]:
    if message is None:
        response.raise_for_status()
        raise McpError(f"{method}: the response has no answer to the request")
    result = message.get("result")
    if isinstance(result, dict):
        kind = cast("dict[str, Any]", result).get("resultType", "complete")
        if kind != "complete":
            raise McpError(f"{method}: the server asks for input, which this client has none of")
        return cast("dict[str, Any]", result)
    error = _part(message, "error")
    if not error:
        raise McpError(f"{method}: the answer has neither a result nor an error")
    words = error_message(error)
    code = _code(message)
    told = f"error {code}" if code is not None else "error"
    raise McpError(
        f"{method}: {told}{f': {words}' if words else ''}", code=code, detail=error.get("message")
    )


def _code(message: dict[str, Any] | None) -> int | None:
    code = _part(message, "error").get("code")
    return code if isinstance(code, int) else None


def _part(value: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - JSON may be anything
    part = cast("dict[str, Any]", value).get(name) if isinstance(value, dict) else None
    return cast("dict[str, Any]", part) if isinstance(part, dict) else {}
