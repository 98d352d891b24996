"""The client of Archal's control plane, to await.

This module owns the client's settings and connections; what it can do is in `sessions`.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self

from archal_lambda.aio._connect import connect
from archal_lambda.aio.sessions import AsyncSessions
from archal_lambda.core import operations
from archal_lambda.core.calls import Terms
from archal_lambda.core.deadline import DEFAULT_TIMEOUT, Timeout
from archal_lambda.core.settings import Settings
from archal_lambda.credentials import control_credentials

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from archal_lambda.transports.base import AsyncTransport

__all__ = ["AsyncArchalClient"]


class AsyncArchalClient:
    """Archal's control plane. It is `ArchalClient`, awaited.

    Args:
        settings: Where it is and the token that opens it.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        sleep: Waits for a number of seconds when awaited, between polls and retries.
        clock: Returns monotonic seconds.

    Attributes:
        sessions: The hosted sessions.

    Raises:
        ConfigurationError: If the settings hold no token.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        transport: AsyncTransport | None = None,
        timeout: float | Timeout = DEFAULT_TIMEOUT,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport, credentials = connect(settings, transport, control_credentials)
        terms = Terms(
            credentials=credentials, timeout=Timeout.of(timeout), plan=operations.CONTROL_PLAN
        )
        self.sessions = AsyncSessions(settings, self._transport, terms, sleep=sleep, clock=clock)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:  # noqa: ANN401 - passed on
        """Make a client from environment variables, without I/O.

        Args:
            environ: The variables; None means those of the process.
            **options: As in the constructor.

        Returns:
            The client.

        Raises:
            ConfigurationError: If a variable is missing or wrong; the error names it.
        """
        return cls(Settings.from_env(environ), **options)

    async def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
