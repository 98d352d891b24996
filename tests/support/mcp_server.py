"""The official MCP server, on a port of its own, in the eras and forms that it has."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

STATELESS = "2026-07-28"


class Sum(BaseModel):
    total: int


class WordsError(Exception):
    """What a tool fails with."""


def tools():
    """Make a server with tools, a resource and a prompt; it counts what its tools do."""
    server = MCPServer("peer")
    done = []

    @server.tool(title="Addition", annotations={"readOnlyHint": True})
    def add(a: int, b: int) -> Sum:
        """Add two numbers."""
        done.append("add")
        return Sum(total=a + b)

    @server.tool()
    async def count(to: int, context: Context) -> str:
        """Count, and tell of it."""
        for number in range(to):
            await context.report_progress(number + 1, to)
        return '{"total": 7}'

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise WordsError("no such thing")

    @server.resource("data://greeting", mime_type="text/plain")
    def greeting() -> str:
        return "hello"

    @server.prompt()
    def greet(name: str) -> str:
        return f"Hello {name}"

    return server, done


class OldOnly:
    """Refuses what it does not know the version of, as servers of the handshake era do."""

    def __init__(self, app, *, status=400):
        self._app = app
        self._status = status

    async def __call__(self, scope, receive, send):
        headers = dict(scope.get("headers") or [])
        if headers.get(b"mcp-protocol-version") == STATELESS.encode():
            start = {"type": "http.response.start", "status": self._status}
            await send(start | {"headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Bad Request"})
            return
        await self._app(scope, receive, send)


class Peer:
    """A server that runs. `requests` has the method and the body's length of each request."""

    def __init__(self, app, done):
        self.done = done
        self.requests = []
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        # By itself an older uvicorn makes uvloop the loop of the whole process, where it is installed.
        config = uvicorn.Config(self._seen(app), log_config=None, lifespan="on", loop="asyncio")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._sock],), daemon=True)

    def _seen(self, app):
        async def seen(scope, receive, send):
            if scope["type"] == "http":
                headers = {name.decode(): value.decode() for name, value in scope["headers"]}
                self.requests.append((scope["method"], headers))
            await app(scope, receive, send)

        return seen

    def __enter__(self):
        self._thread.start()
        ends = time.monotonic() + 20
        while not self._server.started and time.monotonic() < ends:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(10)
        self._sock.close()


@contextlib.contextmanager
def running(*, old=False, json_response=False, status=400):
    """Run a peer; `old` ones are of the handshake era."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    server, done = tools()
    app = server.streamable_http_app(json_response=json_response)
    with Peer(OldOnly(app, status=status) if old else app, done) as peer:
        yield peer
