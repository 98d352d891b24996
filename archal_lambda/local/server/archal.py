"""LocalArchal: the stand-in as a context manager.

This module owns the public surface, the tokens and the wiring of the parts. It must not respond to requests itself, nor
reach the network or the disk: it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones.kind import catalogue
from archal_lambda.local.server.admin import Admin
from archal_lambda.local.server.app import FrontDoor
from archal_lambda.local.server.control import ControlPlane
from archal_lambda.local.server.fault_handles import FaultMaker, fault_handles
from archal_lambda.local.server.faults import FaultPlayer
from archal_lambda.local.server.proxy import Proxy
from archal_lambda.local.server.records import RecordedRequest, Redactor, RequestLog
from archal_lambda.local.server.sessions import MAX_TTL, Session, SessionStore
from archal_lambda.local.server.thread import HOST, ServerThread, listen
from archal_lambda.local.server.world import World

__all__ = ["LocalArchal"]

_MAX_PORT = 65535
_CLONE_ID = re.compile(r"[a-z0-9][a-z0-9-]*")
_USER = "user-local"
_OTHER_USER = "user-other"


class LocalArchal(FaultMaker):
    """Archal on this machine: control plane, runtime proxy and clones, with one session ready.

    The session made at the start lives for a day, the longest the contract allows. Everything is in memory. Stopping
    forgets all but `requests`.

    Args:
        clones: Clones of the ready session. Those in `extra_clones` are always part of it.
        port: TCP port on 127.0.0.1, 0 for any free one.
        startup_delay: Seconds each session stays `starting`.
        keep_alive: Seconds after which an idle connection is closed, without a word before, as most servers do.
        clock: Returns epoch seconds. Sessions and clones take their time from it.
        on_request: Called with every record as it is made, on the server's thread. It delays the response, so it
            should be quick.
        extra_clones: Clone id to a factory. It takes the clone's public base URL and returns an ASGI application. It is
            called once per session, at the first request.

    Raises:
        ConfigurationError: If an argument is out of range or names an unknown clone.

    Example:
        >>> with LocalArchal(clones=["github"]) as archal:
        ...     archal.base_url("github").endswith(f"/runtime/{archal.session_id}/github/api")
        True
    """

    __module__ = "archal_lambda.local"

    def __init__(  # noqa: PLR0913 - each is one independent knob of the stand-in
        self,
        *,
        clones: Iterable[str] = ("github",),
        port: int = 0,
        startup_delay: float = 0.0,
        keep_alive: float = 5.0,
        clock: Callable[[], float] = time.time,
        on_request: Callable[[RecordedRequest], None] | None = None,
        extra_clones: Mapping[str, Callable[[str], ASGIApp]] | None = None,
    ) -> None:
        extra = dict(extra_clones or {})
        self._clones = tuple(dict.fromkeys([*clones, *extra]))
        self._kinds = catalogue(extra)
        super().__init__(self._kinds)
        _check_clones(self._clones, known=self._kinds)
        _check_numbers(port=port, startup_delay=startup_delay, keep_alive=keep_alive)
        self._port = port
        self._startup_delay = startup_delay
        self._keep_alive = keep_alive
        self._clock = clock
        self._on_request = on_request
        self._token, self._other_token = _new_token(), _new_token()
        self._log = RequestLog()
        self._thread: ServerThread | None = None
        self._world: World | None = None
        self._origin: str | None = None
        self._session_id: str | None = None

    def start(self) -> Self:
        """Start the server, unless it runs already.

        Returns:
            Itself.

        Raises:
            OSError: If the port is occupied.
            RuntimeError: If the server is not up within 10 seconds.
        """
        if self._thread is not None:
            return self
        sock = listen(self._port)
        origin = f"http://{HOST}:{sock.getsockname()[1]}"
        try:
            player = FaultPlayer(self._faults)
            app, world, session = self._build(origin, player)
            thread = ServerThread(
                app,
                sock,
                keep_alive=self._keep_alive,
                stopping=player.end,
                closing=world.close,
            )
            thread.start()
        except BaseException:
            sock.close()
            raise
        self._origin, self._session_id, self._thread = origin, session.id, thread
        self._world = world
        thread.call(world.open(session))
        return self

    def stop(self) -> None:
        """Stop the server, unless it is stopped already.

        Raises:
            RuntimeError: If a clone blocks the server's thread for more than 5 seconds.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.stop()

    @property
    def api_url(self) -> str:
        """Base URL of the control plane, without a trailing slash."""
        return _started(self._origin)

    @property
    def runtime_url(self) -> str:
        """Base URL of the runtime proxy, without a trailing slash."""
        return _started(self._origin)

    @property
    def session_id(self) -> str:
        """The session made at the start."""
        return _started(self._session_id)

    @property
    def token(self) -> str:
        """An Archal token of the user who owns the session."""
        return self._token

    @property
    def other_token(self) -> str:
        """A valid Archal token of another user, to whom the session is forbidden."""
        return self._other_token

    @property
    def requests(self) -> tuple[RecordedRequest, ...]:
        """The last 1,000 requests in order, including control-plane calls, without secrets."""
        return self._log.snapshot()

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables a program needs to reach the ready session."""
        bases = {clone: self.base_url(clone) for clone in self._clones}
        return {
            "ARCHAL_SESSION_ID": self.session_id,
            "AGENT_CLONE_URLS": json.dumps(bases),
            "AGENT_ROUTE_HEADERS": json.dumps({"x-route-authorization": f"Bearer {self._token}"}),
            "ARCHAL_TOKEN": self._token,
            "ARCHAL_LAMBDA_API_URL": self.api_url,
            "ARCHAL_LAMBDA_RUNTIME_URL": self.runtime_url,
        }

    @property
    def routes(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """What each clone has built, as pairs of method and path template; empty for `extra_clones`."""
        return {clone: tuple(self._kinds[clone].routes) for clone in self._clones}

    def base_url(self, clone: str) -> str:
        """Give the base URL of a clone of the ready session.

        Args:
            clone: Clone id.

        Returns:
            The URL without a trailing slash.

        Raises:
            ConfigurationError: If the session has no such clone.
        """
        _check_clones([clone], known=self._clones)
        return f"{self.runtime_url}/runtime/{self.session_id}/{clone}/api"

    def mcp_url(self, clone: str) -> str:
        """Give the MCP URL of a clone of the ready session.

        Args:
            clone: Clone id.

        Returns:
            The URL. The token goes into `x-route-authorization` or, where that header is missing, into `Authorization`.

        Raises:
            ConfigurationError: If the session has no such clone, or the clone has no MCP.
        """
        _check_clones([clone], known=self._clones)
        if not self._kinds[clone].mcp:
            raise ConfigurationError("clone", f"{clone} has no MCP")
        return f"{self.runtime_url}/runtime/{self.session_id}/{clone}/mcp"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "stopped" if self._thread is None else f"at {self._origin}"
        return f"<LocalArchal {state}, clones: {', '.join(self._clones)}>"

    def _build(self, origin: str, player: FaultPlayer) -> tuple[FrontDoor, World, Session]:
        users = {self._token: _USER, self._other_token: _OTHER_USER}
        redactor = Redactor(users)
        store = SessionStore(startup_delay=self._startup_delay)
        world = World(origin=origin, store=store, kinds=self._kinds, clock=self._clock)
        proxy = Proxy(
            users=users,
            store=store,
            kinds=self._kinds,
            world=world,
            clock=self._clock,
            redactor=redactor,
            faults=player,
        )
        control = ControlPlane(
            users=users,
            store=store,
            kinds=self._kinds,
            clock=self._clock,
            world=world,
            faults=player,
        )
        seeds = {clone: self._kinds[clone].seeds[0] for clone in self._clones}
        ready = store.create(owner=_USER, seeds=seeds, now=self._clock(), ttl=MAX_TTL)
        front = FrontDoor(
            control=control,
            proxy=proxy,
            admin=Admin(origin, [*fault_handles(self._faults, self._kinds)]),
            redactor=redactor,
            on_record=self._record,
        )
        return front, world, ready

    def _record(self, record: RecordedRequest) -> None:
        self._log.append(record)
        if self._on_request is not None:
            self._on_request(record)


def _started(value: str | None) -> str:
    if value is None:
        raise RuntimeError("the local Archal was not started: use it as a context manager")
    return value


def _new_token() -> str:
    # Shaped like a workspace key (Archal docs, guides/direct-api-access), spelled at run time.
    return "_".join(("archal", "ws", secrets.token_hex(16)))


def _check_clones(clones: Iterable[str], *, known: Iterable[str]) -> None:
    names = sorted(known)
    for clone in clones:
        if clone not in names or not _CLONE_ID.fullmatch(clone):
            raise ConfigurationError(
                "clones",
                f"names the unknown clone {clone[:60]!r}; available here: {', '.join(names)}",
            )


def _check_numbers(*, port: int, **seconds: float) -> None:
    if not 0 <= port <= _MAX_PORT:
        raise ConfigurationError("port", f"must be between 0 and {_MAX_PORT}")
    for name, value in seconds.items():
        if not 0 <= value < math.inf:
            raise ConfigurationError(name, "must be a number of seconds from 0 up")
