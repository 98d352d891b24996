"""The life of hosted sessions, to await: create, watch, stop.

This module owns making sure that a session is stopped; when it counts as running is for `core.lifecycle` to say. It
must not know how a request travels, nor what a session's clones are used for.
"""

from __future__ import annotations

import uuid
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Unpack

from archal_lambda.aio._finish import to_the_end
from archal_lambda.aio.clones import AsyncClones
from archal_lambda.core import operations
from archal_lambda.core.deadline import Deadline, Timeout
from archal_lambda.core.lifecycle import (
    Waiting,
    may_exist,
    settings_of,
    telling_of_a_failed_stop,
)
from archal_lambda.errors import NotFoundError
from archal_lambda.transports.base import AsyncTransport, acall, jitter

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

    from archal_lambda.core.calls import AsyncCredentials, Terms
    from archal_lambda.core.models import Session
    from archal_lambda.core.operations import SessionFields
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.core.settings import Settings

__all__ = ["AsyncHostedSession", "AsyncSessions"]


class AsyncSessions:
    """Hosted sessions; get it as `client.sessions`. It is `Sessions`, awaited.

    Args:
        settings: Where the control plane is and how to reach the clones of a new session.
        transport: What sends.
        terms: Token and limits.
        sleep: Waits for a number of seconds, when awaited.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        transport: AsyncTransport,
        terms: Terms[AsyncCredentials],
        *,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._terms = terms
        self._sleep = sleep
        self._clock = clock

    async def create(
        self,
        *,
        clones: Iterable[str],
        idempotency_key: str | None = None,
        **fields: Unpack[SessionFields],
    ) -> Session:
        """Create a session. It may still be starting when this returns.

        Args:
            clones: Ids of the clones, one or more.
            idempotency_key: At most 200 characters; None makes a new one. Retries of this call use the same, so
                that one call never creates two sessions.
            **fields: The optional fields; see `SessionFields`.

        Returns:
            The session.

        Raises:
            ValueError: If a field is out of range; it is named and nothing is sent.
            TypeError: If a field has the wrong type; it is named and nothing is sent.
            StatusError: If Archal refuses.
            TransportError: If no answer came; the session may exist if `.sent`.
        """
        request = operations.create_session(
            clones=clones, idempotency_key=_key(idempotency_key), fields=fields
        )
        return operations.read_session(await self._call(request), request)

    async def get(self, session_id: str) -> Session:
        """Read one session.

        Args:
            session_id: Its id.

        Returns:
            The session as it is now.

        Raises:
            StatusError: If Archal refuses; `NotFoundError` if there is no such session.
            TransportError: If no answer came.
        """
        return await self._get(session_id, None)

    async def list(self) -> list[Session]:
        """List the caller's active sessions.

        Returns:
            The sessions, in the server's order.

        Raises:
            StatusError: If Archal refuses.
            TransportError: If no answer came.
        """
        request = operations.list_sessions()
        return operations.read_sessions(await self._call(request), request)

    async def delete(self, session_id: str) -> None:
        """Stop a session. A running session is billed until it is stopped.

        Args:
            session_id: Its id.

        Raises:
            TeardownFailedError: If the runtime could not be torn down; it may still run.
            StatusError: If Archal refuses.
            TransportError: If no answer came.
        """
        request = operations.delete_session(session_id)
        operations.read_deleted(await self._call(request), request)

    async def wait_until_running(
        self,
        session_id: str,
        *,
        timeout: float = 120.0,
        on_progress: Callable[[Session, float], None] | None = None,
    ) -> Session:
        """Wait for a session to be ready. A cold start takes about 30 s (docs.archal.ai, guides/vitest).

        Args:
            session_id: Its id.
            timeout: Longest wait, in seconds.
            on_progress: Called after each look, with the session and the seconds waited so far.

        Returns:
            The running session.

        Raises:
            SessionEndedError: If it ended or failed instead; `.last_error` may say why.
            RequestTimeout: If it is not running in time.
            StatusError: If Archal refuses.
            TransportError: If an answer did not come.
        """
        deadline = Deadline.after(Timeout.of(timeout).total, clock=self._clock)
        return await self._wait(session_id, deadline, on_progress)

    @asynccontextmanager
    async def open(
        self,
        *,
        clones: Iterable[str],
        timeout: float = 120.0,
        on_progress: Callable[[Session, float], None] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[SessionFields],
    ) -> AsyncGenerator[AsyncHostedSession]:
        """Create a session, wait for it, and always stop it.

        Args:
            clones: Ids of the clones, one or more.
            timeout: Longest that creation and waiting may take together, in seconds.
            on_progress: As in `wait_until_running`.
            idempotency_key: As in `create`.
            **fields: As in `create`.

        Yields:
            The running session and its clones.

        Raises:
            ArchalError: As in `create`, `wait_until_running` and `delete`. An error of the body is never
                replaced: a failed stop is then told in a note on it.
        """
        request = operations.create_session(
            clones=clones, idempotency_key=_key(idempotency_key), fields=fields
        )
        deadline = Deadline.after(Timeout.of(timeout).total, clock=self._clock)
        try:
            created = operations.read_session(await self._call(request, deadline), request)
        except BaseException as error:
            if may_exist(error):
                with telling_of_a_failed_stop(error):
                    await to_the_end(self._find_and_delete(request))
            raise
        try:
            session = await self._wait(created.session_id, deadline, on_progress)
            settings = settings_of(session, self._settings)
            yield AsyncHostedSession(session, AsyncClones(settings, transport=self._transport))
        except BaseException as error:
            with telling_of_a_failed_stop(error):
                await to_the_end(self.delete(created.session_id))
            raise
        with suppress(NotFoundError):  # it ended by itself meanwhile
            await to_the_end(self.delete(created.session_id))

    async def _find_and_delete(self, request: Request) -> None:
        # The key finds it: the same creation again is answered with the same session.
        session_id = operations.read_session_id(await self._call(request), request)
        await self.delete(session_id)

    async def _wait(
        self,
        session_id: str,
        deadline: Deadline,
        on_progress: Callable[[Session, float], None] | None,
    ) -> Session:
        waiting = Waiting(session_id, deadline, on_progress=on_progress, jitter=jitter)
        while True:
            session = await self._get(session_id, deadline)
            pause = waiting.pause_after(session)
            if pause is None:
                return session
            await self._sleep(pause)

    async def _get(self, session_id: str, deadline: Deadline | None) -> Session:
        request = operations.get_session(session_id)
        return operations.read_session(await self._call(request, deadline), request)

    async def _call(self, request: Request, deadline: Deadline | None = None) -> Response:
        terms = self._terms if deadline is None else self._terms.capped(deadline)
        return await acall(
            self._transport, request, self._settings.api_url, terms, sleep=self._sleep
        )


class AsyncHostedSession:
    """A running session inside `open`.

    Args:
        session: The session as it was when it began to run.
        clones: Its clones.
    """

    def __init__(self, session: Session, clones: AsyncClones) -> None:
        self.session = session
        self.clones = clones


def _key(given: str | None) -> str:
    # Made per call: at import it would be the same in every environment restored from one snapshot.
    return str(uuid.uuid4()) if given is None else given
