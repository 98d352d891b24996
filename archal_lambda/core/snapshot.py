"""SnapStart: what is done before Lambda takes a snapshot of a function, and after each restore.

This module owns the hooks of Lambda's runtime. Elsewhere there are none, and nothing is done. It must not know the
work.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

__all__ = ["at_restore", "at_snapshot"]


def at_snapshot(work: Callable[[], object]) -> None:
    """Do something before the snapshot. The snapshot is restored many times, so it may draw nothing random."""
    _register("register_before_snapshot", work)


def at_restore(work: Callable[[], object]) -> None:
    """Do something after each restore."""
    _register("register_after_restore", work)


def _register(moment: str, work: Callable[[], object]) -> None:
    if _hooks is not None:
        getattr(_hooks, moment)(work)


try:
    _hooks: Any = import_module("snapshot_restore_py")
except ImportError:  # Lambda's runtime has it from Python 3.12 on
    _hooks = None
