"""The synchronous clients with the asynchronous ones' face, so that one check serves both."""

from __future__ import annotations

import contextlib

SENDING = {
    "call",
    "check",
    "close",
    "create",
    "delete",
    "gather",
    "get",
    "head",
    "list",
    "patch",
    "post",
    "prompt",
    "prompts",
    "put",
    "read",
    "request",
    "resources",
    "send",
    "tools",
    "wait_until_running",
}
OURS = ("Clones", "Clone", "ArchalClient", "Sessions", "HostedSession", "Mcp")


class Face:
    """A synchronous object whose calls are awaited; each of them blocks."""

    def __init__(self, target):
        self._target = target

    def __getattr__(self, name):
        value = getattr(self._target, name)
        if name in SENDING:
            return sending(value)
        if name == "paginate":
            return walking(value)
        if name == "open":
            return opening(value)
        if callable(value):
            return lambda *args, **options: face(value(*args, **options))
        return face(value)

    def __getitem__(self, name):
        return face(self._target[name])


def face(value):
    """Put the face on what needs one."""
    return Face(value) if type(value).__name__ in OURS else value


def sending(method):
    async def call(*args, **options):
        return method(*args, **options)

    return call


def walking(method):
    def walk(*args, **options):
        items = method(*args, **options)

        async def wait():
            for item in items:
                yield item

        return wait()

    return walk


def opening(method):
    @contextlib.asynccontextmanager
    async def enter(*args, **options):
        with method(*args, **options) as opened:
            yield face(opened)

    return enter
