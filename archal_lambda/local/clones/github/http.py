"""How the clone speaks HTTP: routing, credentials, and rate-limit headers.

This module owns everything that happens before and after an operation. It must not know any single operation.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

from archal_lambda.local.clones.github import families
from archal_lambda.local.clones.github.call import (
    Call,
    GitHubError,
    bad_credentials,
    not_found,
    not_implemented,
    rate_limit_exceeded,
    requires_authentication,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.requests import Request

    from archal_lambda.local.clones.github.call import Clone

__all__ = ["Resource", "create_router", "rate_limited", "routes_of"]

_HOURLY = 5000
_HOUR = 3600
_SCHEMES = frozenset({"bearer", "token", "basic"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One path template with its operations by method."""

    path: str
    handlers: Mapping[str, Callable[[Call], Response]]
    public: bool = True  # reading needs no credential


def create_router(clone: Clone, resources: Iterable[Resource]) -> Starlette:
    """Make the application of one clone; what GitHub has and it has not is 501, what neither has GitHub's 404."""
    app = Starlette(routes=[_route(clone, resource) for resource in resources])

    async def refuse(request: Request, error: Exception) -> Response:
        if isinstance(error, GitHubError):
            refusal = error
        else:  # nothing in the table matches
            known = families.is_githubs(request.method, request.url.path)
            refusal = not_implemented() if known else not_found()
        body = msgspec.json.encode(refusal.body)
        return _finish(clone, Response(body, refusal.status, headers=refusal.headers))

    app.add_exception_handler(GitHubError, refuse)
    app.add_exception_handler(HTTPException, refuse)
    app.router.redirect_slashes = False
    return app


def routes_of(resources: Iterable[Resource]) -> list[tuple[str, str]]:
    """List what there is as method and path template, as GitHub writes them."""
    found = {
        (resource.path.replace(":path}", "}"), method)
        for resource in resources
        for method in resource.handlers
    }
    return [(method, path) for path, method in sorted(found)]


def rate_limited(limit: int, now: float) -> Response:
    """Respond as GitHub does once a rate limit is spent."""
    refusal = rate_limit_exceeded({"retry-after": "60", **_rate_headers(limit, limit, now)})
    response = Response(msgspec.json.encode(refusal.body), 429, headers=refusal.headers)
    response.headers["content-type"] = "application/json; charset=utf-8"
    return response


def _route(clone: Clone, resource: Resource) -> Route:
    async def dispatch(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        authenticated = _authenticate(request)
        if not authenticated and not (resource.public and method == "GET"):
            raise requires_authentication()
        call = Call(
            clone=clone, request=request, body=await request.body(), authenticated=authenticated
        )
        return _finish(clone, resource.handlers[method](call))

    return Route(resource.path, dispatch, methods=list(resource.handlers))


def _authenticate(request: Request) -> bool:
    scheme, _, credential = request.headers.get("authorization", "").strip().partition(" ")
    if not scheme:
        return False
    if scheme.lower() not in _SCHEMES:
        raise bad_credentials()
    return bool(credential.strip())


def _finish(clone: Clone, response: Response) -> Response:
    clone.state.served += 1
    if response.body:
        response.headers.setdefault("content-type", "application/json; charset=utf-8")
    response.headers["x-github-request-id"] = secrets.token_hex(8).upper()
    response.headers["x-github-media-type"] = "github.v3; format=json"
    response.headers.update(_rate_headers(_HOURLY, clone.state.served, clone.state.now()))
    return response


def _rate_headers(limit: int, used: int, now: float) -> dict[str, str]:
    return {
        "x-ratelimit-limit": str(limit),
        "x-ratelimit-remaining": str(max(0, limit - used)),
        "x-ratelimit-used": str(used),
        "x-ratelimit-reset": str(int(now) + _HOUR),
        "x-ratelimit-resource": "core",
    }
