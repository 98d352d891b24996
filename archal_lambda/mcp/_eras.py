"""Which era a server is of: what its refusals mean, and the handshake.

This module owns the one judgement that lets a call be sent again: whether a server has refused the request as such,
before looking at what it asks for. Where that is open, the call may have been carried out.
"""

from __future__ import annotations

from typing import Any, cast

from archal_lambda.core.flow import Flow
from archal_lambda.errors import McpError, StatusError
from archal_lambda.mcp._post import Asked, Outcome, notify, post
from archal_lambda.mcp._results import code_of, part_of, result_of
from archal_lambda.mcp._servers import Server, learnt_of
from archal_lambda.mcp._wire import CLIENT, HANDSHAKES, STATELESS, Era

__all__ = ["era_after"]

_BAD_REQUEST, _NOT_FOUND = 400, 404
# With these a server refuses a request of a form that it does not know.
_REFUSING = frozenset({_BAD_REQUEST, _NOT_FOUND, 405, 406, 415, 422})
_INVALID_REQUEST, _METHOD_NOT_FOUND, _INVALID_PARAMS = -32600, -32601, -32602
_UNSUPPORTED_VERSION = -32022
# What servers of the handshake era say where there was no handshake; a tool may fail with one of the last three.
_NOT_INITIALIZED = frozenset({_INVALID_REQUEST, -32000, -32001, -32002})
_CALL = "tools/call"
_MAX_SESSION_ID = 1024  # characters


def era_after(server: Server, era: Era, asked: Asked, outcome: Outcome) -> Flow[Era | None]:
    """Find the era to send a call in again, which came back from a server that was spoken to in another.

    None if the answer is one to the call itself, or may be.
    """
    learnt = learnt_of(server)
    if outcome.answer.busy or outcome.response.rejected_by == "route":
        return None
    code = code_of(outcome.answer.message)
    if code == _METHOD_NOT_FOUND and not learnt.sure:
        if era.stateless and (yield from _discovers(server)):
            learnt.sure = True
            return None
    elif not _is_refusal(era, asked, outcome, code, sure=learnt.sure):
        return None
    if learnt.era is not era:
        return learnt.era  # another call has found out meanwhile
    found = yield from _other(server, era, outcome)
    if found is not None:
        learnt.era = found
    return found


def _is_refusal(era: Era, asked: Asked, outcome: Outcome, code: int | None, *, sure: bool) -> bool:
    message, status = outcome.answer.message, outcome.response.status_code
    if message is not None and "result" in message:
        return False
    if code == _UNSUPPORTED_VERSION:
        return True
    if era.session_id is not None and status in {_BAD_REQUEST, _NOT_FOUND}:
        # The session is gone, and with it whatever the request would have done; unless the answer names the request.
        named = message is not None and message.get("id") is not None
        return code in _NOT_INITIALIZED or not named
    if status in _REFUSING:
        return code is None or code in _NOT_INITIALIZED
    if asked.method == _CALL:  # it may have run, unless it is said that it was no request
        return code == _INVALID_REQUEST and not outcome.answer.is_stream
    return code in _NOT_INITIALIZED or (code == _INVALID_PARAMS and not sure)


def _discovers(server: Server) -> Flow[bool]:
    """Ask whether a server knows the stateless era; then a method that it does not know is none of its."""
    found = yield from post(server, Era(STATELESS), Asked("server/discover", {}))
    return bool(part_of(found.answer.message, "result"))


def _other(server: Server, era: Era, outcome: Outcome) -> Flow[Era | None]:
    supported = part_of(part_of(outcome.answer.message, "error"), "data").get("supported")
    known = [*HANDSHAKES]
    if isinstance(supported, list):
        if STATELESS in supported:
            return None if era.stateless else Era(STATELESS)
        known = [one for one in HANDSHAKES if one in supported]
    try:
        return (yield from _handshake(server, known[0])) if known else None
    except (McpError, StatusError):
        return None if era.stateless else Era(STATELESS)


def _handshake(server: Server, version: str) -> Flow[Era]:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    outcome = yield from post(server, Era(version), Asked("initialize", params))
    agreed = cast("Any", result_of(outcome, "initialize").get("protocolVersion"))
    if agreed not in HANDSHAKES:
        raise McpError("initialize: the server speaks no revision that is known here")
    session_id = outcome.response.headers.get("mcp-session-id")
    if session_id is not None and not _is_session_id(session_id):
        raise McpError("initialize: the server's Mcp-Session-Id is not visible ASCII")
    era = Era(agreed, session_id)
    (yield from notify(server, era, "notifications/initialized")).raise_for_status()
    return era


def _is_session_id(text: str) -> bool:
    # MCP 2025-11-25, "Session Management": visible ASCII characters alone.
    visible = text.isascii() and text.isprintable() and " " not in text
    return visible and 0 < len(text) <= _MAX_SESSION_ID
