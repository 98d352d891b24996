"""The handles of the stand-in over HTTP, below `/_archal/`, for the page and for programs in other languages.

This module owns who may use them. Nobody has to prove anything, because whoever reaches the loopback address could as
well read this process; but a browser reaches it for every page that it shows, so that what a page may not do is what
is checked: the `Host` must be the server's own (else a name of somebody's could point here), and so must the `Origin`
and the site that a browser names, and what changes anything must be JSON, which no form can send.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from archal_lambda.local.clones.running import UnsupportedError
from archal_lambda.local.server.app import ApiError, envelope, json_response

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

__all__ = ["Admin", "Handle", "body_of"]

# Answers one request; what it gives is sent as JSON, nothing as 204, and a `Response` as it is.
Handle = Callable[["Request"], Awaitable[object]]


class Admin:
    """The application: `handles` are pairs of `METHOD /_archal/path` and what answers it."""

    def __init__(self, origin: str, handles: Sequence[tuple[str, Handle]]) -> None:
        self._origin = origin
        self._app = Starlette(
            routes=[_route(spelled, handle) for spelled, handle in handles],
            exception_handlers={
                ApiError: _refuse,
                UnsupportedError: _refuse,
                HTTPException: _refuse,
            },
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        refusal = self._refusal(scope)
        app = self._app if refusal is None else envelope(refusal)
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ApiError | None:
        fields: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            fields.setdefault(name, []).append(value)
        port = self._origin.rpartition(":")[2]
        ours = {f"{host}:{port}".encode() for host in ("127.0.0.1", "localhost")}
        if len(fields.get(b"host", [])) != 1 or fields[b"host"][0].lower() not in ours:
            return _forbidden("the Host is not this server's")
        origins = {b"http://" + host for host in ours}
        if any(value.lower() not in origins for value in fields.get(b"origin", [])):
            return _forbidden("another site's page may not use this")
        if any(
            value not in {b"same-origin", b"none"} for value in fields.get(b"sec-fetch-site", [])
        ):
            return _forbidden("another site's page may not use this")
        if scope["method"] in {"GET", "HEAD"}:
            return None
        types = [
            value.partition(b";")[0].strip().lower() for value in fields.get(b"content-type", [])
        ]
        if types != [b"application/json"]:
            return ApiError(415, "unsupported_media_type", "Content-Type must be application/json")
        return None


async def body_of(request: Request, type_: type[Any]) -> Any:  # noqa: ANN401 - what the type is
    """Decode a request's body, of which none is an empty object."""
    content = await request.body()
    try:
        return msgspec.json.decode(content or b"{}", type=type_)
    except msgspec.ValidationError as error:
        raise ApiError(400, "invalid_request", str(error)) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ApiError(400, "invalid_json", "the body must be a JSON object in UTF-8") from None


def _route(spelled: str, handle: Handle) -> Route:
    method, _, path = spelled.partition(" ")

    async def dispatch(request: Request) -> Response:
        found = await handle(request)
        if isinstance(found, Response):
            return found
        return Response(status_code=204) if found is None else json_response(found)

    return Route(path, dispatch, methods=[method])


async def _refuse(_request: Request, error: Exception) -> Response:
    if isinstance(error, UnsupportedError):
        return envelope(ApiError(501, "not_supported", str(error)))
    if isinstance(error, HTTPException):
        return envelope(ApiError(error.status_code, "not_found", "there is no such handle"))
    assert isinstance(error, ApiError)  # noqa: S101 - Starlette types handlers for any exception
    return envelope(error)


def _forbidden(reason: str) -> ApiError:
    return ApiError(403, "forbidden", reason)
