"""Tests against a local Archal: one for the run, in this process.

This module owns its reset between tests. Under xdist each worker is a process with one of its own, so that what a test
does is seen by no other; it is gone with the process.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal
from archal_lambda.local.server.keeper import GoneError
from archal_lambda.testing.pytest_plugin.calls import by_requests
from archal_lambda.testing.pytest_plugin.choice import Choice, choice_of
from archal_lambda.testing.pytest_plugin.world import World

__all__ = ["LocalRun"]


class LocalRun:
    """The run's `LocalArchal`, started by the first test that uses it."""

    def __init__(self, config: pytest.Config, choice: Choice) -> None:
        self._choice = choice
        self._archal: LocalArchal | None = None
        # Made for its checks, before any test; it listens nowhere.
        LocalArchal(clones=choice.clones, seeds=choice.seeds)
        config.add_cleanup(self._stop)

    @contextmanager
    def world(self, item: pytest.Item, options: Mapping[str, Any]) -> Generator[World]:
        """Give a test the run's, as its seeds have it, or one of its own."""
        choice = choice_of(item, self._choice)
        archal = self._own(item, choice, options) if choice.own else self._shared(item, options)
        try:
            yield World(archal, lambda: by_requests(archal.requests))
        finally:
            if choice.own:
                archal.stop()

    def _own(self, item: pytest.Item, choice: Choice, options: Mapping[str, Any]) -> LocalArchal:
        wanted: dict[str, Any] = {"clones": choice.clones, "seeds": choice.seeds, **options}
        try:
            return LocalArchal(**wanted).start()
        except (ConfigurationError, TypeError) as error:
            pytest.fail(f"{item.nodeid}: no local Archal: {error}", pytrace=False)

    def _shared(self, item: pytest.Item, options: Mapping[str, Any]) -> LocalArchal:
        if self._archal is not None:
            try:
                return _as_new(self._archal)
            except GoneError:  # a test has ended its session, or broken a clone
                self._stop()
            except Exception as error:  # noqa: BLE001 - a clone may be anybody's
                pytest.fail(
                    f"{item.nodeid}: the local Archal cannot be reset: {error}; @pytest.mark.archal(fresh=True) gives "
                    "the test one of its own",
                    pytrace=False,
                )
        self._archal = self._own(item, self._choice, options)
        return self._archal

    def _stop(self) -> None:
        archal, self._archal = self._archal, None
        if archal is not None:
            archal.stop()


def _as_new(archal: LocalArchal) -> LocalArchal:
    archal.start()  # unless it runs, which a test may have ended
    archal.faults_clear()
    archal.webhooks.clear()
    archal.reset()
    archal.requests_clear()
    return archal
