"""The life of a hosted session: when it runs, when it is over, and what a failed creation leaves behind.

This module owns the rules of waiting, the same for every kind of client. It must not wait, send, or draw a random
number of its own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from archal_lambda.errors import (
    ArchalError,
    DecodeError,
    NotFoundError,
    RequestTimeout,
    ServerError,
    SessionEndedError,
    StatusError,
    TransportError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from archal_lambda.core.deadline import Deadline
    from archal_lambda.core.models import Session
    from archal_lambda.core.settings import Settings

__all__ = ["Waiting", "may_exist", "settings_of", "telling_of_a_failed_stop"]

_FIRST_POLL = 0.5  # seconds; a session that is reused answers in about two
_LONGEST_POLL = 3.0  # seconds; a cold start takes about thirty
_TIME_TO_LOOK = 0.25  # seconds; what is kept for the answer to the last look
_SHORTEST_LOOK = 0.05  # seconds; with less left there is no point in another


class Waiting:
    """A wait for a session to run: looks at growing intervals, under one deadline.

    Args:
        session_id: The session.
        deadline: When the wait must be over; its clock measures the time waited.
        on_progress: Called after each look, with the session and the seconds waited so far.
        jitter: Returns a number from 0 to 1 that spreads looks out.
    """

    def __init__(
        self,
        session_id: str,
        deadline: Deadline,
        *,
        on_progress: Callable[[Session, float], None] | None,
        jitter: Callable[[], float],
    ) -> None:
        self._started = deadline.clock()
        self._deadline = deadline
        self._session_id = session_id
        self._on_progress = on_progress
        self._jitter = jitter
        self._pause = _FIRST_POLL

    def pause_after(self, session: Session) -> float | None:
        """Judge a look at the session.

        Args:
            session: The session as it was found.

        Returns:
            None if it runs, else the seconds to wait until the next look.

        Raises:
            SessionEndedError: If it ended or failed.
            RequestTimeout: If there is no time for another look.
        """
        elapsed = self._deadline.clock() - self._started
        if self._on_progress is not None:
            self._on_progress(session, elapsed)
        # First: a creation that is repeated may be answered with a session that is over.
        if session.ended_at is not None or session.status in {"ended", "failed"}:
            raise SessionEndedError(self._session_id, session.status, session.last_error)
        if session.status == "running" and session.alive is not False:
            return None
        left = self._deadline.remaining()
        if left < _SHORTEST_LOOK:
            raise RequestTimeout(
                "the session is not running yet", phase="backoff", sent=True, elapsed=elapsed
            )
        pause = self._pause * (0.5 + self._jitter() / 2)
        self._pause = min(self._pause * 1.5, _LONGEST_POLL)
        # The time is used up: the last look comes shortly before the end, with time enough to be answered.
        return min(pause, max(left - _TIME_TO_LOOK, left / 2))


def may_exist(error: BaseException) -> bool:
    """Tell whether a creation that failed may have made a session all the same.

    Args:
        error: What the creation raised.

    Returns:
        True after an interruption, a lost or unreadable answer, or a server's failure, also of an earlier attempt:
        what the last one was answered with says nothing of those.
    """
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, StatusError) and error.response.doubtful:
        return True
    return not isinstance(error, Exception) or isinstance(error, ServerError | DecodeError)


@contextmanager
def telling_of_a_failed_stop(cause: BaseException) -> Generator[None]:
    """Stop a session because of an error; if that fails as well, it is told in a note on the error.

    Args:
        cause: The error that the caller will see.

    Yields:
        Nothing. What stopping raises is taken, except an interruption. A session that is not found has ended by
        itself.
    """
    try:
        yield
    except NotFoundError:
        pass
    except Exception as error:  # noqa: BLE001 - whatever it is, the cause is what the caller must see
        why = error if isinstance(error, ArchalError) else type(error).__name__
        cause.add_note(f"The session could not be stopped and may still be billed: {why}")


def settings_of(session: Session, settings: Settings) -> Settings:
    """Make the settings for calls to a session's clones.

    Args:
        session: The session, running.
        settings: Those of the control plane.

    Returns:
        Settings with the session's own clones and route.

    Raises:
        ConfigurationError: If Archal named a URL that is not allowed.
    """
    urls = {**session.endpoints, **session.api_base_urls}
    ready = {clone: urls[clone] for clone in session.clone_ids if clone in urls}
    return settings.of_session(session.session_id, ready)
