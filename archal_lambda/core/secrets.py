"""What may be shown of secrets: in a text, and in a traceback.

This module owns redaction. It must not import anything of the package, so that all else can use it.

**The rule of frames.** Reporters such as Sentry and Rollbar show the local variables of every frame of a traceback,
and walk into mappings and sequences instead of asking for their `repr`. So no frame of ours that an exception has
passed through may still contain a secret: a token, a header, a body, a query. Secrets are arguments and local variables
everywhere inside, so the rule is kept at the doors: each function through which secrets come in is `guarded`. When an
exception leaves a door, the frames behind it are emptied, and the door itself has forgotten its arguments. File, line
and function of each frame stay, for whoever looks for the fault. Behind the doors nothing needs to be deleted by hand.
A method of a mapping, such as `Headers`, is a door because of its `self`.

An exception that is raised `from None` behind a door hides one whose message may quote a secret, such as msgspec's.
At the door it is not only hidden but dropped.

**Whose frames.** Those of this package, and of the libraries it calls. A function of the caller's that runs behind a
door, such as a hook, a mock's handler or a transport, keeps its variables, and so does what it calls: they are the
caller's to debug, and what we hand over shows nothing by itself, a `CallRecord` or a `Request`. Who takes a request
apart answers for the pieces. The exception is what stands between our transports and the socket, such as gevent's or a
tracer's: it is handed the bytes that are sent, so its frames are emptied like a library's.

Only frames that are over are emptied. One that still runs, or waits for its turn, may be another call's: a transport
may raise once more what it has raised before.

**What a door cannot do.** A coroutine that is cancelled before it began never comes to forget its arguments, so a door
that is awaited takes only what shows nothing. A generator outlives the call that makes it, so it cannot be a door: the
functions it calls are. And an interruption may come before the first line of a door.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from types import FrameType
from typing import Any, ParamSpec, TypeVar, cast

from archal_lambda.core.patterns import lazy

__all__ = ["REDACTED", "Secret", "entry_name", "forget", "guarded", "inside"]

P = ParamSpec("P")
R = TypeVar("R")

REDACTED = "[redacted]"
# Words, as names of clones and headers are; no digits, underscores or capitals within, as tokens have.
_SHOWABLE = lazy(r"[A-Za-z][a-z]{0,19}(-[A-Za-z][a-z]{0,19}){0,3}")
_PACKAGE = __name__.partition(".")[0]
_AT_THE_MACHINE = f"{_PACKAGE}.transports._"
_LIBRARIES = sys.stdlib_module_names | {
    "_pyodide",
    "aws_lambda_powertools",
    "msgspec",
    "pyodide",
    "urllib3",
    "workers",
}
# inspect.CO_COROUTINE and its like; the module costs a cold start more than all else here.
_COROUTINE = 0x80
_GENERATOR = 0x20 | 0x200


class Secret:
    """A string that is never shown: its `str`, `repr` and `format` are a fixed marker.

    Args:
        value: The secret itself.
    """

    __module__ = "archal_lambda"
    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the secret, for the one place that sends it.

        Returns:
            The string given to the constructor.
        """
        return self._value

    def __reduce__(self) -> tuple[type[Secret], tuple[str]]:
        return Secret, (self._value,)  # slots alone do not pickle under the oldest protocols

    def __repr__(self) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))


def entry_name(key: str) -> str:
    """Name an entry of a JSON object, a space behind; its key may be a misplaced secret, so only words are shown."""
    return f"entry {key!r} " if _SHOWABLE.fullmatch(key) else "one entry "


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function, or a coroutine function, a door: see the rule of frames above."""
    flags = function.__code__.co_flags
    if flags & _GENERATOR:
        raise TypeError("a generator cannot be a door")
    inside = cast("Callable[..., Any]", function)
    if flags & _COROUTINE:

        @wraps(function)
        async def awaited_door(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function
            try:
                return await inside(*args, **kwargs)
            except BaseException as error:
                args, kwargs = (), {}  # not deleted: Rollbar looks for them
                forget(error)
                raise

        return cast("Callable[P, R]", awaited_door)

    @wraps(function)
    def door(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function
        try:
            return inside(*args, **kwargs)
        except BaseException as error:
            args, kwargs = (), {}  # as above
            forget(error)
            raise

    return cast("Callable[P, R]", door)


def inside(door: Callable[P, R]) -> Callable[P, R]:
    """Give the function behind a door, for those who are behind one already: a door takes time."""
    function: Callable[P, R] = vars(door)["__wrapped__"]
    return function


def forget(error: BaseException) -> None:
    """Empty our frames of an error that is handed on without passing through a door."""
    seen: set[int] = set()
    left = [error]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        raised_by_us = _empty_frames(one)
        if raised_by_us and one.__suppress_context__ and one.__cause__ is None:
            one.__context__ = None
        left.extend(linked for linked in (one.__cause__, one.__context__) if linked is not None)
        if isinstance(one, BaseExceptionGroup):
            left.extend(cast("BaseExceptionGroup[BaseException]", one).exceptions)


def _empty_frames(error: BaseException) -> bool:
    """Empty those of ours; tell whether the last one, which raised it, is one."""
    # From the first of ours on: before it are the caller's own, which may well be over, and are not ours to empty.
    ours = at_the_machine = False
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        module = str(frame.f_globals.get("__name__"))
        room = module.partition(".")[0]
        if room == _PACKAGE:
            ours, at_the_machine = True, module.startswith(_AT_THE_MACHINE)
        elif room not in _LIBRARIES and not at_the_machine:
            ours = False
        if ours and _is_over(frame):
            with suppress(RuntimeError):  # it is not, after all
                frame.clear()
        trace = trace.tb_next
    return ours


def _is_over(frame: FrameType) -> bool:
    # Before Python 3.13, clear() ends a generator or coroutine that only waits for its turn. A frame holds its code as
    # its own only when it is over; until then the generator, or the thread, does.
    return sys.version_info >= (3, 13) or any(
        one is frame.f_code for one in gc.get_referents(frame)
    )
