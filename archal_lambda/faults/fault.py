"""What a fault played on demand says: which requests it is for, what happens to them, and how often.

This module owns the rule as a value and its validation. It must not play one: the stand-in does that on its own side of
the wire, and `testing.FaultTransport` on the caller's.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

import re
from typing import Any, Literal

import msgspec

from archal_lambda.errors import ConfigurationError

__all__ = ["Fault"]

_CLONE = re.compile(r"[a-z0-9][a-z0-9-]*")
_METHOD = re.compile(r"GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS")
_PATH = re.compile(r"/[^\s?#]*")
_LONGEST = 3600.0  # seconds; no test waits longer
_ROUTE = (401, 403)  # with which Archal refuses before the clone (docs, guides/direct-api-access)
_TEARDOWN = (500, 502, 503, 504)
_MATCH = ("clone", "method", "path")
_EFFECTS = ("status", "drip", "reset", "cut", "route", "teardown", "revoked")
_TOLD = ("status", "retry_after", "delay", *_EFFECTS[1:])
_COUNTS = ("times", "probability", "seed")


class Fault(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    omit_defaults=True,
    forbid_unknown_fields=True,
):
    """A rule: which requests fail, how, and how often. One effect, a delay, or both.

    `str()` gives what `archal-lambda local --fault` reads. In JSON the names are in camel case: `retryAfter`.

    Args:
        clone: Clone id; None or `"*"` for any.
        method: HTTP method in any case; None for any.
        path: Pattern of the path below the clone's base URL, without query: `*` is one segment or a part of one, `**`
            any number of segments. `/repos/*/*/issues` fits the issues of every repository. The MCP door is `/mcp`,
            and a call of a tool there is `/mcp/TOOL` as well. None for any path.
        status: Effect: the service fails with this status, 400 to 599, in its own shape. The clone is not asked.
        retry_after: Whole seconds of `Retry-After`, together with `status`.
        delay: Seconds, at most 3,600, before the response; the clone acts at once. Alone or together with an effect.
        drip: Effect: the clone acts, and its response comes byte by byte, so many seconds apart.
        reset: Effect: the connection is reset, `"before"` the clone is asked (or True), or `"after"` it acted.
        cut: Effect: the clone acts, and the connection ends behind so many bytes of the body. A body that is not longer
            comes whole.
        route: Effect: Archal refuses with 401 or 403 in its own envelope, before the clone.
        teardown: Effect: the DELETE of a session fails with 500, 502, 503 or 504, and the session lives on. It takes
            neither clone nor method nor path.
        revoked: Effect: the service says that the token is revoked, in its own shape. The clone is not asked.
        times: How many requests it is played for, 1 or more; None for all.
        probability: How likely each is hit, above 0 and at most 1; None for always. Which ones are hit follows from
            `seed` and their order alone.
        seed: Seed of that; None counts as 0, so that a run can be repeated.

    Raises:
        ConfigurationError: If an argument is out of range, or does not go with another; it names the argument.

    Example:
        >>> str(Fault(clone="github", method="post", path="/repos/*/*/issues", status=503, times=2))
        'github POST /repos/*/*/issues status=503 times=2'
    """

    __module__ = "archal_lambda.testing"

    clone: str | None = None
    method: str | None = None
    path: str | None = None
    status: int | None = None
    retry_after: int | None = None
    delay: float | None = None
    drip: float | None = None
    reset: Literal["before", "after"] | bool = False
    cut: int | None = None
    route: int | None = None
    teardown: int | None = None
    revoked: bool = False
    times: int | None = None
    probability: float | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.clone == "*":
            msgspec.structs.force_setattr(self, "clone", None)
        if isinstance(self.method, str):
            msgspec.structs.force_setattr(self, "method", self.method.upper())
        if self.reset is True:
            msgspec.structs.force_setattr(self, "reset", "before")
        _check_values(self)
        _check_company(self)

    @property
    def effect(self) -> str:
        """What happens, as `status=503 retry_after=1`."""
        return _spelled(self, _TOLD)

    def __str__(self) -> str:
        words = [self.clone or "*", self.method or "", self.path or ""]
        return " ".join(word for word in (*words, self.effect, _spelled(self, _COUNTS)) if word)


def _given(fault: Fault, name: str) -> bool:
    value = getattr(fault, name)
    return value is not None and value is not False


def _spelled(fault: Fault, names: tuple[str, ...]) -> str:
    given = [(name, getattr(fault, name)) for name in names if _given(fault, name)]
    return " ".join(name if value is True else f"{name}={value}" for name, value in given)


def _check_values(fault: Fault) -> None:
    _check_text(fault, "clone", _CLONE, "must be a clone's id, or * for any")
    _check_text(fault, "method", _METHOD, "must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS")
    _check_text(
        fault,
        "path",
        _PATH,
        "must begin with / and have no space or query, such as /repos/*/*/issues",
    )
    _check_int(fault, "status", range(400, 600), "must be a status from 400 to 599")
    _check_int(fault, "retry_after", range(86_401), "must be whole seconds from 0 to 86400")
    _check_int(fault, "cut", range(1 << 31), "must be a number of bytes from 0 up")
    _check_int(fault, "route", _ROUTE, "must be 401 or 403, with which Archal's route refuses")
    _check_int(fault, "teardown", _TEARDOWN, "must be 500, 502, 503 or 504")
    _check_int(fault, "times", range(1, 1 << 31), "must be a number of requests from 1 up")
    _check_int(fault, "seed", range(-(1 << 63), 1 << 63), "must be an integer of 64 bits")
    _check_float(fault, "delay", _LONGEST, "must be seconds above 0, at most 3600")
    _check_float(fault, "drip", _LONGEST, "must be seconds between two bytes above 0, at most 3600")
    _check_float(fault, "probability", 1.0, "must be above 0 and at most 1")
    reset: Any = fault.reset
    if reset is not False and reset not in ("before", "after"):
        raise ConfigurationError("reset", "must be before, after, True or False")
    if not isinstance(fault.revoked, bool):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise ConfigurationError("revoked", "must be True or False")


def _check_text(fault: Fault, name: str, pattern: "re.Pattern[str]", rule: str) -> None:
    value: Any = getattr(fault, name)
    if value is not None and not (isinstance(value, str) and pattern.fullmatch(value)):
        raise ConfigurationError(name, rule)


def _check_int(fault: Fault, name: str, allowed: "range | tuple[int, ...]", rule: str) -> None:
    value: Any = getattr(fault, name)
    if value is not None and (type(value) is not int or value not in allowed):
        raise ConfigurationError(name, rule)


def _check_float(fault: Fault, name: str, most: float, rule: str) -> None:
    value: Any = getattr(fault, name)
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 < value <= most):  # which NaN is not, either
        raise ConfigurationError(name, rule)


def _check_company(fault: Fault) -> None:
    effects = [name for name in _EFFECTS if _given(fault, name)]
    if not effects and fault.delay is None:
        raise ConfigurationError("fault", f"needs an effect: {', '.join(_EFFECTS)} or delay")
    if len(effects) > 1:
        raise ConfigurationError(
            effects[1], f"is a second effect beside {effects[0]}; a fault has one, and delay"
        )
    if fault.retry_after is not None and fault.status is None:
        raise ConfigurationError("retry_after", "goes with status only")
    if fault.seed is not None and fault.probability is None:
        raise ConfigurationError("seed", "goes with probability only")
    for name in _MATCH:
        if fault.teardown is not None and getattr(fault, name) is not None:
            raise ConfigurationError(name, "does not go with teardown, which is for whole sessions")
