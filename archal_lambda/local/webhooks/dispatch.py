"""Targets, records and the engine of one local Archal, put together.

This module owns what lives longer than one run of the server. It must not know what a clone is.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import threading
import time
import uuid
from collections import deque
from typing import TYPE_CHECKING

from archal_lambda.core.secrets import Secret
from archal_lambda.errors import ConfigurationError
from archal_lambda.local.webhooks.delivery import Delivery, delivery_of
from archal_lambda.local.webhooks.engine import Engine
from archal_lambda.local.webhooks.limits import MAX_DEPTH
from archal_lambda.local.webhooks.outbox import Outbox
from archal_lambda.local.webhooks.outgoing import Job
from archal_lambda.local.webhooks.services import delivery_id
from archal_lambda.local.webhooks.targets import LONGEST, is_seconds, make_target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from archal_lambda.local.webhooks.outgoing import Message, Pairs, Result
    from archal_lambda.local.webhooks.targets import Target, Wish

__all__ = ["Dispatch"]

_KEPT = 2000  # records, the last ones, each with its payload
_POLL = 0.005  # seconds between looks at what emulate is still at


class Dispatch:
    """What is behind `archal.webhooks`; `clones` are those of the ready session."""

    def __init__(self, clones: Iterable[str]) -> None:
        self._clones = tuple(clones)
        self.secret = Secret("whsec_" + secrets.token_hex(24))
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._targets: dict[int, Target] = {}
        self._kept: deque[tuple[Delivery, Job]] = deque(maxlen=_KEPT)
        self.done = 0
        self._engine: Engine | None = None
        self._ready = ""
        self._settle: Callable[[], int] = lambda: 0

    def start(self) -> None:
        """Be ready for what clones tell."""
        engine = Engine(self._record)
        with self._lock:
            for target in self._targets.values():
                engine.set_up(target.lane, most=target.most, shuffle=target.shuffle)
            self._engine = engine

    def begin(self, ready: str, settle: Callable[[], int]) -> None:
        """Serve the clones of a session; `settle` makes known what they have told, and counts what is still to come."""
        self._ready, self._settle = ready, settle

    def close(self) -> None:
        """End all that is under way."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def outbox(self, session: str, clone: str) -> Outbox:
        """Give a clone its way to tell."""
        return Outbox(self._running(), self, (session, clone))

    def drop(self, session: str, clone: str) -> None:
        """Forget what a clone has told and is not under way yet."""
        engine = self._engine
        if engine is not None:
            engine.drop((session, clone))

    def add(self, target: object, secret: Secret | None, wish: Wish) -> Target:
        """Make a target, and tell it of everything from now on."""
        number = next(self._numbers)
        made = make_target(number, target, secret or self.secret, wish, self._clones)
        with self._lock:
            self._targets[number] = made
            if self._engine is not None:
                self._engine.set_up(made.lane, most=made.most, shuffle=made.shuffle)
        return made

    def remove(self, number: int) -> bool:
        """Tell a target no more; say whether there was one."""
        with self._lock:
            target = self._targets.pop(number, None)
        engine = self._engine
        if target is not None and engine is not None:
            engine.drop_lane(target.lane)
        return target is not None

    def clear(self) -> None:
        """Remove every target, and forget the records."""
        for target in self.targets():
            self.remove(target.number)
        with self._lock:
            self._kept.clear()

    def targets(self) -> list[Target]:
        """List who is told."""
        with self._lock:
            return list(self._targets.values())

    def is_wanted(self, owner: tuple[str, str]) -> bool:
        """See `Broadcast`."""
        return bool(self._targets) and owner[0] == self._ready

    def tell(self, owner: tuple[str, str], message: Message) -> None:
        """See `Broadcast`."""
        if owner[0] != self._ready:
            return
        for target in self.targets():
            if target.wants(owner[1], message):
                job = Job(
                    message=message,
                    owner=owner,
                    hook=target.hook,
                    target=target.name,
                    lane=target.lane,
                    make_carrier=target.make_carrier,
                    id=delivery_id(message, str(uuid.uuid4())),
                )
                again = (dataclasses.replace(job) for _ in range(target.duplicates))
                self._running().submit([job, *again])

    def kept(self) -> tuple[Delivery, ...]:
        """List the records."""
        with self._lock:
            return tuple(delivery for delivery, _ in self._kept)

    def redeliver(self, number: int) -> None:
        """Make a delivery once more."""
        with self._lock:
            found = [job for kept, job in self._kept if kept.number == number]
        if not found:
            raise ConfigurationError(
                "delivery", f"must be one of the last {_KEPT:,} that were made"
            )
        lanes = {target.lane for target in self.targets()}
        if (
            found[0].done is None and found[0].lane not in lanes
        ):  # a clone's own hooks have a `done`
            raise ConfigurationError("delivery", "is one to a target that was removed")
        again = dataclasses.replace(found[0], attempt=found[0].attempt + 1, depth=0)
        self._running().submit([again])

    def wait(self, timeout: float) -> None:
        """Wait until nothing is queued or under way, and nothing of it causes more."""
        engine = self._engine
        if engine is None:
            return
        if engine.is_attempt():
            raise RuntimeError("a webhook's handler cannot wait for itself")
        if not is_seconds(timeout):
            raise ConfigurationError("timeout", f"must be seconds from 0 up, at most {LONGEST:g}")
        until = time.monotonic() + timeout
        self._settle()  # which refuses the server's own thread before it waits for anything
        with engine.waited_for():
            while True:
                seen = engine.submitted
                if not engine.wait(until):
                    raise _late(timeout, engine.pending())
                left = self._settle()  # what was caused before is known when it returns
                if not left and engine.submitted == seen and not engine.release():
                    break
                if time.monotonic() > until:
                    raise _late(timeout, engine.pending() or f"{left} that emulate sends")
                if left:
                    time.sleep(_POLL)
        looped = engine.looped()
        if looped is not None:
            raise RuntimeError(
                f"the webhooks go in a circle: {looped} was not sent, because more than {MAX_DEPTH} deliveries each "
                "caused the next"
            )

    def _running(self) -> Engine:
        engine = self._engine
        if engine is None:
            raise RuntimeError("the local Archal does not run: use it as a context manager")
        return engine

    def _record(self, job: Job, headers: Pairs, result: Result) -> None:
        with self._lock:
            self.done += 1
            self._kept.append((delivery_of(self.done, job, headers, result), job))


def _late(timeout: float, what: str) -> TimeoutError:
    return TimeoutError(f"deliveries are not done after {timeout:g} seconds: {what}")
