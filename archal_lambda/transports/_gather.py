"""Several things at once, on threads.

This module owns those threads; none outlives what it was started for. It must not know what they do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["gather"]

R = TypeVar("R")
T = TypeVar("T")


def gather(task: Callable[[T], R], items: Sequence[T], most: int) -> list[R]:
    """Do a task for each item, `most` at once, and return the results in order; what a task raises first is raised."""
    # Here, not above: most functions never come this way, and need not pay for it at every cold start.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    pool = ThreadPoolExecutor(min(most, len(items)), "archal-lambda-gather")
    try:
        return list(pool.map(task, items))
    finally:
        pool.shutdown(cancel_futures=True)
