"""What one test runs against.

This module owns what both kinds of it, local and hosted, have in common. It must not know either.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import pytest

from archal_lambda.core.records import CallHook

__all__ = ["Run", "World"]


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
