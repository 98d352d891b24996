"""HTTP in front of functions: a request becomes an event, its result a response.

This module owns who may ask, the limits, and how many functions run at once. It must not know where the functions are
from, and nothing that it prints may contain a query, a header or a body.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from archal_lambda.errors import ConfigurationError
from archal_lambda.invoke.routes import Route, find_route
from archal_lambda.lambda_events.events import make_event
from archal_lambda.lambda_events.parts import is_declared
from archal_lambda.lambda_events.results import failure_response, late_response, read_result
from archal_lambda.lambda_events.values import WebRequest, WebResponse

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from archal_lambda.invoke import Outcome

__all__ = ["Front"]

# What AWS takes, in bytes, before and after it has made an event of it (the guides' pages of quotas).
_MOST = {
    "function-url": 6 * 1024 * 1024,
    "http-api": 10 * 1024 * 1024,
    "rest-api": 10 * 1024 * 1024,
}
_MOST_EVENT = 6 * 1024 * 1024
# Seconds that an API waits for its function; a Function URL waits as long as the function may take.
_WAIT = {"http-api": 30.0, "rest-api": 29.0}
_JSON = (("content-type", "application/json"),)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_ORIGIN = re.compile(r"https?://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
_NO_BODY = (204, 304)
_ENDED = ("Sandbox.", "Runtime.ExitError")  # kinds of errors of which nobody but us knows
_AT_ONCE = 8  # functions; more wait

# Method, path, query, headers, content and address of a request.
_Facts = tuple[str, str, str, tuple[tuple[str, str], ...], bytes, str]


class Front:
    """The ASGI application.

    `run` runs the named function with an event, on a thread; `show` gets one line for each request.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        port: int,
        run: Callable[[str, object], Outcome],
        show: Callable[[str], None],
    ) -> None:
        self._routes = routes
        self._hosts = {f"{host}:{port}" for host in _LOOPBACK}
        if port == 80:  # noqa: PLR2004 - which clients leave out
            self._hosts |= set(_LOOPBACK)
        self._run = run
        self._show = show
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="archal-serve")

    def close(self) -> None:
        """Start no more functions."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = time.monotonic()
        path, method = _path(scope), str(scope["method"])
        headers = tuple(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        )
        refusal = self._refusal(headers)
        found = None if refusal else find_route(self._routes, method, path)
        # Read in any case: a client that is still sending would not see the response.
        content = await _read(receive, _MOST[found[0].shape] if found else 0)
        if refusal is not None:
            response = refusal
        elif found is None:
            response = self._unknown()
        elif content is None:
            response = _message(413, "Request Too Long")
        else:
            host = (scope.get("client") or ("127.0.0.1", 0))[0]
            query = scope["query_string"].decode("latin-1")
            response = await self._response(*found, (method, path, query, headers, content, host))
        took = (time.monotonic() - begun) * 1000
        name = found[0].function if found else "-"
        self._show(f"{method:6} {path}  {response.status_code}  {took:.0f} ms  {name}")
        await _send(response, send)

    async def _response(
        self, route: Route, parameters: dict[str, str], facts: _Facts
    ) -> WebResponse:
        method, path, query, headers, content, host = facts
        if route.shape == "function-url":
            path = path.removeprefix(route.path.removesuffix("/{proxy+}")) or "/"
        try:
            request = WebRequest(method, path, query, headers, content, host)
        except ConfigurationError:  # such as `OPTIONS *`
            return _message(400, "Bad Request")
        event = make_event(
            request,
            route.shape,
            now=time.time(),
            request_id=str(uuid.uuid4()),
            route=route.key,
            path_parameters=parameters,
            stage=route.stage,
            binary_types=route.binary,
        )
        if len(event.get("body") or "") > _MOST_EVENT:
            return _message(413, "Request Too Long")
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._pool, self._run, route.function, event)
        try:
            # The function goes on, as on AWS.
            outcome = await asyncio.wait_for(asyncio.shield(work), _WAIT.get(route.shape))
        except TimeoutError:
            return late_response(route.shape)
        except OSError as error:  # of the machine, not of the function
            self._show(f"{route.function} did not start: {error.strerror}")
            return failure_response(route.shape)
        failure = failure_response(route.shape)
        if outcome.error is not None:
            kind = str(outcome.error.get("errorType"))
            if kind.startswith(_ENDED):  # of anything else the function's own log tells
                self._show(f"{route.function}: {outcome.error.get('errorMessage')}")
            return failure
        accepted = next((value for name, value in headers if name == "accept"), None)
        binary = is_declared(route.binary, accepted)
        response = read_result(outcome.result, route.shape, binary=binary)
        if response == failure:
            self._show(f"{route.function}: the result is not what a {route.shape} takes")
        return response

    def _refusal(self, headers: tuple[tuple[str, str], ...]) -> WebResponse | None:
        # A name of somebody's could point here, and a page of another site could send a form here.
        hosts = [value.lower() for name, value in headers if name == "host"]
        if len(hosts) != 1 or hosts[0] not in self._hosts:
            return _message(403, "the Host is not this server's")
        origins = [value for name, value in headers if name == "origin"]
        # A page's image has no Origin; what a browser says of where it comes from (W3C, Fetch Metadata) it has.
        sites = [value for name, value in headers if name == "sec-fetch-site"]
        if not all(map(_ORIGIN.fullmatch, origins)) or "cross-site" in sites:
            return _message(403, "another site's page may not use this")
        return None

    def _unknown(self) -> WebResponse:
        if all(route.shape == "rest-api" for route in self._routes):
            return _message(403, "Missing Authentication Token")
        return _message(404, "Not Found")


def _path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.decode("latin-1")


async def _read(receive: Receive, most: int) -> bytes | None:
    """Read a body; None if it is longer than the most, or its sender has left."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece: bytes = message.get("body", b"")
        size += len(piece)
        # What is too much is read and dropped: a client that is still sending would not see the refusal.
        if size <= most:
            pieces.append(piece)
        else:
            pieces.clear()
        if not message.get("more_body"):
            return b"".join(pieces) if size <= most else None


async def _send(response: WebResponse, send: Send) -> None:
    content = b"" if response.status_code in _NO_BODY else response.content
    headers = [(name.encode(), value.strip().encode()) for name, value in response.headers]
    if response.status_code not in _NO_BODY:
        headers.append((b"content-length", str(len(content)).encode()))
    start = {"type": "http.response.start", "status": response.status_code, "headers": headers}
    await send(start)
    await send({"type": "http.response.body", "body": content})


def _message(status: int, text: str) -> WebResponse:
    return WebResponse(status, _JSON, f'{{"message":"{text}"}}'.encode())
