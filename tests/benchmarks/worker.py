"""One client in a process of its own: it does what it is told, line by line, and says what that took."""

from __future__ import annotations

import asyncio
import inspect
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import commands
from clients import CLIENTS, GATHER
from peers import WIDEST, Site

HANG = 30.0  # seconds that a resolver hangs


class Client:
    """A client at one site, sync or async."""

    def __init__(self, name, site):
        self._call = CLIENTS[name](site)
        self._gather = GATHER[name](site) if name in GATHER else self._threads
        self._loop = None
        self._pool = ThreadPoolExecutor(WIDEST)
        if inspect.iscoroutinefunction(self._call):
            self._loop = asyncio.new_event_loop()

    def calls(self, path, count, content=None):
        """Make calls one after the other."""
        if self._loop is not None:
            self._loop.run_until_complete(self._awaited(path, count, content))
            return
        for _ in range(count):
            self._call(path, content)

    def fan(self, path, count):
        """Make calls side by side."""
        if self._loop is not None:
            self._loop.run_until_complete(self._side_by_side(path, count))
        else:
            self._gather(path, count)

    async def _awaited(self, path, count, content):
        for _ in range(count):
            await self._call(path, content)

    async def _side_by_side(self, path, count):
        await asyncio.gather(*[self._call(path) for _ in range(count)])

    def _threads(self, path, count):
        list(self._pool.map(self._call, [path] * count))


class Session:
    """What the commands share."""

    def __init__(self, name):
        self._name = name
        self._client = None

    def open(self, origin, ca_file=None, timeout=15.0):
        self._client = Client(self._name, Site(origin, ca_file, timeout))

    def calls(self, path, count):
        return commands.timed(lambda: self._client.calls(path, count))

    def fan(self, path, count):
        return commands.timed(lambda: self._client.fan(path, count))

    def fault(self, path, size=None):
        """Make one call, however it ends."""
        content = None if size is None else b"x" * size
        return commands.outcome_of(lambda: self._client.calls(path, 1, content))

    def hang_resolver(self):
        socket.getaddrinfo = lambda *_args, **_options: time.sleep(HANG)

    def peak(self, path):
        """Make one call and say how far memory rose above where it was, in bytes."""
        with Path("/proc/self/clear_refs").open("w") as file:
            file.write("5")  # the peak counts from here
        before = status("VmRSS")
        self._client.calls(path, 1)
        return {"bytes": status("VmHWM") - before}

    def resident(self):
        return {"bytes": status("VmRSS")}


def status(field):
    """Read a size of this process, in bytes."""
    with Path("/proc/self/status").open() as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines[field].split()[0]) * 1024


if __name__ == "__main__":
    commands.obey(Session(sys.argv[1]))
