"""The synchronous client of Archal's control plane.

This module owns making sure that a session is stopped. What the operations are, and when a session runs, is for
`core.control_plane` to say. It must not know how a request travels, nor what a session's clones are used for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Self, Unpack

from archal_lambda.clients.sync import Clones
from archal_lambda.core.auth import control_credentials, route_credentials
from archal_lambda.core.control_plane import (
    ControlPlane,
    Progress,
    both_options,
    may_exist,
    note_failed_cleanup,
    settings_of,
)
from archal_lambda.core.flow import ClientOptions, Flow, RetryPolicy
from archal_lambda.core.hooks import TraceHeaders
from archal_lambda.core.records import CallHook
from archal_lambda.core.request import Request
from archal_lambda.core.response import MAX_RESPONSE_BYTES
from archal_lambda.core.secrets import guarded
from archal_lambda.core.sessions import Session, SessionFields, SessionList, creation
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import DEFAULT_TIMEOUT, Deadline, Timeout
from archal_lambda.errors import ArchalError, NotFoundError
from archal_lambda.transports._platform import driver, sleep
from archal_lambda.transports.base import Driver, Transport, jitter, keyed

__all__ = ["ArchalClient", "HostedSession", "Sessions"]

_MOST_TRIES = 2  # of stopping a session: once, and once more after an interruption


class ArchalClient:
    """Archal's control plane.

    All options count for the calls to it and for those to the clones of a session that it opens.

    Args:
        settings: Where it is and the token that opens it.
        transport: What sends; None makes one.
        timeout: The limits of a call that gives none: seconds, or a `Timeout`.
        retry: What happens after a failure. None means three attempts at most, and to a session's clones what it
            means to `Clones`.
        max_response_bytes: Largest response accepted by the built-in transport, in bytes after decoding.
        on_call: Called with a `CallRecord` after each call, on the thread that made it. An error of its
            own is logged once, and never breaks a call.
        trace: Gives headers for each call that carry a trace on; see `Clones`.
        sleep: Waits for a number of seconds, between polls and retries.
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
        transport: Transport | None = None,
        timeout: float | Timeout = DEFAULT_TIMEOUT,
        retry: RetryPolicy | None = None,
        max_response_bytes: int = MAX_RESPONSE_BYTES,
        on_call: CallHook | None = None,
        trace: TraceHeaders | None = None,
        sleep: Callable[[float], None] = sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        options, of_clones = both_options(Timeout.of(timeout), retry, on_call, trace)
        self._driver = driver(
            settings,
            control_credentials,
            transport=transport,
            max_response_bytes=max_response_bytes,
            sleep=sleep,
        )

        def hosted(settings: Settings) -> Clones:
            own = driver(
                settings,
                route_credentials,
                transport=self._driver.transport,
                max_response_bytes=max_response_bytes,
                sleep=sleep,
            )
            return Clones.of(settings, own, of_clones)

        self.sessions = Sessions(settings, self._driver, options, hosted, clock=clock)

    @classmethod
    @guarded
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
        self._driver.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Sessions:
    """Hosted sessions; get it as `client.sessions`."""

    def __init__(
        self,
        settings: Settings,
        driver: Driver,
        options: ClientOptions,
        hosted: Callable[[Settings], Clones],
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
    ) -> Session:
        """Create a session. It may still be starting when this returns.

        Args:
            clones: Ids of the clones, one or more.
            idempotency_key: At most 200 characters; None makes a new one. Retries of this call use the same, so
                that one call never creates two sessions.
            **fields: The optional fields of Archal's API: `ttl_seconds` (1 to 86,400; read `expires_at`), `seeds`
                (clone to seed name), `rate_limit` (requests after which the clones answer 429, 1 to 100,000),
                `scenario_id`, `scenario_run_count`, `scenario_draft`, `preflight_only`, `transport`, `routing`,
                `source`, `credential`, `run_config` and `run_project`.

        Returns:
            The session.

        Raises:
            ValueError: If a field is out of range; it is named and nothing is sent.
            TypeError: If a field has the wrong type; it is named and nothing is sent.
            StatusError: If Archal refuses.
            TransportError: If no response came; the session may exist if `.sent`.
        """
        request = creation(clones=clones, key=idempotency_key, fields=fields)
        return self._driver.run(self._control.create(keyed(request)))

    def get(self, session_id: str) -> Session:
        """Read one session.

        Args:
            session_id: Its id.

        Returns:
            The session as it is now.

        Raises:
            StatusError: If Archal refuses; `NotFoundError` if there is no such session.
            TransportError: If no response came.
        """
        return self._driver.run(self._control.get(session_id))

    def list(self) -> SessionList:
        """List the caller's active sessions.

        Returns:
            The sessions, in the server's order; those that cannot be read are in its `.unreadable`, by their ids.

        Raises:
            StatusError: If Archal refuses.
            TransportError: If no response came.
        """
        return self._driver.run(self._control.list())

    def delete(self, session_id: str) -> None:
        """Stop a session. A running session is billed until it is stopped.

        Args:
            session_id: Its id.

        Raises:
            NotFoundError: If there is no such session, or it is over.
            TeardownFailedError: If it may still run: Archal failed or refused, or no response came; the cause is
                behind it.
        """
        self._driver.run(self._control.delete(session_id))

    def wait_until_running(
        self,
        session_id: str,
        *,
        timeout: float = 120.0,
        on_progress: Progress | None = None,
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
            TransportError: If a response did not come.
        """
        deadline = Deadline.after(Timeout.of(timeout).total, clock=self._clock)
        return self._driver.run(self._control.wait(session_id, deadline, on_progress))

    @guarded
    def open(
        self,
        *,
        clones: Iterable[str],
        timeout: float = 120.0,
        on_progress: Progress | None = None,
        idempotency_key: str | None = None,
        **fields: Unpack[SessionFields],
    ) -> AbstractContextManager[HostedSession]:
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
            ArchalError: As in `create`, `wait_until_running` and `delete`; a session that is over at the end is no
                error. An error of the body is never replaced: a failed stop is then told in a note on it.
        """
        request = creation(clones=clones, key=idempotency_key, fields=fields)
        return self._opened(request, Timeout.of(timeout), on_progress)

    @contextmanager
    def _opened(
        self, request: Request, timeout: Timeout, on_progress: Progress | None
    ) -> Generator[HostedSession]:
        # Keyed here, so that each use of a decorator makes a session of its own.
        opening = _Opening(self._control, self._driver.run, keyed(request))
        deadline = Deadline.after(timeout.total, clock=self._clock)
        # From the creation to the end of the stop there is no moment without a handler. An interruption may come at
        # any, also in the inner handler, and is obeyed when the session is stopped; a second one is obeyed at once.
        try:
            try:
                yield self._hosted(opening.create(deadline), deadline, on_progress)
                opening.stop()
            except BaseException as error:
                opening.stop_because(error)
                raise
        except BaseException as error:
            opening.stop_because(error)
            raise

    @guarded
    def _hosted(
        self, session_id: str, deadline: Deadline, on_progress: Progress | None
    ) -> HostedSession:
        session = self._driver.run(self._control.wait(session_id, deadline, on_progress))
        settings = settings_of(session, self._settings)
        return HostedSession(session, self._hosted_clones(settings))


class _Opening:
    """A session on its way from its creation to its stop, which may be asked for any number of times."""

    def __init__(
        self, control: ControlPlane, run: Callable[[Flow[Any]], Any], request: Request
    ) -> None:
        self._control = control
        self._run = run
        self._request = request
        self._session_id: str | None = None
        self._over = False
        self._tries = 0

    def create(self, deadline: Deadline) -> str:
        """Create it, and give its id."""
        session: Session = self._run(self._control.create(self._request, deadline))
        self._session_id = session.session_id
        return session.session_id

    def stop(self) -> None:
        """Stop it, unless that was done or tried twice. One that is not found has ended by itself."""
        if self._over or self._tries == _MOST_TRIES:
            return
        self._tries += 1
        try:
            if self._session_id is None:
                self._run(self._control.find_and_delete(self._request))
            else:
                self._run(self._control.delete(self._session_id))
        except NotFoundError:
            pass
        except ArchalError:
            self._over = True  # what fails is tried again by the flow, not here
            raise
        self._over = True

    def stop_because(self, cause: BaseException) -> None:
        """Stop it, and note on the cause if that fails; there may be nothing to stop."""
        if self._session_id is not None or may_exist(cause):
            with note_failed_cleanup(cause):
                self.stop()


class HostedSession:
    """A running session inside `open`.

    Args:
        session: The session as it was when it began to run.
        clones: Its clones.
    """

    __module__ = "archal_lambda"

    def __init__(self, session: Session, clones: Clones) -> None:
        self.session = session
        self.clones = clones
