"""The transport that another one is put around.

This module owns which kind of client it serves, and the one that is made where none is given. It must not look at what
is sent.
"""

from __future__ import annotations

from typing import cast

from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES, Response
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.errors import ConfigurationError
from archal_lambda.transports.base import AsyncTransport, Transport

__all__ = ["Wrapped"]


class Wrapped:
    """Sends with what was given, or with the transport of `Clones` or `AsyncClones`, made when it is first needed.

    `behind` says in an error what the other arguments are.
    """

    def __init__(
        self, transport: Transport | AsyncTransport | None, ca_file: str | None, *, behind: str
    ) -> None:
        self._ca_file = ca_file
        self._blocking: Transport | None = None
        self._awaited: AsyncTransport | None = None
        if transport is not None and not (
            hasattr(transport, "send") or hasattr(transport, "asend")
        ):
            raise ConfigurationError("transport", f"must be a transport; {behind}")
        if hasattr(transport, "send"):
            self._blocking = cast("Transport", transport)
        if hasattr(transport, "asend"):
            self._awaited = cast("AsyncTransport", transport)
        self._given = transport is not None

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request; a `TypeError` if what was given cannot."""
        return self._sends().send(request, deadline, timeout)

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Send a request; a `TypeError` if what was given cannot."""
        return await self._asends().asend(request, deadline, timeout)

    def close(self) -> None:
        """Close the blocking one."""
        if self._blocking is not None:
            self._blocking.close()

    async def aclose(self) -> None:
        """Close the awaited one, and what it read a secret with."""
        if self._awaited is not None:
            await self._awaited.aclose()
        if self._blocking is not None and not self._given:
            self._blocking.close()

    def _sends(self) -> Transport:
        if self._blocking is None:
            if self._given:
                raise TypeError("the transport given is for asynchronous clients only")
            from archal_lambda.transports._urllib3 import UrllibTransport  # noqa: PLC0415 - asynchronous clients go without

            self._blocking = UrllibTransport(
                ca_file=self._ca_file, max_response_bytes=MAX_RESPONSE_BYTES
            )
        return self._blocking

    def _asends(self) -> AsyncTransport:
        if self._awaited is None:
            if self._given:
                raise TypeError("the transport given is for synchronous clients only")
            from archal_lambda.transports._asyncio import LoopTransport, Threads  # noqa: PLC0415 - synchronous ones
            from archal_lambda.transports._urllib3 import UrllibTransport  # noqa: PLC0415 - the same

            sockets = UrllibTransport(ca_file=self._ca_file, max_response_bytes=MAX_RESPONSE_BYTES)
            self._awaited = LoopTransport(sockets, Threads())
        return self._awaited
