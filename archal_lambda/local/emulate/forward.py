"""An application that sends each request to a server and its response back.

This module owns what of both goes through: all bytes of path, query, body and fields, except for those of one
connection. It must not follow redirects, keep cookies, decode content or ask a proxy of the environment.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING

import httpcore

from archal_lambda.local.server.headers import end_to_end, for_caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from archal_lambda.local.server.headers import RawHeaders

__all__ = ["Answer", "Forward", "NoAnswerError", "Origin"]

_CONNECT_TIMEOUT = 5.0  # seconds; from then on the server may take as long as the caller waits
_LAST_ANSWERS = 5.0  # seconds that a server is given for what it was asked before it is left
_KEPT = 1.0  # seconds an idle connection is used again; gunicorn closes them after 2, Node after 5
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException)
_BODILESS = frozenset({204, 304})
_STATUSES = range(200, 600)  # RFC 9110, section 15, but for interim ones
_ERRORS = 400
# Made anew on the way, or said between this server and its peer alone.
_OURS = frozenset({b"date", b"expect"})
_OF_BODIES = frozenset({b"content-type", b"content-length"})
_FORM = b"application/x-www-form-urlencoded"


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
    def name(self) -> bytes:
        """The host as a resolver takes it."""
        return self.host.strip("[]").encode("ascii")

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
    through as they come. A server that `posts` has POST alone for what the service takes by GET as well: a query goes
    there as a form.
    """

    def __init__(  # noqa: PLR0913 - each says one thing of the server
        self,
        origin: Origin,
        *,
        host: str,
        disguised: bool = False,
        path: Callable[[bytes], bytes] | None = None,
        mend: Callable[[Answer], None] | None = None,
        posts: bool = False,
    ) -> None:
        self._origin = origin
        self._key: RawHeaders = []
        self._host = host
        self._disguised = disguised
        self._path = path
        self._mend = mend
        self._posts = posts
        self._tls = ssl.create_default_context() if origin.scheme == "https" else None
        # httpcore's own pool looks at every connection for every other one, which at 32 takes most of the time.
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._under_way: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _whole(receive)
        work = asyncio.ensure_future(self._exchange(scope, body, send))
        self._under_way.add(work)
        work.add_done_callback(self._under_way.discard)
        left = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left.cancel()
            work.cancel()  # which does nothing to one that is done; else nobody waits for it any more
        await asyncio.wait({work})
        if not work.cancelled():
            work.result()

    async def move(self, origin: Origin, key: str) -> None:
        """Forward to another server from now on, which takes nothing without a key, and let go of the old one."""
        self._origin = origin
        self._key = [(b"x-archal-emulator-key", key.encode("ascii"))]
        await self.close()
        if self._under_way:
            await asyncio.wait(self._under_way.copy(), timeout=_LAST_ANSWERS)

    async def close(self) -> None:
        """Close every idle connection; those in use close with their requests."""
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.aclose()

    async def _exchange(self, scope: Scope, body: bytes, send: Send) -> None:
        origin = self._origin
        connection = await self._connection(origin)
        try:
            response = await connection.handle_async_request(self._request(origin, scope, body))
            try:
                await self._answer(scope["method"], response, send)
            finally:
                await response.aclose()
        except (OSError, *_FAILURES) as error:
            # Its own words and frames hold the request.
            reason = f"{origin.scheme}://{origin.authority}: {type(error).__name__}"
            raise NoAnswerError(reason) from None
        finally:
            # What a server of the user's says too much would be taken for its next answer: its connections serve once.
            if self._disguised and connection.is_idle() and origin == self._origin:
                self._idle.append(connection)
            else:
                await connection.aclose()

    async def _connection(self, origin: Origin) -> httpcore.AsyncHTTPConnection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():  # nor closed by the server
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            httpcore.Origin(origin.scheme.encode(), origin.name, origin.port),
            ssl_context=self._tls,
            keepalive_expiry=_KEPT,
        )

    def _request(self, origin: Origin, scope: Scope, body: bytes) -> httpcore.Request:
        path: bytes = scope["raw_path"]
        if self._path is not None:
            path = self._path(path)
        target = origin.prefix + path
        method, query = scope["method"], scope["query_string"]
        as_form = self._posts and method == "GET"
        if as_form:
            method, body = "POST", query
        elif query:
            target += b"?" + query
        host = (self._host if self._disguised else origin.authority).encode("ascii")
        headers = [
            (name, host if name == b"host" else value)
            for name, value in end_to_end(scope["headers"])
            if name not in _OURS and not (as_form and name in _OF_BODIES)
        ]
        if as_form:
            headers += [(b"content-type", _FORM), (b"content-length", b"%d" % len(body))]
        url = httpcore.URL(
            scheme=origin.scheme.encode(), host=origin.name, port=origin.port, target=target
        )
        timeout = {"connect": _CONNECT_TIMEOUT}
        return httpcore.Request(
            method,
            url,
            headers=[*headers, *self._key],
            content=body,
            extensions={"timeout": timeout},
        )

    async def _answer(self, method: str, response: httpcore.Response, send: Send) -> None:
        status, headers = response.status, self._headers(response)
        if status not in _STATUSES:
            raise httpcore.RemoteProtocolError
        stream = response.stream
        assert isinstance(stream, AsyncIterable)  # noqa: S101 - httpcore types blocking ones, too
        if self._mend is not None and status >= _ERRORS and method != "HEAD":
            answer = Answer(
                status=status, headers=headers, body=b"".join([chunk async for chunk in stream])
            )
            self._mend(answer)
            kept = [pair for pair in answer.headers if pair[0] != b"content-length"]
            length = (b"content-length", str(len(answer.body)).encode("ascii"))
            await send(_start(answer.status, [*kept, length]))
            await send({"type": "http.response.body", "body": answer.body})
            return
        await send(_start(status, headers))
        bodiless = method == "HEAD" or status in _BODILESS
        async for chunk in stream:
            if not bodiless:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _headers(self, response: httpcore.Response) -> RawHeaders:
        # What points to the server itself points to the service, whose references are those of the clone.
        # A length beside a coding of the transfer is not the body's (RFC 9112, section 6.3).
        coded = any(name.lower() == b"transfer-encoding" for name, _ in response.headers)
        ours = {*_OURS, b"content-length"} if coded else _OURS
        kept = [pair for pair in end_to_end(response.headers) if pair[0] not in ours]
        service = f"https://{self._host}"
        named = for_caller(kept, host=self._origin.authority, base=service)
        below = self._host + self._origin.prefix.decode("ascii")
        return for_caller(named, host=below, base=service)


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
