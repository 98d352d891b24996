"""The asynchronous clients behind the synchronous ones' faces, so that one test holds both."""

from __future__ import annotations

import asyncio
import contextlib
import inspect

import pytest

from archal_lambda import Settings


@contextlib.contextmanager
def event_loop():
    """Make the one event loop that all this runs in: closing one ends the generators that were begun in it."""
    loop = asyncio.new_event_loop()
    _loops.append(loop)
    try:
        yield
        assert not asyncio.all_tasks(loop)
    finally:
        _loops.remove(loop)
        loop.close()


_loops = []


def run(awaitable):
    """Await something."""

    async def wait():
        return await awaitable

    return _loops[-1].run_until_complete(wait())


class Awaited:
    """A transport that blocks, for an asynchronous client."""

    def __init__(self, transport):
        self.send = transport.send
        self._close = transport.close

    async def asend(self, *args):
        return self.send(*args)

    async def aclose(self):
        self._close()


class Blocking:
    """An asynchronous object, used synchronously: what it returns to await is awaited, what it returns is wrapped."""

    def __init__(self, target):
        self.__dict__["target"] = target

    def __getattr__(self, name):
        return wrapped(getattr(self.target, name))

    def __setattr__(self, name, value):
        setattr(self.target, name, value)

    def __getitem__(self, key):
        return wrapped(self.target[key])

    def __contains__(self, key):
        return key in self.target

    def __len__(self):
        return len(self.target)

    def __iter__(self):
        return iter(self.target)

    def __repr__(self):
        return repr(self.target).replace("<Async", "<")

    def __enter__(self):
        return wrapped(run(self.target.__aenter__()))

    def __exit__(self, *error):
        return run(self.target.__aexit__(*error))


def blocking(cls):
    """Make a class whose objects are `cls`'s, used synchronously."""

    def make(*args, **options):
        if "sleep" in options:
            options["sleep"] = awaited(options["sleep"])
        if "transport" in options:
            options["transport"] = Awaited(options["transport"])
        return Blocking(cls(*args, **options))

    def from_env(environ=None, **options):
        return make(Settings.from_env(environ), **options)

    make.from_env = from_env
    return make


@contextlib.contextmanager
def as_async(request, **classes):
    """Put asynchronous classes in place of a test module's synchronous ones, if its fixture is asked for "async".

    Args:
        request: The fixture's request, whose parameter is "sync" or "async".
        classes: The asynchronous class for each name in the module.
    """
    if request.param == "sync":
        yield
        return
    with pytest.MonkeyPatch.context() as patch, event_loop():
        for name, cls in classes.items():
            patch.setattr(request.module, name, blocking(cls))
        yield


def awaited(sleep):
    """Make a function to await of one that blocks."""

    async def wait(seconds):
        sleep(seconds)

    return wait


def wrapped(value):
    """Wrap what has something to await inside."""
    if inspect.isasyncgen(value):
        return walked(value)
    if isinstance(value, contextlib.AbstractAsyncContextManager) or type(value).__name__.startswith(
        "Async"
    ):
        return Blocking(value)
    if inspect.ismethod(value):
        return called(value)
    return value


def called(method):
    """Make a method wait for its result."""

    def call(*args, **options):
        result = method(*args, **options)
        return wrapped(run(result) if inspect.iscoroutine(result) else result)

    return call


def walked(items):
    """Walk through an asynchronous iterator, and close it if the walk is left."""
    try:
        while True:
            try:
                yield run(anext(items))
            except StopAsyncIteration:
                return
    finally:
        run(items.aclose())
