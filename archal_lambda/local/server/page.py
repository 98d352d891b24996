"""The page at `/`, and the handles that tell it of requests.

This module owns which files the page is made of and what the browser may do with them. It must not change anything:
what the page's buttons do, other handles do.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from starlette.responses import Response

from archal_lambda.local.server.app import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

    from archal_lambda.local.server.admin import Handle
    from archal_lambda.local.server.traffic import Traffic

__all__ = ["page_handles"]

_FILES = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **{
        f"{name}.js": "text/javascript; charset=utf-8"
        for name in ("page", "ask", "dom", "requests", "world", "faults")
    },
}
# Nothing but the page's own files, no script inside of it, and no way for text to become markup.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
        "trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def page_handles(traffic: Traffic) -> list[tuple[str, Handle]]:
    """List the handles of the page and of what it shows of requests."""

    async def requests(request: Request) -> object:
        number = _number(request.query_params.get("after", "0"), "after")
        return {"run": traffic.run, "requests": traffic.after(number), "last": traffic.last}

    async def one(request: Request) -> object:
        number = _number(request.path_params["number"], "number")
        found = traffic.one(number)
        if found is None:
            raise ApiError(404, "not_found", "there is no such request, or it is no longer kept")
        return found

    def file(name: str) -> Handle:
        async def give(_request: Request) -> Response:
            return Response(_content(name), headers={"content-type": _FILES[name], **_HEADERS})

        return give

    return [
        ("GET /", file("index.html")),
        *[(f"GET /_archal/{name}", file(name)) for name in _FILES if name != "index.html"],
        ("GET /_archal/requests", requests),
        ("GET /_archal/requests/{number}", one),
    ]


@cache
def _content(name: str) -> bytes:
    return resources.files("archal_lambda.local").joinpath("page", name).read_bytes()


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):  # noqa: PLR2004 - what a number in JSON can be
        raise ApiError(400, "invalid_request", f"{name}: must be a number from 0 up")
    return int(text)
