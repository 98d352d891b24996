"""What may be shown of secrets: in a text, and in a traceback.

This module owns redaction. It must not import anything of the package, so that all else can use it.

**The rule of frames.** Reporters such as Sentry and Rollbar show the local variables of every frame of a traceback,
and walk into mappings and sequences instead of asking for their `repr`. So no frame of ours that an exception has
passed through may still contain a secret: a token, a header, a body, a query. Secrets are arguments and local variables
everywhere inside, so the rule is kept at the doors: each function through which secrets come in is `guarded`. When an
exception leaves a door, the frames behind it are emptied, and the door itself has forgotten its arguments. File, line
and function of each frame stay, for whoever looks for the fault. Behind the doors nothing needs to be deleted by hand.

An exception that is raised `from None` behind a door hides one whose message may quote a secret, such as msgspec's.
At the door it is not only hidden but dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["REDACTED", "Secret", "entry_name", "guarded"]

P = ParamSpec("P")
R = TypeVar("R")

REDACTED = "[redacted]"
# Words, as names of clones and headers are; no digits, underscores or capitals within, as tokens have.
_SHOWABLE = re.compile(r"[A-Za-z][a-z]{0,19}(-[A-Za-z][a-z]{0,19}){0,3}")
_PACKAGE = __name__.partition(".")[0]
_COROUTINE = 0x80  # inspect.CO_COROUTINE; the module costs a cold start more than all else here


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
    if function.__code__.co_flags & _COROUTINE:

        @wraps(function)
        async def awaited_door(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the function
            try:
                return await cast("Callable[..., Any]", function)(*args, **kwargs)
            except BaseException as error:
                _forget(error)
                del args, kwargs
                raise

        return cast("Callable[P, R]", awaited_door)

    @wraps(function)
    def door(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            _forget(error)
            del args, kwargs
            raise

    return door


def _forget(error: BaseException) -> None:
    seen: set[int] = set()
    left = [error]
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if one.__suppress_context__ and one.__cause__ is None:
            one.__context__ = None
        _empty_frames(one)
        left.extend(linked for linked in (one.__cause__, one.__context__) if linked is not None)
        if isinstance(one, BaseExceptionGroup):
            left.extend(cast("BaseExceptionGroup[BaseException]", one).exceptions)


def _empty_frames(error: BaseException) -> None:
    # From the first of ours on: before it are the caller's own, which may well be over, and are not ours to empty.
    ours = False
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        ours = ours or str(frame.f_globals.get("__name__")).partition(".")[0] == _PACKAGE
        if ours:
            with suppress(
                RuntimeError
            ):  # it is still running: the door itself, or whoever called it
                frame.clear()
        trace = trace.tb_next
