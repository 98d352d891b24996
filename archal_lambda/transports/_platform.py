"""What a synchronous client sends, waits and does several things at once with on this host.

This module owns that choice. It must not load the parts of another host: urllib3 costs a Worker more than all else.
What it chooses is loaded with it, because a function is initialised with more of the processor than it runs with.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from archal_lambda.core.auth import (
    Credentials,
    ExtensionCredentials,
    MakeExtension,
)
from archal_lambda.core.environment import TokenSecret
from archal_lambda.core.settings import Settings
from archal_lambda.transports._locks import SharedLock
from archal_lambda.transports.base import Driver, Transport

# Pyodide has neither threads nor sockets. Not ==, which type checkers take for a reason to look away.
if TYPE_CHECKING or "emscripten" not in sys.platform:
    from time import sleep

    # First, for the urllib3 below it. CPython's stack is in pieces of 16 kB, and at the end of one each call maps the
    # next and each return unmaps it: with three more modules above them, urllib3's regular expressions were compiled
    # just there, which took a tenth of the import.
    from archal_lambda.transports import _tls  # noqa: F401 - as above  # pyright: ignore[reportUnusedImport] - the same
    from archal_lambda.transports._gather import gather
    from archal_lambda.transports._urllib3 import UrllibTransport as BlockingTransport
else:
    from archal_lambda.transports._jspi import JspiTransport as BlockingTransport
    from archal_lambda.transports._jspi import gather, sleep

__all__ = ["driver", "extension", "gather", "sleep"]


def driver(
    settings: Settings,
    choose: Callable[[Settings, MakeExtension | None], Credentials],
    *,
    transport: Transport | None,
    max_response_bytes: int,
    sleep: Callable[[float], None] = sleep,
) -> Driver:
    """Make what carries a client's flows out; `choose` picks its credentials, a transport of None is made here."""
    sends = transport or BlockingTransport(
        ca_file=settings.ca_file, max_response_bytes=max_response_bytes
    )
    credentials = choose(settings, extension(sends))
    return Driver(sends, credentials.headers, sleep, known=credentials.known)


def extension(transport: Transport) -> MakeExtension:
    """Make what makes credentials of a secret that is read with this transport."""

    def make(header: str, secret: TokenSecret) -> ExtensionCredentials:
        lock = SharedLock()
        return ExtensionCredentials(header, secret, transport.send, lock=lock, wall_clock=time.time)

    return make
