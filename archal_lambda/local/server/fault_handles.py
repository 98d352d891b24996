"""The handles of the faults: in Python, and over HTTP below `/_archal/faults`.

This module owns what callers hold of a fault. It must not play one.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

import msgspec

from archal_lambda.errors import ConfigurationError
from archal_lambda.faults.fault import Fault
from archal_lambda.faults.rules import FaultRule, FaultRules
from archal_lambda.local.server.admin import body_of
from archal_lambda.local.server.app import ApiError

if TYPE_CHECKING:
    from starlette.requests import Request

    from archal_lambda.local.server.admin import Handle

__all__ = ["FaultHandle", "FaultMaker", "FaultOptions", "fault_handles"]


class FaultOptions(TypedDict, total=False):
    """The fields of `Fault` but for the clone."""

    method: str | None
    path: str | None
    status: int | None
    retry_after: int | None
    delay: float | None
    drip: float | None
    reset: Literal["before", "after"] | bool
    cut: int | None
    route: int | None
    teardown: int | None
    revoked: bool
    times: int | None
    probability: float | None
    seed: int | None


class FaultHandle:
    """A fault that `LocalArchal.fault` put in force; a context manager that removes it at the end.

    Attributes:
        id: What it goes by under `/_archal/faults`.
        fault: The rule.
    """

    __module__ = "archal_lambda.local"

    def __init__(self, rules: FaultRules, rule: FaultRule) -> None:
        self._rules = rules
        self._rule = rule
        self.id = rule.id
        self.fault = rule.fault

    @property
    def hits(self) -> int:
        """How many requests it was played for so far."""
        return self._rule.hits

    def remove(self) -> None:
        """Let it be over, unless it is; requests that it is being played for are not changed any more."""
        self._rules.remove(self.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<FaultHandle {self.id}: {self.fault}, hits: {self.hits}>"


class FaultMaker:
    """What `LocalArchal` has of faults; `known` are the clones there may be."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)
        self._faults = FaultRules(threading.Lock())

    def fault(self, clone: str | Fault | None = None, **rule: Unpack[FaultOptions]) -> FaultHandle:
        """Play a fault from now on, started or not, until it is removed or was played `times`.

        It is played behind Archal's own checks of token, session and clone. Of several that fit a request, the first
        that was made is played.

        Args:
            clone: Clone id; None or `"*"` for any. A ready `archal_lambda.testing.Fault` stands for all arguments.
            **rule: The fields of `archal_lambda.testing.Fault`: `method`, `path`, an effect such as `status`, `times`.

        Returns:
            A handle; as a context manager, it removes the fault at the end.

        Raises:
            ConfigurationError: If an argument is out of range, names an unknown clone, or does not go with another.

        Example:
            >>> from archal_lambda.local import LocalArchal
            >>> with LocalArchal() as archal:
            ...     fault = archal.fault("github", path="/repos/**", status=503, times=2, retry_after=1)
            ...     (fault.id, fault.hits)
            ('f1', 0)
        """
        return FaultHandle(self._faults, self._faults.add(_fault_of(clone, rule, self._known)))

    def faults_clear(self) -> None:
        """Remove every fault."""
        self._faults.clear()


def _fault_of(clone: str | Fault | None, rule: FaultOptions, known: Iterable[str]) -> Fault:
    """Make the fault of the arguments of `LocalArchal.fault`."""
    if isinstance(clone, Fault):
        if rule:
            raise ConfigurationError(
                next(iter(rule)), "is to be a field of the Fault that is given"
            )
        fault = clone
    else:
        fault = Fault(clone=clone, **rule)
    names = sorted(known)
    if fault.clone is not None and fault.clone not in names:
        raise ConfigurationError(
            "clone", f"is the unknown {fault.clone[:60]!r}; available here: {', '.join(names)}"
        )
    return fault


def fault_handles(rules: FaultRules, known: Iterable[str]) -> list[tuple[str, Handle]]:
    """Give the handles over HTTP."""

    async def listed(_request: Request) -> object:
        return {"faults": [_described(rule) for rule in rules.listed()]}

    async def make(request: Request) -> object:
        try:
            fault = _fault_of(await body_of(request, Fault), {}, known)
        except ConfigurationError as error:
            raise ApiError(400, "invalid_request", str(error)) from None
        return {"id": rules.add(fault).id}

    async def clear(_request: Request) -> object:
        rules.clear()
        return None

    async def remove(request: Request) -> object:
        if not rules.remove(request.path_params["id"]):
            raise ApiError(404, "fault_not_found", "there is no such fault")
        return None

    return [
        ("GET /_archal/faults", listed),
        ("POST /_archal/faults", make),
        ("DELETE /_archal/faults", clear),
        ("DELETE /_archal/faults/{id}", remove),
    ]


def _described(rule: FaultRule) -> dict[str, Any]:
    return {"id": rule.id, **msgspec.to_builtins(rule.fault), "hits": rule.hits}
