"""The blocking transport of Pyodide and Cloudflare Python Workers: `fetch`, waited for.

This module owns the waiting: Python is suspended until a promise of JavaScript is kept (WebAssembly JSPI), and other
tasks go on meanwhile. It loads on those hosts only, and must not load urllib3.

urllib3 runs there, too, but cannot keep what is promised here: its time starts anew with the body and with every piece
of it, of repeated headers the last one wins, and outside Node the host follows redirects, route headers and all.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pyodide.ffi import can_run_sync, run_sync

from archal_lambda.core.flow import Flow
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import ArchalError, ConfigurationError
from archal_lambda.transports._fetch import FetchTransport
from archal_lambda.transports.base import Driver

__all__ = ["JspiTransport", "gather", "sleep"]


class JspiTransport:
    """Sends requests with `fetch` and waits for the response."""

    def __init__(
        self, *, ca_file: str | None = None, max_response_bytes: int = MAX_RESPONSE_BYTES
    ) -> None:
        self._fetch = FetchTransport(ca_file=ca_file, max_response_bytes=max_response_bytes)

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request and read the whole response; a `ConfigurationError` if Python cannot wait here."""
        _require_waiting()
        return run_sync(self._fetch.asend(request, deadline, timeout))

    def close(self) -> None:
        """Do nothing: connections are the host's."""


def sleep(seconds: float) -> None:
    """Wait, and let other tasks go on; `time.sleep` would hold them all."""
    _require_waiting()
    run_sync(asyncio.sleep(seconds))


def gather(
    driver: Driver, flows: Sequence[Flow[Response]], most: int
) -> list[Response | ArchalError]:
    """Carry flows out, `most` at once, and return for each, in order, its response or its error."""
    _require_waiting()
    return run_sync(_all_done(driver, flows, most))


async def _all_done(
    driver: Driver, flows: Sequence[Flow[Response]], most: int
) -> list[Response | ArchalError]:
    slots = asyncio.Semaphore(most)

    async def one(flow: Flow[Response]) -> Response | ArchalError:
        async with slots:
            try:
                return driver.run(flow)  # suspends this task alone
            except ArchalError as error:
                return error

    tasks = [asyncio.ensure_future(one(flow)) for flow in flows]
    await asyncio.wait(tasks)
    return [task.result() for task in tasks]


def _require_waiting() -> None:
    if not can_run_sync():
        raise ConfigurationError(
            "transport",
            "cannot wait here: it takes WebAssembly JSPI, and code that was started as a coroutine (runPythonAsync); "
            "use AsyncClones or AsyncArchalClient",
        )
