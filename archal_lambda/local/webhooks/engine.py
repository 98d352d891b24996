"""The engine: queues of deliveries, each worked off on threads of its own.

This module owns order, limits of time, the guard against loops, and the end of it all. It must not know what is sent,
nor how: carriers do.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable

from archal_lambda.local.webhooks.attempt import Attempt
from archal_lambda.local.webhooks.limits import LOOP, MAX_DEPTH, MAX_STREAK, STOPPED
from archal_lambda.local.webhooks.outgoing import Job, Pairs, Result

__all__ = ["Engine"]

_END = 1.0  # seconds for what is under way when all ends
_SHOWN = 3

_logger = logging.getLogger("archal_lambda.local")


class _Lane:
    """Deliveries that keep their order; `shuffle` is set where they wait to be put into another."""

    def __init__(self) -> None:
        self.jobs: deque[Job] = deque()
        self.held: list[Job] = []
        self.shuffle: random.Random | None = None
        self.most = 1  # at once
        self.workers = 0


class Engine:
    """`record` is called with every attempt, on the thread that made it."""

    def __init__(self, record: Callable[[Job, Pairs, Result], None]) -> None:
        self._record = record
        self._changed = threading.Condition(threading.Lock())
        self._lanes: dict[str, _Lane] = {}
        self._under_way: set[Attempt] = set()
        self._workers: set[threading.Thread] = set()
        self._left: list[Attempt] = []
        self._busy = 0  # jobs queued or under way
        self._waiters = 0
        self._streak = 0
        self._loops: list[str] = []
        self._closed = False
        self.submitted = 0

    def set_up(self, lane: str, *, most: int, shuffle: int | None) -> None:
        """Say how a lane is worked off."""
        with self._changed:
            found = self._lanes.setdefault(lane, _Lane())
            found.most = most
            found.shuffle = None if shuffle is None else random.Random(shuffle)  # noqa: S311 - order, no secret

    def submit(self, jobs: Iterable[Job]) -> None:
        """Queue deliveries; one that closes a loop is recorded, and not sent."""
        for job in jobs:
            with self._changed:
                self.submitted += 1
                self._streak += 1
                if self._waiters and self._under_way:
                    job.depth = 1 + max(attempt.job.depth for attempt in self._under_way)
                refused = STOPPED if self._closed else None
                if job.depth > MAX_DEPTH or self._streak > MAX_STREAK:
                    refused = LOOP
                    self._loops.append(job.name)
                if refused is None:
                    self._queue(job)
            if refused is not None:
                self._finish(job, (), Result(error=refused))

    def drop(self, owner: tuple[str, str]) -> None:
        """Forget what is queued of one clone of one session."""
        self._drop(lambda job: job.owner == owner)

    def drop_lane(self, lane: str) -> None:
        """Forget what is queued for one target."""
        self._drop(lambda job: job.lane == lane)

    def release(self) -> bool:
        """Let go of what lanes hold, in the order that their seeds give; tell whether there was any."""
        with self._changed:
            found = False
            for lane in self._lanes.values():
                if lane.shuffle is None or not lane.held:
                    continue
                held, lane.held = lane.held, []
                lane.shuffle.shuffle(held)
                for job in held:
                    self._go(lane, job)
                found = True
            return found

    @contextlib.contextmanager
    def waited_for(self) -> Generator[None]:
        """Know inside that somebody waits, and so does nothing else to the clones."""
        with self._changed:
            self._waiters += 1
        try:
            yield
        finally:
            with self._changed:
                self._waiters -= 1

    def wait(self, until: float) -> bool:
        """Wait until nothing is queued or under way, at most until a moment of `time.monotonic`."""
        with self._changed:
            while self._busy and not self._closed:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return not self._busy
            return True

    def pending(self) -> str:
        """Name what is not done."""
        with self._changed:
            names = [f"{attempt.job.name} (under way)" for attempt in self._under_way]
            for lane in self._lanes.values():
                names += [f"{job.name} (queued)" for job in (*lane.jobs, *lane.held)]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return ", ".join(names[:_SHOWN]) + more

    def looped(self) -> str | None:
        """Name the first delivery that a loop was cut at since this was last asked, or since a reset."""
        with self._changed:
            found, self._loops = self._loops, []
        return found[0] if found else None

    def is_attempt(self) -> bool:
        """Tell whether this is the thread of a delivery."""
        with self._changed:
            here = threading.current_thread()
            return any(attempt.thread is here for attempt in self._under_way)

    def close(self) -> None:
        """End everything: what is queued is not sent, what is under way is let go of."""
        with self._changed:
            self._closed = True
            for lane in self._lanes.values():
                lane.jobs.clear()
                lane.held.clear()
            attempts, workers = list(self._under_way), list(self._workers)
            self._changed.notify_all()
        for attempt in attempts:
            attempt.stop()
        until = time.monotonic() + _END
        for thread in (*workers, *(attempt.thread for attempt in (*attempts, *self._left))):
            if thread is not threading.current_thread():
                thread.join(max(0.0, until - time.monotonic()))
        alive = [one for one in (*attempts, *self._left) if one.thread.is_alive()]
        for attempt in alive:
            _logger.warning("%s is left running: its handler does not return", attempt.job.name)

    def _queue(self, job: Job) -> None:
        lane = self._lanes.setdefault(job.lane, _Lane())
        if lane.shuffle is not None:
            lane.held.append(job)
        else:
            self._go(lane, job)

    def _go(self, lane: _Lane, job: Job) -> None:
        lane.jobs.append(job)
        self._busy += 1
        if lane.workers < lane.most:
            lane.workers += 1
            worker = threading.Thread(
                target=self._work, args=(lane,), name="archal-webhooks", daemon=True
            )
            self._workers.add(worker)
            worker.start()

    def _drop(self, wanted: Callable[[Job], bool]) -> None:
        dropped: list[Job] = []
        with self._changed:
            for lane in self._lanes.values():
                dropped += [job for job in (*lane.jobs, *lane.held) if wanted(job)]
                kept = deque(job for job in lane.jobs if not wanted(job))
                self._busy -= len(lane.jobs) - len(kept)
                lane.jobs = kept
                lane.held = [job for job in lane.held if not wanted(job)]
            self._loops = [] if not self._busy else self._loops
            self._changed.notify_all()
        for job in dropped:
            if job.done is not None:
                job.done(job, (), Result(error=STOPPED))

    def _work(self, lane: _Lane) -> None:
        while True:
            with self._changed:
                if self._closed or not lane.jobs:
                    lane.workers -= 1
                    self._workers.discard(threading.current_thread())
                    self._changed.notify_all()
                    return
                attempt = Attempt(lane.jobs.popleft())
                self._under_way.add(attempt)
            try:
                self._bring(attempt)
            except Exception:  # such as a thread that cannot be started
                _logger.exception("%s was not made", attempt.job.name)
            with self._changed:
                self._under_way.discard(attempt)
                self._busy -= 1
                if not self._busy:
                    self._streak = 0
                self._changed.notify_all()

    def _bring(self, attempt: Attempt) -> None:
        result = attempt.make()
        if attempt.thread.is_alive():
            with self._changed:
                self._left = [one for one in self._left if one.thread.is_alive()] + [attempt]
        self._finish(attempt.job, attempt.headers, result)

    def _finish(self, job: Job, headers: Pairs, result: Result) -> None:
        try:
            self._record(job, headers, result)
            if job.done is not None:
                job.done(job, headers, result)
        except Exception:
            _logger.exception("a delivery could not be recorded")
