"""Who is told of everything: what a target may be, and what it wants.

This module owns the rules of `deliver_to`. It must not send anything.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Collection, Iterable
from fnmatch import fnmatchcase
from typing import Any, cast

from archal_lambda.core.secrets import Secret
from archal_lambda.errors import ConfigurationError
from archal_lambda.lambda_events.values import SHAPES, Shape
from archal_lambda.local.webhooks.carriers import (
    FunctionCarrier,
    HandlerCarrier,
    UrlCarrier,
)
from archal_lambda.local.webhooks.limits import NOT_LOOPBACK
from archal_lambda.local.webhooks.loopback import is_loopback, shown_url
from archal_lambda.local.webhooks.outgoing import Carrier, Hook, Message

__all__ = ["LONGEST", "Target", "Wish", "is_seconds", "make_target"]

LONGEST = 3600.0  # seconds; no test waits longer

_MOST = 100  # duplicates of a delivery, and deliveries at once
_HANDLER_TIMEOUT = 15.0  # seconds, as `LocalContext` has them
_START = 35.0  # seconds that a function's process may take beside its own limit


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """The options of `deliver_to`."""

    shape: Shape = "function-url"
    clone: str | None = None
    events: Iterable[str] | None = None
    path: str = "/"
    timeout: float | None = None
    concurrency: int = 1
    duplicates: int = 0
    shuffle: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Target:
    """Somebody who is told."""

    number: int
    name: str
    make_carrier: Callable[[], Carrier]
    hook: Hook
    clone: str | None
    events: tuple[str, ...] | None
    duplicates: int
    shuffle: int | None
    most: int

    @property
    def id(self) -> str:
        """What it goes by."""
        return f"t{self.number}"

    @property
    def lane(self) -> str:
        """Its place in the engine."""
        return f"target {self.number}"

    def wants(self, clone: str, message: Message) -> bool:
        """Tell whether a message is for it."""
        if self.clone not in {None, clone}:
            return False
        names = (message.event, f"{message.event}.{message.action}")
        return self.events is None or any(
            fnmatchcase(name, pattern) for pattern in self.events for name in names
        )


def make_target(
    number: int, target: object, secret: Secret, wish: Wish, clones: Iterable[str]
) -> Target:
    """Make a target of what the user gave, or say what is wrong with it."""
    _check(wish, tuple(clones))
    hook = Hook(id=number, url=target if isinstance(target, str) else "", secret=secret)
    name, make_carrier = _way_to(target, hook, wish)
    return Target(
        number=number,
        name=name,
        make_carrier=make_carrier,
        hook=hook,
        clone=wish.clone,
        events=None if wish.events is None else tuple(wish.events),
        duplicates=wish.duplicates,
        shuffle=wish.shuffle,
        most=wish.concurrency,
    )


def _check(wish: Wish, clones: tuple[str, ...]) -> None:
    if wish.clone is not None and wish.clone not in clones:
        raise ConfigurationError("clone", f"must be one of the session's: {', '.join(clones)}")
    if wish.shape not in SHAPES:
        raise ConfigurationError("shape", f"must be one of {', '.join(SHAPES)}")
    if not _is_whole(wish.concurrency) or not 1 <= wish.concurrency <= _MOST:
        raise ConfigurationError("concurrency", f"must be a whole number from 1 to {_MOST}")
    if not _is_whole(wish.duplicates) or not 0 <= wish.duplicates <= _MOST:
        raise ConfigurationError("duplicates", f"must be a whole number from 0 to {_MOST}")
    if wish.shuffle is not None and not _is_whole(wish.shuffle):
        raise ConfigurationError("shuffle", "must be a whole number, the seed of the order")
    if wish.timeout is not None and not (is_seconds(wish.timeout) and wish.timeout > 0):
        raise ConfigurationError("timeout", f"must be seconds above 0, at most {LONGEST:g}")
    if not (wish.events is None or _are_names(wish.events)):
        raise ConfigurationError("events", "must be several names, such as ['issues']")
    path: Any = wish.path
    if not isinstance(path, str) or not path.startswith("/"):
        raise ConfigurationError("path", "must be a text that begins with /")


def _way_to(target: object, hook: Hook, wish: Wish) -> tuple[str, Callable[[], Carrier]]:
    shape, path = wish.shape, wish.path
    if isinstance(target, str):
        if not is_loopback(target):
            raise ConfigurationError(
                "target", f"is {NOT_LOOPBACK}: http://127.0.0.1:8000/hooks is one"
            )
        if shape != "function-url":
            raise ConfigurationError("shape", "is for handlers; a URL gets the request itself")
        limit = {} if wish.timeout is None else {"timeout": wish.timeout}
        return shown_url(target), lambda: UrlCarrier(hook, **limit)
    if callable(getattr(target, "invoke", None)):
        own = getattr(target, "timeout", None)
        usual = own + _START if isinstance(own, int | float) else _HANDLER_TIMEOUT
        timeout = usual if wish.timeout is None else wish.timeout
        name = str(getattr(target, "name", None) or type(target).__name__)
        return name, lambda: FunctionCarrier(target, shape=shape, path=path, timeout=timeout)
    if not callable(target) or inspect.iscoroutinefunction(target):
        raise ConfigurationError(
            "target", "must be handler(event, context), something with invoke(event), or a URL"
        )
    handler = cast("Callable[[Any, Any], object]", target)
    timeout = _HANDLER_TIMEOUT if wish.timeout is None else wish.timeout
    name = str(getattr(target, "__qualname__", type(target).__name__))
    return name, lambda: HandlerCarrier(handler, shape=shape, path=path, timeout=timeout)


def is_seconds(number: object) -> bool:
    """Tell whether a limit is one that can be waited for."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return False
    return 0 <= number <= LONGEST


def _are_names(events: object) -> bool:
    names = isinstance(events, Collection) and not isinstance(events, str)
    return names and all(isinstance(name, str) for name in cast("Collection[object]", events))


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
