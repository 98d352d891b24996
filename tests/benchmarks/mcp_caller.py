"""One MCP client, or the official server, in a process of its own. See `mcp.py`.

It runs with `python -P` and takes this folder behind all others, because `mcp.py` here would hide the official package.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import commands

ARGUMENTS = {"a": 1, "b": 2}


class Ours:
    """The synchronous client of this package."""

    def open(self, origin, timeout):
        from archal_lambda import Clones, Settings

        settings = Settings(clone_urls={"peer": f"{origin}/api"}, token="t")
        self._mcp = Clones(settings, timeout=timeout)["peer"].mcp

    def calls(self, count):
        return commands.timed(lambda: self._calls(count))

    def fault(self):
        return commands.outcome_of(lambda: self._calls(1))

    def _calls(self, count):
        for _ in range(count):
            assert self._mcp.call("add", ARGUMENTS).structured == {"total": 3}


class Awaited(Ours):
    """A client on an event loop."""

    def open(self, origin, timeout):
        self._loop = asyncio.new_event_loop()
        self._call = None
        self._at = origin, timeout

    def _calls(self, count):
        self._loop.run_until_complete(self._all(count))

    async def _all(self, count):
        if self._call is None:
            self._call = await self._opened(*self._at)
        for _ in range(count):
            assert await self._call("add", ARGUMENTS) == {"total": 3}


class OursAwaited(Awaited):
    """The asynchronous client of this package."""

    async def _opened(self, origin, timeout):
        from archal_lambda import AsyncClones, Settings

        settings = Settings(clone_urls={"peer": f"{origin}/api"}, token="t")
        mcp = AsyncClones(settings, timeout=timeout)["peer"].mcp

        async def call(name, arguments):
            return (await mcp.call(name, arguments)).structured

        return call


class Official(Awaited):
    """The official client; it stays open to the end of the process."""

    async def _opened(self, origin, timeout):
        from mcp import Client

        self._client = Client(f"{origin}/mcp", read_timeout_seconds=timeout)
        client = await self._client.__aenter__()

        async def call(name, arguments):
            return (await client.call_tool(name, arguments)).structured_content

        return call


class Server:
    """The official server of an era, and how often it was asked."""

    def __init__(self, era):
        from support import mcp_server

        logging.disable(logging.WARNING)  # the server would tell of each request
        self._running = mcp_server.running(old=era == "old")
        self._peer = self._running.__enter__()

    def origin(self):
        return self._peer.origin

    def count(self):
        """Tell how many POSTs came since it was last asked."""
        posts = [method for method, _ in self._peer.requests if method == "POST"]
        self._peer.requests.clear()
        return len(posts)


CLIENTS = {"archal_lambda": Ours, "archal_lambda, awaited": OursAwaited, "mcp": Official}

if __name__ == "__main__":
    kind, *more = sys.argv[1:]
    commands.obey(Server(*more) if kind == "server" else CLIENTS[kind]())
