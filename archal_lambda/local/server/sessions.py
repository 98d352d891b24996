"""Sessions: their lifecycle, their summary in JSON, and the store of them all.

This module owns the states `starting`, `running`, `failed` and `ended`, the idempotency keys and the request budgets.
It must not read a clock, sleep or run a timer: the time is passed in with every question, so a session ends by being
looked at after its time.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import secrets
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DEFAULT_TTL", "MAX_TTL", "ReusedKeyError", "Session", "SessionStore", "Status"]

DEFAULT_TTL = 1800  # seconds, where `ttlSeconds` is left out (Archal docs, cli/clone: 30 minutes)
MAX_TTL = 86400  # seconds; the most that can be asked for (Archal OpenAPI 0.3.0, ttlSeconds)

Status = Literal["starting", "running", "failed", "ended"]


class ReusedKeyError(Exception):
    """One idempotency key was used for two different bodies."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One hosted session; all times are epoch seconds."""

    id: str  # a DNS label
    owner: str
    clones: tuple[str, ...]
    seeds: Mapping[str, str]  # one for each clone
    created_at: float
    ready_at: float  # when it turns from `starting` to `running`
    expires_at: float
    rate_limit: int | None = None  # proxied requests; None for no limit
    scenario_id: str | None = None
    stopped_at: float | None = None
    failed_at: float | None = None
    error: str | None = None  # why it failed

    def status(self, now: float) -> Status:
        """Tell the state at a moment, as the API spells it."""
        if self.ended_at(now) is not None:
            return "ended"
        if self.failed_at is not None:
            return "failed"
        return "starting" if now < self.ready_at else "running"

    def ended_at(self, now: float) -> float | None:
        """Tell when the session ended; None while it lives."""
        if self.stopped_at is not None:
            return self.stopped_at
        return self.expires_at if now >= self.expires_at else None

    def summary(
        self, now: float, *, bases: Mapping[str, str], mcp: Mapping[str, str]
    ) -> dict[str, object]:
        """Render `SessionSummary` (Archal OpenAPI 0.3.0) from the base and the MCP URLs of the clones."""
        ended_at = self.ended_at(now)
        return {
            "sessionId": self.id,
            "status": self.status(now),
            "alive": self.status(now) == "running",
            "cloneIds": self.clones,
            "endpoints": bases,
            "apiBaseUrls": bases,
            "mcp": mcp,
            "resolvedSeeds": self.seeds,
            "evidence": {},
            "runtimeProvider": "local",
            "scenarioId": self.scenario_id,
            "batchId": None,
            "batchSuiteName": None,
            "createdAt": _timestamp(self.created_at),
            "expiresAt": _timestamp(self.expires_at),
            "endedAt": None if ended_at is None else _timestamp(ended_at),
            "lastError": self.error,
        }


class SessionStore:
    """Every session of one server, in order of creation."""

    def __init__(self, *, startup_delay: float) -> None:
        self._startup_delay = startup_delay
        self._sessions: dict[str, Session] = {}
        self._spent: dict[str, int] = {}
        self._keys: dict[tuple[str, str], tuple[bytes, str]] = {}

    def create(  # noqa: PLR0913 - one keyword per field of the API
        self,
        *,
        owner: str,
        seeds: Mapping[str, str],
        now: float,
        ttl: int = DEFAULT_TTL,
        rate_limit: int | None = None,
        scenario_id: str | None = None,
    ) -> Session:
        """Add a session that lives for `ttl` seconds."""
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
        """Look up a session, which may have ended."""
        return self._sessions.get(session_id)

    def active(self, *, owner: str, now: float) -> list[Session]:
        """List the sessions of a user that have not ended, in order of creation."""
        mine = (session for session in self._sessions.values() if session.owner == owner)
        return [session for session in mine if session.ended_at(now) is None]

    def all(self) -> list[Session]:
        """List every session, in order of creation."""
        return list(self._sessions.values())

    def stop(self, session: Session, *, now: float) -> None:
        """End a session now."""
        self._sessions[session.id] = dataclasses.replace(session, stopped_at=now)

    def fail(self, session: Session, error: str, *, now: float) -> None:
        """Turn a session into a failed one, unless it is over."""
        current = self._sessions[session.id]
        if current.ended_at(now) is None and current.failed_at is None:
            self._sessions[session.id] = dataclasses.replace(current, failed_at=now, error=error)

    def spend(self, session: Session) -> bool:
        """Take one request out of the session's budget; False once it is spent."""
        spent = self._spent.get(session.id, 0) + 1
        self._spent[session.id] = spent
        return session.rate_limit is None or spent <= session.rate_limit

    def replay(self, *, owner: str, key: str, fingerprint: bytes) -> Session | None:
        """Find the session that an idempotency key has already made, whether it has ended or not."""
        known = self._keys.get((owner, key))
        if known is None:
            return None
        if known[0] != fingerprint:
            raise ReusedKeyError
        return self._sessions[known[1]]

    def remember(self, session: Session, *, key: str, fingerprint: bytes) -> None:
        """Tie an idempotency key to the session it made."""
        self._keys[session.owner, key] = (fingerprint, session.id)


def _timestamp(seconds: float) -> str:
    # RFC 3339 in UTC, for example 2026-01-31T08:00:00.000Z.
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
