"""An application that sends each request to a server and its response back.

This module owns what of both goes through: all bytes of path, query, body and fields, except for those of one
connection. It must not follow redirects, keep cookies, decode content or ask a proxy of the environment.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from typing import TYPE_CHECKING

import httpx

from archal_lambda.local.server.headers import end_to_end, for_caller

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

    from starlette.types import Receive, Scope, Send

    from archal_lambda.local.server.headers import RawHeaders

__all__ = ["Answer", "Forward", "NoAnswerError", "Origin"]

_CONNECT_TIMEOUT = 5.0  # seconds; from then on the server may take as long as the caller waits
_KEPT = 1.0  # seconds an idle connection is used again; gunicorn closes them after 2, Node after 5
_BODILESS = frozenset({204, 304})
_ERRORS = 400
# Made anew on the way, or said between this server and its peer alone.
_OURS = frozenset({b"date", b"expect"})


class NoAnswerError(Exception):
    """A server did not answer; the words say which and how."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a server is: `prefix` is a path without a trailing slash that everything is put below."""

    scheme: str
    host: str  # with brackets around an IPv6 address
    port: int
    prefix: bytes = b""

    @property
    def authority(self) -> str:
        """What the `Host` field says."""
        usual = self.port == (443 if self.scheme == "https" else 80)
        return self.host if usual else f"{self.host}:{self.port}"


@dataclasses.dataclass(slots=True, kw_only=True)
class Answer:
    """A response with its body whole."""

    status: int
    headers: RawHeaders
    body: bytes


class Forward:
    """The application.

    `host` is the service's; the server sees it as `Host` if it is `disguised`, else its own name. `path` spells a
    request's path as the server has it. `mend` changes responses from 400 up, which are the small ones; all others go
    through as they come.
    """

    def __init__(
        self,
        origin: Origin,
        *,
        host: str,
        disguised: bool = False,
        path: Callable[[bytes], bytes] | None = None,
        mend: Callable[[Answer], None] | None = None,
    ) -> None:
        self.origin = origin
        self._host = host
        self._disguised = disguised
        self._path = path
        self._mend = mend
        self._transport = httpx.AsyncHTTPTransport(
            # Making a context takes longer than starting an emulator.
            verify=ssl.create_default_context() if origin.scheme == "https" else False,
            limits=httpx.Limits(keepalive_expiry=_KEPT),
            trust_env=False,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _whole(receive)
        work = asyncio.ensure_future(self._exchange(scope, body, send))
        left = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            work.cancel()  # which does nothing to one that is done; else nobody waits for it any more
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _exchange(self, scope: Scope, body: bytes, send: Send) -> None:
        try:
            response = await self._transport.handle_async_request(self._request(scope, body))
        except httpx.HTTPError as error:
            # Its own words and frames hold the request.
            raise NoAnswerError(self._blame(error)) from None
        try:
            await self._answer(scope["method"], response, send)
        finally:
            await response.aclose()

    def _request(self, scope: Scope, body: bytes) -> httpx.Request:
        origin = self.origin
        path: bytes = scope["raw_path"]
        if self._path is not None:
            path = self._path(path)
        target = origin.prefix + path
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        host = (self._host if self._disguised else origin.authority).encode("ascii")
        headers = [
            (name, host if name == b"host" else value)
            for name, value in end_to_end(scope["headers"])
            if name not in _OURS
        ]
        return httpx.Request(
            scope["method"],
            httpx.URL(scheme=origin.scheme, host=origin.host.strip("[]"), port=origin.port),
            headers=headers,
            content=body or None,
            extensions={"target": target, "timeout": {"connect": _CONNECT_TIMEOUT}},
        )

    async def _answer(self, method: str, response: httpx.Response, send: Send) -> None:
        status, headers = response.status_code, self._headers(response)
        stream: AsyncIterable[bytes] = response.stream  # type: ignore[assignment]  # as sent: not decoded
        if self._mend is not None and status >= _ERRORS and method != "HEAD":
            answer = Answer(status=status, headers=headers, body=await self._all(stream))
            self._mend(answer)
            kept = [pair for pair in answer.headers if pair[0] != b"content-length"]
            length = (b"content-length", str(len(answer.body)).encode("ascii"))
            await send(_start(answer.status, [*kept, length]))
            await send({"type": "http.response.body", "body": answer.body})
            return
        await send(_start(status, headers))
        bodiless = method == "HEAD" or status in _BODILESS
        try:
            async for chunk in stream:
                if not bodiless:
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        except httpx.HTTPError as error:
            raise NoAnswerError(self._blame(error)) from None
        await send({"type": "http.response.body", "body": b""})

    async def _all(self, stream: AsyncIterable[bytes]) -> bytes:
        try:
            return b"".join([chunk async for chunk in stream])
        except httpx.HTTPError as error:
            raise NoAnswerError(self._blame(error)) from None

    def _headers(self, response: httpx.Response) -> RawHeaders:
        # What points to the server itself points to the service, whose references are those of the clone.
        kept = [pair for pair in end_to_end(response.headers.raw) if pair[0] not in _OURS]
        service = f"https://{self._host}"
        named = for_caller(kept, host=self.origin.authority, base=service)
        below = self._host + self.origin.prefix.decode("ascii")
        return for_caller(named, host=below, base=service)

    def _blame(self, error: Exception) -> str:
        return f"{self.origin.scheme}://{self.origin.authority}: {type(error).__name__}"


def _start(status: int, headers: RawHeaders) -> dict[str, object]:
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _whole(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
