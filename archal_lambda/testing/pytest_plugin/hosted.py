"""A hosted session, under the names that `LocalArchal` has.

This module owns what a test can do with it, and what it is told where Archal cannot. It must not make or delete one.
"""

from __future__ import annotations

from typing import NoReturn

from archal_lambda.core.control_plane import settings_of
from archal_lambda.core.sessions import Session
from archal_lambda.core.settings import Settings
from archal_lambda.errors import ConfigurationError

__all__ = ["Environ", "HostedArchal"]

_OWN = "@pytest.mark.archal(fresh=True) gives the test a session of its own, as its seeds have it"
_FAULT = "archal_lambda.testing.FaultTransport plays faults on this side of the wire"
_READ = "read it by the clones' own APIs"
_INSTEAD = {
    "clock": "--archal local has clocks that can be moved",
    "diff": _READ,
    "fault": _FAULT,
    "faults_clear": _FAULT,
    "reset": _OWN,
    "requests": "archal_clones, and any client with an on_call, is told of its own calls",
    "requests_clear": "archal_clones, and any client with an on_call, is told of its own calls",
    "restore": _OWN,
    "snapshot": _READ,
    "state": _READ,
}


class Environ(dict[str, str]):
    """Environment variables, whose `repr` shows the names: pytest shows the arguments of tests that fail."""

    def __repr__(self) -> str:
        return f"<variables {', '.join(sorted(self))}>"


class HostedArchal:
    """One session of the hosted Archal."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self._session = session
        self._settings = settings_of(session, settings)

    @property
    def session_id(self) -> str:
        """The session."""
        return self._session.session_id

    @property
    def api_url(self) -> str:
        """Base URL of the control plane, without a trailing slash."""
        return str(self._settings.api_url)

    @property
    def token(self) -> str:
        """The Archal token, which owns the session."""
        return self._settings.require_token().reveal()

    @property
    def seeds(self) -> dict[str, str]:
        """The seed of each clone, by its name."""
        return dict(self._session.resolved_seeds)

    @property
    def environ(self) -> Environ:
        """The environment variables a program needs to reach the session."""
        return Environ(self._settings.variables())

    def base_url(self, clone: str) -> str:
        """Give the base URL of a clone, without a trailing slash."""
        return str(self._settings.base_url(clone))

    def mcp_url(self, clone: str) -> str:
        """Give the MCP URL of a clone."""
        url = self._settings.mcp_urls.get(clone)
        if url is None:
            raise ConfigurationError("clone", f"{clone} has no MCP")
        return str(url)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        from archal_lambda.local import LocalArchal, UnsupportedError  # noqa: PLC0415 - few tests need it

        if not hasattr(LocalArchal, name):
            raise AttributeError(f"the hosted Archal has no {name!r}")

        class HostedUnsupportedError(UnsupportedError, AttributeError):
            """So that `hasattr` says what a test may rely on."""

        instead = _INSTEAD.get(name, "--archal local has it")
        raise HostedUnsupportedError(f"the hosted Archal has no {name!r}: {instead}")

    def __repr__(self) -> str:
        return f"<HostedArchal {self.session_id}, clones: {', '.join(self._settings.clone_urls)}>"
