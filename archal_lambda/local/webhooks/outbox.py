"""What a clone has of all this: one place to tell what happened.

This module owns the way from a clone's loop to the engine and back. It must not know what is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from archal_lambda.local.webhooks.carriers import UrlCarrier
from archal_lambda.local.webhooks.loopback import shown_url
from archal_lambda.local.webhooks.outgoing import Job
from archal_lambda.local.webhooks.services import delivery_id

if TYPE_CHECKING:
    from archal_lambda.local.webhooks.engine import Engine
    from archal_lambda.local.webhooks.outgoing import Hook, Message, Pairs, Result

__all__ = ["Broadcast", "Done", "Outbox"]

Done = Callable[["Job", "Pairs", "Result"], None]


class Broadcast(Protocol):
    """Tells those who want to know of everything."""

    def tell(self, owner: tuple[str, str], message: Message) -> None:
        """Deliver a message to everybody whom it is for."""
        ...

    def is_wanted(self, owner: tuple[str, str]) -> bool:
        """Tell whether there is anybody."""
        ...


class Outbox:
    """Takes what one clone of one session tells; used on the server's loop alone."""

    def __init__(self, engine: Engine, broadcast: Broadcast, owner: tuple[str, str]) -> None:
        self._engine = engine
        self._broadcast = broadcast
        self._owner = owner

    @property
    def is_watched(self) -> bool:
        """Whether anybody wants to know of everything."""
        return self._broadcast.is_wanted(self._owner)

    def tell(self, message: Message) -> None:
        """Tell those who want to know of everything."""
        self._broadcast.tell(self._owner, message)

    def send(
        self, message: Message, hook: Hook, done: Done, *, delivery: str = "", attempt: int = 1
    ) -> None:
        """Send to one of the clone's own hooks; `done` is called on this loop."""
        loop = asyncio.get_running_loop()

        def finished(job: Job, headers: Pairs, result: Result) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(done, job, headers, result)

        job = Job(
            message=message,
            owner=self._owner,
            hook=hook,
            target=shown_url(hook.url),
            lane=f"{self._owner[0]}/{self._owner[1]}/{hook.id}/{hook.url}",
            make_carrier=lambda: UrlCarrier(hook),
            id=delivery or delivery_id(message, str(uuid.uuid4())),
            attempt=attempt,
            done=finished,
        )
        self._engine.submit([job])
