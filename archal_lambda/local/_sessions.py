"""Sessions and their lifecycle, as values and a store without I/O.

Owns the states ``starting``, ``running`` and ``ended``, the idempotency keys and the request
budgets. Time is handed in with every question: nothing here reads a clock, sleeps or runs a timer,
so a session ends by being looked at after its time.
"""

from __future__ import annotations

import dataclasses
import secrets
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TTL = 1800
"""Seconds a session lives when ``ttlSeconds`` is left out (Archal docs, cli/clone: 30 minutes)."""

MAX_TTL = 86400
"""The longest life that can be asked for, in seconds (Archal OpenAPI 0.3.0, ttlSeconds)."""

Status = Literal["starting", "running", "ended"]


class IdempotencyConflictError(Exception):
    """One idempotency key was used for two different bodies."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One hosted session; all times are epoch seconds.

    Args:
        id: ``ses-`` and random hexadecimal digits, a DNS label.
        owner: The user who created it.
        clones: Clone ids, in the order asked for.
        seeds: Clone id to seed name, complete.
        created_at: Time of creation.
        ready_at: When it turns from ``starting`` to ``running``.
        expires_at: When it ends by itself.
        rate_limit: Budget of proxied requests, None for no limit.
        scenario_id: As given at creation.
        stopped_at: When it was deleted, None if it was not.
    """

    id: str
    owner: str
    clones: tuple[str, ...]
    seeds: Mapping[str, str]
    created_at: float
    ready_at: float
    expires_at: float
    rate_limit: int | None = None
    scenario_id: str | None = None
    stopped_at: float | None = None

    def status(self, now: float) -> Status:
        """Tell the state at a moment.

        Args:
            now: Epoch seconds.

        Returns:
            The status word of the wire.
        """
        if self.ended_at(now) is not None:
            return "ended"
        return "starting" if now < self.ready_at else "running"

    def ended_at(self, now: float) -> float | None:
        """Tell when the session ended.

        Args:
            now: Epoch seconds.

        Returns:
            Epoch seconds, or None while it lives.
        """
        if self.stopped_at is not None:
            return self.stopped_at
        return self.expires_at if now >= self.expires_at else None


class SessionStore:
    """Every session of one server, in order of creation.

    Args:
        startup_delay: Seconds a new session stays ``starting``.
    """

    def __init__(self, *, startup_delay: float) -> None:
        self._startup_delay = startup_delay
        self._sessions: dict[str, Session] = {}
        self._spent: dict[str, int] = {}
        self._keys: dict[tuple[str, str], tuple[bytes, str]] = {}

    def create(  # noqa: PLR0913 - one keyword per field of the wire
        self,
        *,
        owner: str,
        seeds: Mapping[str, str],
        now: float,
        ttl: int = DEFAULT_TTL,
        rate_limit: int | None = None,
        scenario_id: str | None = None,
    ) -> Session:
        """Add a session.

        Args:
            owner: The user it belongs to.
            seeds: Clone id to seed name, one entry per clone.
            now: Epoch seconds.
            ttl: Life in seconds.
            rate_limit: Budget of proxied requests.
            scenario_id: Kept and shown, otherwise unused.

        Returns:
            The new session.
        """
        session = Session(
            id=f"ses-{secrets.token_hex(10)}",
            owner=owner,
            clones=tuple(seeds),
            seeds=dict(seeds),
            created_at=now,
            ready_at=now + self._startup_delay,
            expires_at=now + ttl,
            rate_limit=rate_limit,
            scenario_id=scenario_id,
        )
        self._sessions[session.id] = session
        return session

    def get(self, session_id: str) -> Session | None:
        """Look a session up, ended ones included.

        Args:
            session_id: Its id.

        Returns:
            The session, or None.
        """
        return self._sessions.get(session_id)

    def active(self, *, owner: str, now: float) -> list[Session]:
        """List the living sessions of a user.

        Args:
            owner: The user.
            now: Epoch seconds.

        Returns:
            Sessions in order of creation.
        """
        mine = (session for session in self._sessions.values() if session.owner == owner)
        return [session for session in mine if session.ended_at(now) is None]

    def stop(self, session: Session, *, now: float) -> None:
        """End a session now.

        Args:
            session: A session of this store.
            now: Epoch seconds.
        """
        self._sessions[session.id] = dataclasses.replace(session, stopped_at=now)

    def spend(self, session: Session) -> bool:
        """Take one request out of the session's budget.

        Args:
            session: A session of this store.

        Returns:
            False once the budget is spent.
        """
        spent = self._spent.get(session.id, 0) + 1
        self._spent[session.id] = spent
        return session.rate_limit is None or spent <= session.rate_limit

    def replay(self, *, owner: str, key: str, fingerprint: bytes) -> Session | None:
        """Find the session an idempotency key has already made.

        Args:
            owner: The user; keys of two users never meet.
            key: The ``Idempotency-Key`` header.
            fingerprint: The decoded body in one canonical spelling.

        Returns:
            The session in its present state, ended or not; None for a new key.

        Raises:
            IdempotencyConflictError: The key came with another body before.
        """
        known = self._keys.get((owner, key))
        if known is None:
            return None
        if known[0] != fingerprint:
            raise IdempotencyConflictError
        return self._sessions[known[1]]

    def remember(self, session: Session, *, key: str, fingerprint: bytes) -> None:
        """Tie an idempotency key to the session it made.

        Args:
            session: A session of this store.
            key: The ``Idempotency-Key`` header.
            fingerprint: The decoded body in one canonical spelling.
        """
        self._keys[session.owner, key] = (fingerprint, session.id)
