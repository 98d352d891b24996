"""What an asynchronous client sends and waits with on this host.

This module owns that choice. It must not load the parts of another host, nor anything before a client is made: urllib3
costs a Worker more than all else.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import cast

from archal_lambda.core.auth import Credentials, MakeExtension
from archal_lambda.core.headers import Headers
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import Deadline
from archal_lambda.transports.base import AsyncDriver, AsyncTransport, Transport

__all__ = ["async_driver"]

_Choice = Callable[[Settings, MakeExtension | None], Credentials]
_Sleep = Callable[[float], Awaitable[None]]


def async_driver(
    settings: Settings,
    choose: _Choice,
    *,
    transport: AsyncTransport | None,
    max_response_bytes: int,
    sleep: _Sleep = asyncio.sleep,
) -> AsyncDriver:
    """Make what carries a client's flows out; `choose` picks its credentials, a transport of None is made here."""
    make = _fetching if "emscripten" in sys.platform else _on_loop
    return make(settings, choose, transport, max_response_bytes, sleep)


def _fetching(
    settings: Settings,
    choose: _Choice,
    transport: AsyncTransport | None,
    max_response_bytes: int,
    sleep: _Sleep,
) -> AsyncDriver:
    credentials = choose(settings, None)
    if transport is None:
        from archal_lambda.transports._fetch import FetchTransport  # noqa: PLC0415 - loads on this host only

        transport = FetchTransport(ca_file=settings.ca_file, max_response_bytes=max_response_bytes)
    return AsyncDriver(transport, _at_hand(credentials), sleep, known=credentials.known)


def _on_loop(
    settings: Settings,
    choose: _Choice,
    transport: AsyncTransport | None,
    max_response_bytes: int,
    sleep: _Sleep,
) -> AsyncDriver:
    from archal_lambda.transports._asyncio import (  # noqa: PLC0415 - does not load everywhere
        LoopTransport,
        Threads,
    )
    from archal_lambda.transports._platform import extension  # noqa: PLC0415 - the same
    from archal_lambda.transports._urllib3 import UrllibTransport  # noqa: PLC0415 - the same

    own = UrllibTransport(ca_file=settings.ca_file, max_response_bytes=max_response_bytes)
    threads = Threads()
    # A transport with a blocking side, as the mock has one, reads the secret as well.
    blocking = cast("Transport", transport) if hasattr(transport, "send") else own
    credentials = choose(settings, extension(blocking))
    known = credentials.known
    authorize = threads.authorize(credentials) if known is None else _at_hand(credentials)
    return AsyncDriver(transport or LoopTransport(own, threads), authorize, sleep, known=known)


def _at_hand(
    credentials: Credentials,
) -> Callable[[Deadline, Headers | None], Awaitable[Headers]]:
    async def authorize(deadline: Deadline, refused: Headers | None) -> Headers:
        return credentials.headers(deadline, refused)

    return authorize
