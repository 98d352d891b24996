"""The handles of the stand-in over HTTP, below `/_archal/`, for the page and for programs in other languages.

This module owns who may use them. Nobody has to prove anything, because whoever reaches the loopback address could as
well read this process; but a browser reaches it for every page that it shows, so that what a page may not do is what
is checked: the `Host` must be the server's own (else a name of somebody's could point here), and so must the `Origin`
and the site that a browser names, and what changes anything must be JSON, which no form can send.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from archal_lambda.local.clones.running import UnsupportedError
from archal_lambda.local.server.app import (
    ApiError,
    CallerLeftError,
    Exchange,
    drain,
    envelope,
    json_response,
    payload_too_large,
)

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Message, Receive, Scope, Send

__all__ = ["Admin", "Handle", "body_of"]

_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")  # nobody's name leads to another host
_HTTP_PORT = "80"
_MAX_MESSAGE = 300  # characters
# Kept by nobody, shown in no frame, read as nothing else, and loaded by no other site.
_GUARDS = {
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_logger = logging.getLogger("archal_lambda.local")

# Answers one request; what it gives is sent as JSON, nothing as 204, and a `Response` as it is.
Handle = Callable[["Request"], Awaitable[object]]


class Admin:
    """The application: `handles` are pairs of `METHOD /_archal/path` and what answers it."""

    def __init__(self, origin: str, handles: Sequence[tuple[str, Handle]]) -> None:
        port = origin.rpartition(":")[2]
        self._hosts = {f"{host}:{port}".encode() for host in _LOOPBACK}
        if port == _HTTP_PORT:  # which browsers leave out
            self._hosts |= {host.encode() for host in _LOOPBACK}
        paths: dict[str, dict[str, Handle]] = {}
        for spelled, handle in handles:
            method, _, path = spelled.partition(" ")
            paths.setdefault(path, {})[method] = handle
        self._app = Starlette(
            routes=[_route(path, methods) for path, methods in paths.items()],
            exception_handlers={
                ApiError: _refuse,
                UnsupportedError: _refuse,
                HTTPException: _refuse,
            },
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=list(message["headers"]))
                for name, value in _GUARDS.items():
                    headers.setdefault(name, value)
                message = {**message, "headers": headers.raw}
            await send(message)

        try:
            body = await drain(receive)
        except CallerLeftError:
            return
        refusal = self._refusal(scope) or (payload_too_large() if body is None else None)
        exchange = Exchange(
            scope=scope, receive=receive, send=send_guarded, wire=send_guarded, body=body
        )
        app = self._app if refusal is None else envelope(refusal)
        await app(scope, exchange.replay, exchange.send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        fields: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            fields.setdefault(name, []).append(value.lower())
        hosts = fields.get(b"host", [])
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return _forbidden("the Host is not this server's")
        # Another spelling of this address may be another server's: `localhost` is two addresses.
        if any(origin != b"http://" + hosts[0] for origin in fields.get(b"origin", [])):
            return _forbidden("another site's page may not use this")
        if any(site not in {b"same-origin", b"none"} for site in fields.get(b"sec-fetch-site", [])):
            return _forbidden("another site's page may not use this")
        return None


async def body_of(request: Request, type_: type[Any]) -> Any:  # noqa: ANN401 - what the type is
    """Decode a request's body, of which none is an empty object."""
    content = await request.body()
    try:
        return msgspec.json.decode(content or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_request", str(error)[:_MAX_MESSAGE]) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ApiError(400, "invalid_json", "the body must be a JSON object in UTF-8") from None


def _route(path: str, handles: Mapping[str, Handle]) -> Route:
    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        if method != "GET":
            _check_type(request)
        try:
            found = await handles[method](request)
        except (ApiError, UnsupportedError):
            raise
        except Exception as error:
            _logger.exception("a handle failed")
            reason = f"the handle failed: {type(error).__name__}"
            raise ApiError(500, "handle_failed", reason) from None
        if isinstance(found, Response):
            return found
        return Response(status_code=204) if found is None else json_response(found)

    return Route(path, dispatch, methods=list(handles))


def _check_type(request: Request) -> None:
    types = request.headers.getlist("content-type")
    if [value.partition(";")[0].strip().lower() for value in types] != ["application/json"]:
        raise ApiError(415, "unsupported_media_type", "Content-Type must be application/json")


async def _refuse(_request: Request, error: Exception) -> Response:
    if isinstance(error, UnsupportedError):
        return envelope(ApiError(501, "not_supported", str(error)))
    if isinstance(error, HTTPException) and error.headers:
        allowed = dict(error.headers)
        return envelope(ApiError(405, "method_not_allowed", "use another method", headers=allowed))
    if isinstance(error, HTTPException):
        return envelope(ApiError(404, "not_found", "there is no such handle"))
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette types handlers for any exception
    return envelope(error)


def _forbidden(reason: str) -> ApiError:
    return ApiError(403, "forbidden", reason)
