"""The life of hosted sessions: create, watch, stop.

This module owns making sure that a session is stopped; when it counts as running is for `core.lifecycle` to say. It
must not know how a request travels, nor what a session's clones are used for.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Unpack

from archal_lambda.clones import Clones
from archal_lambda.core import operations
from archal_lambda.core.deadline import Deadline, Timeout
from archal_lambda.core.lifecycle import (
    Waiting,
    may_exist,
    settings_of,
    telling_of_a_failed_stop,
)
from archal_lambda.errors import NotFoundError
from archal_lambda.transports.base import Transport, call, jitter

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from archal_lambda.core.calls import Credentials, Terms
    from archal_lambda.core.models import Session
    from archal_lambda.core.operations import SessionFields
    from archal_lambda.core.request import Request
    from archal_lambda.core.response import Response
    from archal_lambda.core.settings import Settings

__all__ = ["HostedSession", "Sessions"]


class Sessions:
    """Hosted sessions; get it as `client.sessions`.

    Args:
        settings: Where the control plane is and how to reach the clones of a new session.
        transport: What sends.
        terms: Token and limits.
        sleep: Waits for a number of seconds.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        terms: Terms[Credentials],
        *,
        sleep: Callable[[float], None],
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._terms = terms
        self._sleep = sleep
        self._clock = clock

    def create(
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
        return operations.read_session(self._call(request), request)

    def get(self, session_id: str) -> Session:
        """Read one session.

        Args:
            session_id: Its id.

        Returns:
            The session as it is now.

        Raises:
            StatusError: If Archal refuses; `NotFoundError` if there is no such session.
            TransportError: If no answer came.
        """
        return self._get(session_id, None)

    def list(self) -> list[Session]:
        """List the caller's active sessions.

        Returns:
            The sessions, in the server's order.

        Raises:
            StatusError: If Archal refuses.
            TransportError: If no answer came.
        """
        request = operations.list_sessions()
        return operations.read_sessions(self._call(request), request)

    def delete(self, session_id: str) -> None:
        """Stop a session. A running session is billed until it is stopped.

        Args:
            session_id: Its id.

        Raises:
            TeardownFailedError: If the runtime could not be torn down; it may still run.
            StatusError: If Archal refuses.
            TransportError: If no answer came.
        """
        request = operations.delete_session(session_id)
        operations.read_deleted(self._call(request), request)

    def wait_until_running(
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
        return self._wait(session_id, deadline, on_progress)

    @contextmanager
    def open(
        self,
        *,
        clones: Iterable[str],
        timeout: float = 120.0,
        on_progress: Callable[[Session, float], None] | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[SessionFields],
    ) -> Generator[HostedSession]:
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
            created = operations.read_session(self._call(request, deadline), request)
        except BaseException as error:
            if may_exist(error):
                self._stop(error, lambda: self.delete(self._find(request)))
            raise
        try:
            session = self._wait(created.session_id, deadline, on_progress)
            settings = settings_of(session, self._settings)
            yield HostedSession(session, Clones(settings, transport=self._transport))
        except BaseException as error:
            self._stop(error, lambda: self.delete(created.session_id))
            raise
        with suppress(NotFoundError):  # it ended by itself meanwhile
            self._to_the_end(lambda: self.delete(created.session_id))

    def _stop(self, cause: BaseException, stop: Callable[[], None]) -> None:
        with telling_of_a_failed_stop(cause):
            self._to_the_end(stop)

    def _to_the_end(self, stop: Callable[[], None]) -> None:
        try:
            stop()
        except Exception:
            raise
        except (
            BaseException
        ) as interruption:  # obeyed when the session is stopped, the next one at once
            with telling_of_a_failed_stop(interruption):
                stop()
            raise

    def _find(self, request: Request) -> str:
        # The key finds it: the same creation again is answered with the same session.
        return operations.read_session_id(self._call(request), request)

    def _wait(
        self,
        session_id: str,
        deadline: Deadline,
        on_progress: Callable[[Session, float], None] | None,
    ) -> Session:
        waiting = Waiting(session_id, deadline, on_progress=on_progress, jitter=jitter)
        while True:
            session = self._get(session_id, deadline)
            pause = waiting.pause_after(session)
            if pause is None:
                return session
            self._sleep(pause)

    def _get(self, session_id: str, deadline: Deadline | None) -> Session:
        request = operations.get_session(session_id)
        return operations.read_session(self._call(request, deadline), request)

    def _call(self, request: Request, deadline: Deadline | None = None) -> Response:
        terms = self._terms if deadline is None else self._terms.capped(deadline)
        return call(self._transport, request, self._settings.api_url, terms, sleep=self._sleep)


class HostedSession:
    """A running session inside `open`.

    Args:
        session: The session as it was when it began to run.
        clones: Its clones.
    """

    def __init__(self, session: Session, clones: Clones) -> None:
        self.session = session
        self.clones = clones


def _key(given: str | None) -> str:
    # Made per call: at import it would be the same in every environment restored from one snapshot.
    return str(uuid.uuid4()) if given is None else given
