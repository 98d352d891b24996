"""What the tests of a run go against, and what is common to both kinds of it.

This module owns choosing between them, and the environment that a test gets. How a world comes and goes is for
`local_run` and `hosted_run` to say.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from archal_lambda.core.environment import is_setting
from archal_lambda.core.records import CallHook
from archal_lambda.core.settings import process_environ
from archal_lambda.errors import ConfigurationError
from archal_lambda.testing.pytest_plugin.choice import chosen
from archal_lambda.testing.pytest_plugin.hosted import Environ

__all__ = ["Run", "World", "environ", "start"]

_OPTIONS = {
    "clones": "--archal-clone (archal_clones)",
    "seeds": "--archal-seed (archal_seeds)",
}


@dataclasses.dataclass(frozen=True)
class World:
    """What one test runs against."""

    archal: Any  # a LocalArchal, or a HostedArchal under the same names
    calls: Callable[[], list[str]]  # the lines of its calls, for the report
    on_call: CallHook | None = None  # for the clients of `archal_clones`


class Run(Protocol):
    """One of the two kinds."""

    def world(self, item: pytest.Item, options: Mapping[str, Any]) -> AbstractContextManager[World]:
        """Give a test what it runs against, for as long as it runs."""
        ...


def start(config: pytest.Config) -> Run:
    """Begin what the options ask for.

    Raises:
        pytest.UsageError: If one is wrong; it is named.
    """
    choice = chosen(config)
    try:
        if config.getoption("archal") == "hosted":
            from archal_lambda.testing.pytest_plugin.hosted_run import HostedRun  # noqa: PLC0415 - one of the two is used

            return HostedRun(config, choice)
        from archal_lambda.testing.pytest_plugin.local_run import LocalRun  # noqa: PLC0415 - the same

        return LocalRun(config, choice)
    except ConfigurationError as error:
        option = _OPTIONS.get(error.variable, f"--archal hosted: {error.variable}")
        raise pytest.UsageError(f"{option}: {error.reason}") from None
    except ImportError as error:
        raise pytest.UsageError(f"--archal: {error}") from None


def environ(variables: Mapping[str, str]) -> Environ:
    """Add to a session's variables those of other sessions that are set, empty: they are to go."""
    others = {name: "" for name in process_environ({}) if is_setting(name)}
    return Environ({**others, **variables})
