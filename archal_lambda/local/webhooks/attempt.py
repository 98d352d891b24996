"""One attempt at a delivery, on a thread of its own.

This module owns how long it may take, and what came of it. It must not know queues.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from typing import TYPE_CHECKING

from archal_lambda.local.webhooks.limits import STOPPED
from archal_lambda.local.webhooks.outgoing import Result
from archal_lambda.local.webhooks.services import dressed

if TYPE_CHECKING:
    from archal_lambda.local.webhooks.outgoing import Carrier, Job, Pairs

__all__ = ["Attempt"]


class Attempt:
    """Brings a job to its target, in time or not."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self._carrier: Carrier = job.make_carrier()
        self.headers: Pairs = ()
        self._done = threading.Event()
        self._result: Result | None = None
        self.thread = threading.Thread(target=self._run, name="archal-webhook", daemon=True)

    def make(self) -> Result:
        """Make it, and tell what came of it; the thread is left alone if it takes too long."""
        began = time.monotonic()
        self.thread.start()
        in_time = self._done.wait(self._carrier.timeout)
        result = self._result
        if result is None:
            self._carrier.abandon()
            result = Result(error=STOPPED if in_time else "TimeoutError")
        else:
            self.thread.join()
        return dataclasses.replace(result, seconds=time.monotonic() - began)

    def stop(self) -> None:
        """Give it up."""
        self._done.set()
        self._carrier.abandon()

    def _run(self) -> None:
        try:
            job = self.job
            self.headers, body = dressed(job.message, job.hook, job.id, time.time())
            self._result = self._carrier.carry(self.headers, body)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is this delivery's
            self._result = Result(error=type(error).__name__)
        finally:
            self._done.set()
