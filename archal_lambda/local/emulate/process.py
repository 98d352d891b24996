"""The Node process of a local Archal, and what runs in it.

This module owns its beginning and end, and the lines of JSON that go to and fro. It must not know HTTP, nor what a
service is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from archal_lambda.local.emulate import node
from archal_lambda.local.emulate.environment import for_node
from archal_lambda.local.emulate.lines import Line, Made, Told

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from os import PathLike

__all__ = ["EmulatorError", "Emulators", "Instance"]

_HOST = Path(__file__).with_name("host.mjs")
_START_TIMEOUT = 30.0  # seconds until a Node that says nothing is given up
_LONGEST = 256_000_000  # bytes of a line, which may hold a whole state


class EmulatorError(Exception):
    """An emulator did not do what it was asked; the words say why."""


class Instance:
    """One emulator that listens, until `close`."""

    def __init__(
        self,
        process: _Node,
        made: Made,
        failed: Callable[[str], None],
        told: Callable[[Instance, Told], None],
    ) -> None:
        self._process = process
        self._number = made.instance
        self.port = made.port  # on 127.0.0.1
        self.key = made.key  # without which it answers nobody
        self.failed = failed
        self._told = told

    def hear(self, told: Told) -> None:
        """Pass on what is told, if this one tells it."""
        if told.instance == self._number:
            self._told(self, told)

    def sent(self, number: int, status: int | None, error: str | None) -> None:
        """Say what came of a delivery."""
        self._process.say(task="sent", send=number, status=status, error=error)

    async def ask(self, task: str, **more: object) -> Any:  # noqa: ANN401 - as each task has it
        """Have something done with it."""
        return await self._process.ask(task, instance=self._number, **more)

    async def close(self) -> None:
        """End it, unless its process has ended."""
        self._process.instances.discard(self)
        with contextlib.suppress(EmulatorError):
            await self.ask("close")

    async def forget(self, marks: list[int]) -> None:
        """Let go of snapshots."""
        with contextlib.suppress(EmulatorError):
            await self._process.ask("forget", marks=marks)


class Emulators:
    """All emulators of one local Archal, in one Node process that starts with the first."""

    def __init__(self, path: str | PathLike[str] | None) -> None:
        self._path = None if path is None else Path(path)
        self._tools: node.Tools | None = None
        self._over = threading.Event()
        self._node: asyncio.Task[_Node] | None = None

    def prepare(self) -> node.Tools:
        """Find what is needed, and install what can be; it may take as long as npm takes."""
        if self._tools is None:
            self._tools = node.find(self._path, self._over)
        return self._tools

    async def open(
        self,
        request: Mapping[str, object],
        *,
        failed: Callable[[str], None],
        told: Callable[[Instance, Told], None],
    ) -> Instance:
        """Make an emulator; `failed` is told why if the process ends before it is closed, `told` what it tells."""
        process = await self._running()
        made = await process.ask("open", **request)
        if process.ended is not None:  # before anybody could be told
            raise EmulatorError(process.ended)
        instance = Instance(process, msgspec.convert(made, Made), failed, told)
        process.instances.add(instance)
        return instance

    async def close(self) -> None:
        """End the process and all that runs in it."""
        self._over.set()
        task, self._node = self._node, None
        if task is not None:
            with contextlib.suppress(Exception):  # one that did not start has ended
                await (await task).close()
        self._over.clear()

    def close_before(self, then: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """Give what ends all this at once, so that no instance is closed by itself, and does something else."""

        async def close() -> None:
            await self.close()
            await then()

        return close

    async def _running(self) -> _Node:
        task = self._node
        if task is not None and task.done() and (task.exception() or task.result().ended):
            task = None
        if task is None:
            task = self._node = asyncio.ensure_future(self._start())
        return await asyncio.shield(task)

    async def _start(self) -> _Node:
        tools = await asyncio.to_thread(self.prepare)
        return await _Node.start(tools)


class _Node:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._asked = 0
        self._reading: asyncio.Task[None] | None = None
        self.instances: set[Instance] = set()
        self.ended: str | None = None

    @classmethod
    async def start(cls, tools: node.Tools) -> _Node:
        windows = sys.platform == "win32"
        process = await asyncio.create_subprocess_exec(
            tools.node,
            _HOST,
            tools.package,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            limit=_LONGEST,
            env=for_node(),
            # Ctrl-C is for this process, which ends Node when it is done.
            start_new_session=not windows,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0) if windows else 0,
        )
        started = cls(process)
        try:
            async with asyncio.timeout(_START_TIMEOUT):
                ready = await started._line()
        except TimeoutError:
            ready = b""
        if not ready:
            await started.close()
            raise EmulatorError(
                f"Node did not start ({tools.node}, with emulate in {tools.package})"
            )
        started._reading = asyncio.ensure_future(started._read())
        return started

    async def ask(self, task: str, **request: object) -> Any:  # noqa: ANN401 - as each task has it
        """Have something done; what is asked for first is done first."""
        stdin = self._process.stdin
        if self.ended is not None or stdin is None:
            raise EmulatorError(self.ended or "the emulators do not run")
        self._asked += 1
        number = self._asked
        self._waiting[number] = asyncio.get_running_loop().create_future()
        stdin.write(msgspec.json.encode({"id": number, "task": task, **request}) + b"\n")
        return await self._waiting[number]

    def say(self, **request: object) -> None:
        """Say something that has no answer, to whoever still listens."""
        if self.ended is None and self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")

    async def close(self) -> None:
        """End it."""
        self.instances.clear()
        self._kill()
        if self._process.stdin is not None:
            self._process.stdin.close()
        await self._process.wait()
        if self._reading is not None:
            await self._reading

    def _kill(self) -> None:
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._process.kill()
            else:  # `Process.kill()` asks for the status first, which is asyncio's to fetch
                os.kill(self._process.pid, signal.SIGKILL)

    async def _line(self) -> bytes:
        stdout = self._process.stdout
        return b"" if stdout is None else await stdout.readline()

    async def _read(self) -> None:
        try:
            while line := await self._line():
                answer = msgspec.json.decode(line, type=Line)
                if answer.told is not None:
                    for instance in list(self.instances):
                        instance.hear(answer.told)
                    continue
                waiting = self._waiting.pop(answer.id)
                if waiting.done():  # whoever asked has gone
                    continue
                if answer.error is None:
                    waiting.set_result(answer.done)
                else:
                    waiting.set_exception(EmulatorError(answer.error))
        finally:
            self._kill()  # where it is alive, it has said what it should not
            status = await self._process.wait()
            ended = f"signal {-status}" if status < 0 else f"status {status}"
            self._end(f"the emulators' Node process has ended ({ended})")

    def _end(self, reason: str) -> None:
        self.ended = reason
        for instance in list(self.instances):
            instance.failed(reason)
        self.instances.clear()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(EmulatorError(reason))
        self._waiting.clear()
