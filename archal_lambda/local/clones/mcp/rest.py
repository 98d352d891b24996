"""The clone's REST application, asked in process.

This module owns the making of one request and the reading of its response. It must not judge what comes back.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Scope

__all__ = ["Reply", "Rest"]

# MCP calls act for the clone's own user unless a credential of the service comes with them.
_OWN_CREDENTIAL = b"Bearer mcp"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One response of the clone."""

    status: int
    media_type: str
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the clone did what it was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's own range


class Rest:
    """The way to a clone's REST application, on behalf of one MCP request."""

    def __init__(self, app: ASGIApp, received: Scope) -> None:
        self._app = app
        self._received = received
        sent = [value for name, value in received["headers"] if name == b"authorization"]
        self._authorization = sent or [_OWN_CREDENTIAL]

    async def __call__(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: object = None,
        accept: str = "application/json",
    ) -> Reply:
        """Ask once; `path` is percent-encoded, `body` is sent as JSON unless it is None."""
        sent = b"" if body is None else msgspec.json.encode(body)
        parts: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Message) -> None:
            parts.append(message)

        headers = [(b"authorization", value) for value in self._authorization]
        headers += [(name, value) for name, value in self._received["headers"] if name == b"host"]
        headers.append((b"accept", accept.encode("ascii")))
        scope: Scope = {
            **self._received,
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": urlencode(query or {}).encode("ascii"),
            "headers": headers,
            "state": {},
        }
        await self._app(scope, receive, send)
        start, *rest = parts
        kinds = [value for name, value in start["headers"] if name == b"content-type"]
        return Reply(
            status=start["status"],
            media_type=kinds[0].decode("latin-1") if kinds else "",
            body=b"".join(part.get("body", b"") for part in rest),
        )
