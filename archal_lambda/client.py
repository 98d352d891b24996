"""The synchronous client of Archal's control plane.

This module owns the client's settings and connections; what it can do is in `sessions`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from archal_lambda.core import operations
from archal_lambda.core.calls import Terms
from archal_lambda.core.deadline import DEFAULT_TIMEOUT, Timeout
from archal_lambda.core.settings import Settings
from archal_lambda.credentials import control_credentials
from archal_lambda.sessions import Sessions
from archal_lambda.transports._host import BlockingTransport, sleep

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from archal_lambda.transports.base import Transport

__all__ = ["ArchalClient"]


class ArchalClient:
    """Archal's control plane.

    Args:
        settings: Where it is and the token that opens it.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        sleep: Waits for a number of seconds, between polls and retries.
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
        transport: Transport | None = None,
        timeout: float | Timeout = DEFAULT_TIMEOUT,
        sleep: Callable[[float], None] = sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport: Transport = transport or BlockingTransport(ca_file=settings.ca_file)
        terms = Terms(
            credentials=control_credentials(settings, self._transport),
            timeout=Timeout.of(timeout),
            plan=operations.CONTROL_PLAN,
        )
        self.sessions = Sessions(settings, self._transport, terms, sleep=sleep, clock=clock)

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

    def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
