"""Work that a cancellation must not leave half done, such as stopping a session, which is billed while it runs.

This module owns when a cancellation is obeyed. It must not know what the work is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

__all__ = ["to_the_end"]

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Await something that must not be left half done: a cancellation is obeyed when it is over.

    Args:
        work: What to await; it takes no longer than the limits of its calls.

    Returns:
        Its result.

    Raises:
        CancelledError: If this was cancelled meanwhile; the work is over all the same.
        Exception: What the work raises, otherwise.
    """
    task = asyncio.create_task(work)
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        task.exception()  # seen, so that asyncio does not complain of an error nobody saw
        raise interrupted
    return task.result()
