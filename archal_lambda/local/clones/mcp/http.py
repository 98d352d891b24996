"""MCP over HTTP: one path, two eras, JSON or SSE.

This module owns methods, statuses, headers and sessions (MCP specification, basic/transports). It must not know any
method of the protocol but `initialize`, nor any tool.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from archal_lambda.local.clones.mcp import accept, modern
from archal_lambda.local.clones.mcp.codes import (
    HANDSHAKE_VERSIONS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
)
from archal_lambda.local.clones.mcp.messages import Message, RpcError, parse
from archal_lambda.local.clones.mcp.methods import Methods
from archal_lambda.local.clones.mcp.rest import Rest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from archal_lambda.local.clones.mcp.catalogue import Catalogue, Json

__all__ = ["McpApp"]

_PATHS = frozenset({"/mcp", "/mcp/"})
_SESSION_HEADER = "mcp-session-id"
_MAX_SESSIONS = 1000  # the oldest goes once there are more


class McpApp:
    """The ASGI application; `scope["state"]["tool"]` is set to the name of the tool that was called."""

    def __init__(self, api: ASGIApp, catalogue: Catalogue) -> None:
        self._api = api
        self._methods = Methods(catalogue)
        self._sessions: dict[str, str] = {}  # the version agreed on

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        response = await self._serve(Request(scope, receive))
        await response(scope, receive, send)

    async def _serve(self, request: Request) -> Response:
        if request.url.path not in _PATHS:
            return Response(status_code=404)
        try:
            if request.method == "DELETE":
                return self._delete(request)
            if request.method != "POST":
                return Response(status_code=405, headers={"allow": "POST, DELETE"})
            return await self._post(request)
        except _RefusedError as error:
            return _refusal(error.reason, error.status)

    def _delete(self, request: Request) -> Response:
        if (
            request.headers.get(modern.VERSION_HEADER, HANDSHAKE_VERSIONS[0])
            not in HANDSHAKE_VERSIONS
        ):
            return Response(status_code=405, headers={"allow": "POST"})
        self._check_session(request)
        del self._sessions[request.headers[_SESSION_HEADER]]
        return Response(status_code=204)

    async def _post(self, request: Request) -> Response:
        if not accept.is_json(request.headers.get("content-type", "")):
            raise _RefusedError(415, INVALID_REQUEST, "Content-Type is not application/json")
        as_stream = accept.wants_stream(request.headers.get("accept", ""))
        if as_stream is None:
            reason = "Accept contains neither application/json nor text/event-stream"
            raise _RefusedError(406, INVALID_REQUEST, reason)
        try:
            message = parse(await request.body())
        except RpcError as error:
            return _refusal(error, 400)
        version = request.headers.get(modern.VERSION_HEADER) or modern.version_in_body(message)
        is_modern = version is not None and version not in HANDSHAKE_VERSIONS
        request.state.tool = self._methods.tool_of(message)
        if message.method is None or message.id is msgspec.UNSET:
            return self._note(request, message, version if is_modern else None)
        status, headers = 200, dict[str, str]()
        if is_modern:
            status, body = await self._modern(request, message, message.id)
        else:
            body, headers = await self._handshake(request, message, message.id)
        if as_stream and status == 200:  # noqa: PLR2004 - a refusal is never a stream
            return _stream(message, body, headers)
        return _json(body, status=status, headers=headers)

    async def _modern(
        self, request: Request, message: Message, request_id: str | int
    ) -> tuple[int, Json]:
        try:
            modern.check(message, request.headers)
            rest = Rest(self._api, request.scope)
            result = await self._methods.respond(message, rest, modern=True)
        except RpcError as error:
            return 404 if error.code == METHOD_NOT_FOUND else 400, error.to_json(request_id)
        return 200, _success(request_id, result)

    async def _handshake(
        self, request: Request, message: Message, request_id: str | int
    ) -> tuple[Json, dict[str, str]]:
        """Respond before 2026-07-28, where an error of the protocol is a success of HTTP."""
        headers: dict[str, str] = {}
        try:
            if message.method == "initialize":
                version, result = self._methods.initialize(message)
                headers[_SESSION_HEADER] = self._open(version)
            else:
                self._check_session(request)
                rest = Rest(self._api, request.scope)
                result = await self._methods.respond(message, rest, modern=False)
        except RpcError as error:
            return error.to_json(request_id), headers
        return _success(request_id, result), headers

    def _note(self, request: Request, message: Message, modern_version: object) -> Response:
        """Take a notification or, before 2026-07-28, a response of the client."""
        if modern_version is None:
            self._check_session(request)
            return Response(status_code=202)
        if message.method is None:
            raise _RefusedError(400, INVALID_REQUEST, "Invalid request: the message has no method")
        try:
            modern.check_version(modern_version)
        except RpcError as error:
            return _refusal(error, 400)
        return Response(status_code=202)

    def _open(self, version: str) -> str:
        if len(self._sessions) >= _MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        session_id = secrets.token_hex(16)
        self._sessions[session_id] = version
        return session_id

    def _check_session(self, request: Request) -> None:
        session_id = request.headers.get(_SESSION_HEADER)
        if session_id is None:
            raise _RefusedError(400, INVALID_REQUEST, "Mcp-Session-Id is missing: initialize first")
        agreed = self._sessions.get(session_id)
        if agreed is None:
            raise _RefusedError(404, INVALID_REQUEST, "Session not found")
        # It may be left out, as clients before 2025-06-18 do.
        if request.headers.get(modern.VERSION_HEADER, agreed) != agreed:
            reason = f"MCP-Protocol-Version is not {agreed}, which the session agreed on"
            raise _RefusedError(400, INVALID_REQUEST, reason)


class _RefusedError(Exception):
    """A refusal by HTTP status, before there is a request to respond to."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = RpcError(code, message)


def _success(request_id: str | int, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def _refusal(error: RpcError, status: int) -> Response:
    return _json(error.to_json(None), status=status)


def _json(body: Json, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(body), status, headers=headers, media_type="application/json"
    )


def _stream(message: Message, body: Json, headers: Mapping[str, str]) -> Response:
    """Write the response as a stream of events, with progress before it if that was asked for."""
    events = [body]
    token = modern.progress_token(message)
    if token is not None and message.method == "tools/call" and "result" in body:
        params = {"progressToken": token, "progress": 1, "total": 1}
        note: Json = {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}
        events.insert(0, note)
    written = b"".join(
        b"event: message\ndata: " + msgspec.json.encode(event) + b"\n\n" for event in events
    )
    fields = {**headers, "content-type": "text/event-stream", "cache-control": "no-cache"}
    return Response(written, headers=fields)
