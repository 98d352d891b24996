"""Several things at once, on threads.

This module owns those threads; none outlives what it was started for. It must not know what they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["side_by_side"]

R = TypeVar("R")
T = TypeVar("T")


def side_by_side(task: Callable[[T], R], items: Sequence[T], most: int) -> list[R]:
    """Do a task for each item, several at once.

    Args:
        task: What to do.
        items: What to do it for; one at least.
        most: How many at once at most.

    Returns:
        What the task returns for each item, in order.

    Raises:
        Exception: What the task raises first; nothing is left running.
    """
    # Here, not above: most functions never come this way, and need not pay for it at every cold start.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    pool = ThreadPoolExecutor(min(most, len(items)), "archal-lambda-gather")
    try:
        return list(pool.map(task, items))
    finally:
        pool.shutdown(cancel_futures=True)
