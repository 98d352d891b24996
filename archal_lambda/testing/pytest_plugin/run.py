"""The beginning of a run: which of the two kinds it is, and whether it can be.

This module owns the errors of usage, and the environment that a test gets. How a world comes and goes is for
`local_run` and `hosted_run` to say.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from archal_lambda.core.environment import is_setting
from archal_lambda.core.settings import process_environ
from archal_lambda.errors import ConfigurationError
from archal_lambda.testing.pytest_plugin.choice import chosen
from archal_lambda.testing.pytest_plugin.hosted import Environ
from archal_lambda.testing.pytest_plugin.world import Run

__all__ = ["environ", "start"]

_OPTIONS = {
    "clones": "--archal-clone (archal_clones)",
    "seeds": "--archal-seed (archal_seeds)",
}


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
