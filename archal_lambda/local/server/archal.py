"""LocalArchal: the stand-in as a context manager.

This module owns the public surface and the tokens. It must not respond to requests itself, nor
reach the network, or the disk but for seeds and what the clones are run with: it listens on 127.0.0.1 only.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from os import PathLike
from types import TracebackType
from typing import Self

from starlette.types import ASGIApp

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.emulate.catalogue import all_kinds
from archal_lambda.local.emulate.process import Emulators
from archal_lambda.local.server.checks import check_clones, check_numbers
from archal_lambda.local.server.fault_handles import FaultMaker
from archal_lambda.local.server.keeper import Keeper
from archal_lambda.local.server.records import RecordedRequest, RequestLog
from archal_lambda.local.server.seeds import Seed, choose
from archal_lambda.local.server.steering import Steering
from archal_lambda.local.server.thread import HOST, ServerThread, listen
from archal_lambda.local.server.wiring import Wishes, assemble
from archal_lambda.local.server.world import World

__all__ = ["LocalArchal"]

_USER = "user-local"
_OTHER_USER = "user-other"


class LocalArchal(Steering, FaultMaker):
    """Archal on this machine: control plane, runtime proxy and clones, with one session ready.

    The session made at the start lives for a day, the longest the contract allows. Everything is in memory. Stopping
    forgets all but `requests`. A browser at `api_url` shows what happens.

    Args:
        clones: Clones of the ready session. Those in `extra_clones` are always part of it.
        port: TCP port on 127.0.0.1, 0 for any free one.
        startup_delay: Seconds each session stays `starting`.
        keep_alive: Seconds after which an idle connection is closed, without a word before, as most servers do.
        clock: Returns epoch seconds. Sessions and clones take their time from it.
        on_request: Called with every record as it is made, on the server's thread. It delays the response, so it
            should be quick.
        extra_clones: Clone id to a factory. It takes the clone's public base URL and returns an ASGI application. It is
            called once per session, at the first request. The application may have, as attributes, functions for the
            handles below: `reset()`, without which the factory is called anew; `snapshot()`, which returns a copy of
            its state, and `restore(mark)`, which takes it; `state()`, which returns kind to key to an object of JSON.
            Each may be awaitable; each runs on the server's thread and should be quick.
        seeds: Clone id to the seed of the ready session: the name of one, a `Path` to a file of JSON or YAML, or a
            mapping that says the same. One of the user's own is known to the API by the file's name, a mapping as
            `custom`. It is read and checked here and now.
        upstreams: Clone id to the URL of a server of the user's, which answers for that clone, such as
            `{"jira": "http://127.0.0.1:9000"}`. They are always part of the ready session. Any host may be named, also
            one that is not on this machine: whatever the caller sends goes there, service credentials included, but
            never Archal's token. Without a path in the URL the server is laid out as the service's own host; with one,
            also `/`, the service's API begins there.
        emulated: Clones that npm's `emulate` is to run although there is one of our own: `github`.
        emulate_path: A folder in which npm has installed emulate@0.12.2, instead of the one in the user's cache.

    Raises:
        ConfigurationError: If an argument is out of range or names an unknown clone or seed, or a seed is wrong: it
            names the file and the key, such as `github.repositories[0].issues[2].labels[1]: no such label`.

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
        seeds: Mapping[str, Seed] | None = None,
        upstreams: Mapping[str, str] | None = None,
        emulated: Iterable[str] = (),
        emulate_path: str | PathLike[str] | None = None,
    ) -> None:
        extra, servers = dict(extra_clones or {}), dict(upstreams or {})
        self._clones = tuple(dict.fromkeys([*clones, *extra, *servers]))
        self._emulators = Emulators(emulate_path)
        self._kinds = all_kinds(extra, servers, emulated, self._emulators)
        check_clones(self._clones, known=self._kinds)
        self._kinds, self._seeds = choose({} if seeds is None else seeds, self._kinds, self._clones)
        super().__init__(self._kinds)
        check_numbers(port=port, startup_delay=startup_delay, keep_alive=keep_alive)
        self._port = port
        self._startup_delay = startup_delay
        self._keep_alive = keep_alive
        self._clock = clock
        self._on_request = on_request
        self._token, self._other_token = _new_token(), _new_token()
        self._log = RequestLog()
        self._thread: ServerThread | None = None
        self._keeper: Keeper | None = None
        self._world: World | None = None
        self._origin: str | None = None
        self._session_id: str | None = None

    def start(self) -> Self:
        """Start the server, unless it runs already.

        Returns:
            Itself.

        Raises:
            ConfigurationError: If a clone needs Node or emulate, and it is neither there nor can be installed.
            OSError: If the port is occupied.
            RuntimeError: If the server is not up within 10 seconds, or a clone does not start.
        """
        if self._thread is not None:
            return self
        if any(self._kinds[clone].eager for clone in self._clones):
            self._emulators.prepare()  # here, where npm may take its time
        sock = listen(self._port)
        origin = f"http://{HOST}:{sock.getsockname()[1]}"
        try:
            parts = assemble(self._wishes(origin))
            thread = ServerThread(
                parts.app,
                sock,
                keep_alive=self._keep_alive,
                stopping=parts.player.end,
                closing=self._emulators.close_before(parts.world.close),
            )
            thread.start()
        except BaseException:
            sock.close()
            raise
        self._origin, self._session_id, self._thread = origin, parts.ready.id, thread
        self._keeper, self._world = parts.keeper, parts.world
        try:
            thread.call(parts.world.begin(parts.ready))
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop the server, unless it is stopped already.

        Raises:
            RuntimeError: If a clone blocks the server's thread for more than 5 seconds.
        """
        thread, self._thread = self._thread, None
        self._keeper = None
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
    def seeds(self) -> dict[str, str]:
        """The seed of each clone of the ready session, by the name it has in the API."""
        return dict(self._seeds)

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
        check_clones([clone], known=self._clones)
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
        check_clones([clone], known=self._clones)
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

    def _wishes(self, origin: str) -> Wishes:
        return Wishes(
            origin=origin,
            users={self._token: _USER, self._other_token: _OTHER_USER},
            kinds=self._kinds,
            seeds=self._seeds,
            startup_delay=self._startup_delay,
            clock=self._clock,
            faults=self._faults,
            on_record=self._record,
        )

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
