"""The client of Archal's control plane, awaited.

This module owns when a cancellation is obeyed, so that a session is stopped; otherwise it is as `control`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Self, Unpack

from archal_lambda.clients.aio import AsyncClones
from archal_lambda.core.auth import control_credentials, route_credentials
from archal_lambda.core.control_plane import (
    ControlPlane,
    Progress,
    both_options,
    may_exist,
    note_failed_cleanup,
    settings_of,
)
from archal_lambda.core.flow import ClientOptions, RetryPolicy
from archal_lambda.core.hooks import TraceHeaders
from archal_lambda.core.records import CallHook
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES
from archal_lambda.core.secrets import guarded
from archal_lambda.core.sessions import Session, SessionFields, SessionList, creation
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import DEFAULT_TIMEOUT, Deadline, Timeout
from archal_lambda.errors import NotFoundError
from archal_lambda.transports._async_platform import async_driver
from archal_lambda.transports.base import AsyncDriver, AsyncTransport, jitter, keyed

__all__ = ["AsyncArchalClient", "AsyncHostedSession", "AsyncSessions"]


class AsyncArchalClient:
    """Archal's control plane. It is `ArchalClient`, awaited.

    Args:
        settings: Where it is and the token that opens it.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        retry: What happens after a failure. None means three attempts at most, and to a session's clones what it
            means to `AsyncClones`.
        max_response_bytes: Largest response accepted by the built-in transport, in bytes after decoding.
        on_call: Called with a `CallRecord` after each call that was not cancelled, in the event loop. An
            error of its own is logged once, and never breaks a call.
        trace: Gives headers for each call that carry a trace on; see `AsyncClones`.
        sleep: Waits for a number of seconds when awaited, between polls and retries.
        clock: Returns monotonic seconds.

    Attributes:
        sessions: The hosted sessions.

    Raises:
        ConfigurationError: If the settings contain no token.
    """

    __module__ = "archal_lambda"

    @guarded
    def __init__(  # noqa: PLR0913 - each by name
        self,
        settings: Settings,
        *,
        transport: AsyncTransport | None = None,
        timeout: float | Timeout = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        on_call: CallHook | None = None,
        trace: TraceHeaders | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options, of_clones = both_options(Timeout.of(timeout), retry, on_call, trace)
        self._driver = async_driver(
            settings,
            control_credentials,
            transport=transport,
            max_response_bytes=max_response_bytes,
            sleep=sleep,
        )

        def hosted(settings: Settings) -> AsyncClones:
            own = async_driver(
                settings,
                route_credentials,
                transport=self._driver.transport,
                max_response_bytes=max_response_bytes,
                sleep=sleep,
            )
            return AsyncClones.of(settings, own, of_clones)

        self.sessions = AsyncSessions(settings, self._driver, options, hosted, clock=clock)

    @classmethod
    @guarded
    def from_env(cls, environ: Mapping[str, str] | None = None, **options: Any) -> Self:  # noqa: ANN401 - passed on
        """Make a client from environment variables, without I/O. See `ArchalClient.from_env`."""
        return cls(Settings.from_env(environ), **options)

    async def close(self) -> None:
        """Close idle connections; a later call opens new ones."""
        await self._driver.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncSessions:
    """Hosted sessions; get it as `client.sessions`. It is `Sessions`, awaited."""

    def __init__(
        self,
        settings: Settings,
        driver: AsyncDriver,
        options: ClientOptions,
        hosted: Callable[[Settings], AsyncClones],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._driver = driver
        self._control = ControlPlane(settings.api_url, options, jitter)
        self._hosted_clones = hosted
        self._clock = clock

    @guarded
    def create(
        self,
        *,
        clones: Iterable[str],
        idempotency_key: str | None = None,
        **fields: Unpack[SessionFields],
    ) -> Coroutine[Any, Any, Session]:
        """Create a session. It may still be starting when this returns. See `Sessions.create`.

        Wrong arguments are refused at once, not when it is awaited.
        """
        # Not a coroutine function, whose arguments would be shown if it is cancelled before it begins.
        request = creation(clones=clones, key=idempotency_key, fields=fields)
        return self._driver.run(self._control.create(keyed(request)))

    async def get(self, session_id: str) -> Session:
        """Read one session. See `Sessions.get`."""
        return await self._driver.run(self._control.get(session_id))

    async def list(self) -> SessionList:
        """List the caller's active sessions. See `Sessions.list`."""
        return await self._driver.run(self._control.list())

    async def delete(self, session_id: str) -> None:
        """Stop a session. A running session is billed until it is stopped. See `Sessions.delete`."""
        await self._driver.run(self._control.delete(session_id))

    async def wait_until_running(
        self, session_id: str, *, timeout: float = 120.0, on_progress: Progress | None = None
    ) -> Session:
        """Wait for a session to be ready. See `Sessions.wait_until_running`."""
        deadline = Deadline.after(Timeout.of(timeout).total, clock=self._clock)
        return await self._driver.run(self._control.wait(session_id, deadline, on_progress))

    @guarded
    def open(
        self,
        *,
        clones: Iterable[str],
        timeout: float = 120.0,
        on_progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[SessionFields],
    ) -> AbstractAsyncContextManager[AsyncHostedSession]:
        """Create a session, wait for it, and always stop it. See `Sessions.open`."""
        request = creation(clones=clones, key=idempotency_key, fields=fields)
        return self._opened(request, Timeout.of(timeout), on_progress)

    @asynccontextmanager
    async def _opened(
        self, request: Request, timeout: Timeout, on_progress: Progress | None
    ) -> AsyncGenerator[AsyncHostedSession]:
        control, run = self._control, self._driver.run
        deadline = Deadline.after(timeout.total, clock=self._clock)
        request = keyed(request)  # here, so that each use of a decorator makes a session of its own
        try:
            session_id = (await run(control.create(request, deadline))).session_id
        except BaseException as error:
            if may_exist(error):
                with note_failed_cleanup(error):
                    await _shielded(run(control.find_and_delete(request)))
            raise
        try:
            yield await self._hosted(session_id, deadline, on_progress)
        except BaseException as error:
            with note_failed_cleanup(error):
                await _shielded(self.delete(session_id))
            raise
        with suppress(NotFoundError):  # it ended by itself meanwhile
            await _shielded(self.delete(session_id))

    @guarded
    async def _hosted(
        self, session_id: str, deadline: Deadline, on_progress: Progress | None
    ) -> AsyncHostedSession:
        session = await self._driver.run(self._control.wait(session_id, deadline, on_progress))
        settings = settings_of(session, self._settings)
        return AsyncHostedSession(session, self._hosted_clones(settings))


class AsyncHostedSession:
    """A running session inside `open`.

    Args:
        session: The session as it was when it began to run.
        clones: Its clones.
    """

    __module__ = "archal_lambda"

    def __init__(self, session: Session, clones: AsyncClones) -> None:
        self.session = session
        self.clones = clones


async def _shielded(work: Coroutine[Any, Any, None]) -> None:
    """Await what must not be left half done, such as stopping a session: a cancellation is obeyed when it is over."""
    task = asyncio.create_task(work)
    interrupted: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            interrupted = error
    if interrupted is not None:
        task.exception()  # seen, so that asyncio does not complain of an error nobody saw
        raise interrupted
    task.result()
