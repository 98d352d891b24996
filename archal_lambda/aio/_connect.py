"""What an asynchronous client sends with on this host, and what proves there who calls.

This module owns that choice. It must not load the parts of another host: urllib3 costs a Worker more than all else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from archal_lambda.core.host import on_emscripten
from archal_lambda.core.response import MAX_RESPONSE_BYTES
from archal_lambda.credentials import Fixed

if TYPE_CHECKING:
    from collections.abc import Callable

    from archal_lambda.core.calls import AsyncCredentials, Credentials
    from archal_lambda.core.deadline import Deadline
    from archal_lambda.core.headers import Headers
    from archal_lambda.core.settings import Settings
    from archal_lambda.transports.base import AsyncTransport, Transport

    Choice = Callable[[Settings, Transport | None], Credentials]

__all__ = ["FixedCredentials", "connect"]


class FixedCredentials:
    """Headers that are at hand.

    Args:
        credentials: Their blocking counterpart, which does not block.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    async def headers(self, deadline: Deadline) -> Headers:
        """Return the headers.

        Args:
            deadline: Unused.

        Returns:
            The headers.
        """
        return self._credentials.headers(deadline)

    async def renew(self, refused: Headers, deadline: Deadline) -> bool:
        """Say that there is nothing newer.

        Args:
            refused: Unused.
            deadline: Unused.

        Returns:
            False.
        """
        return self._credentials.renew(refused, deadline)


def connect(
    settings: Settings,
    transport: AsyncTransport | None,
    choose: Choice,
    max_response_bytes: int = MAX_RESPONSE_BYTES,
) -> tuple[AsyncTransport, AsyncCredentials]:
    """Choose transport and credentials.

    Args:
        settings: The settings.
        transport: What sends; None makes what suits the host.
        choose: Which credentials, as in `credentials`.
        max_response_bytes: Largest answer accepted by a transport made here, in bytes after decoding.

    Returns:
        The transport and the credentials.

    Raises:
        ConfigurationError: If there are no credentials, or the host cannot do what the settings ask for.
    """
    if on_emscripten():
        return _fetching(settings, transport, choose, max_response_bytes)
    return _threaded(settings, transport, choose, max_response_bytes)


def _fetching(
    settings: Settings, transport: AsyncTransport | None, choose: Choice, max_response_bytes: int
) -> tuple[AsyncTransport, AsyncCredentials]:
    credentials = FixedCredentials(choose(settings, None))
    if transport is None:
        from archal_lambda.transports._fetch import FetchTransport  # noqa: PLC0415 - loads on this host only

        transport = FetchTransport(ca_file=settings.ca_file, max_response_bytes=max_response_bytes)
    return transport, credentials


def _threaded(
    settings: Settings, transport: AsyncTransport | None, choose: Choice, max_response_bytes: int
) -> tuple[AsyncTransport, AsyncCredentials]:
    from archal_lambda.transports._threads import (  # noqa: PLC0415 - does not load everywhere
        CredentialsAside,
        Threads,
        ThreadTransport,
    )
    from archal_lambda.transports._urllib3 import UrllibTransport  # noqa: PLC0415 - the same

    own = UrllibTransport(ca_file=settings.ca_file, max_response_bytes=max_response_bytes)
    threads = Threads()
    # A transport with a blocking side, as the mock has one, reads the secret as well.
    blocking = cast("Transport", transport) if hasattr(transport, "send") else own
    chosen = choose(settings, blocking)
    credentials: AsyncCredentials = (
        FixedCredentials(chosen) if isinstance(chosen, Fixed) else CredentialsAside(chosen, threads)
    )
    return transport or ThreadTransport(own, threads), credentials
