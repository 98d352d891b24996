"""Tests against the hosted Archal: one session for the run, made when it is first needed, and always deleted.

This module owns when sessions come and go. Under xdist the controller makes and deletes the run's session, and deletes
what its workers leave behind; a worker makes and deletes only those that are one test's.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from archal_lambda.clients.control import ArchalClient
from archal_lambda.core.records import CallRecord
from archal_lambda.core.sessions import Session
from archal_lambda.core.settings import Settings
from archal_lambda.errors import ArchalError
from archal_lambda.testing.pytest_plugin.calls import by_records
from archal_lambda.testing.pytest_plugin.choice import Choice, choice_of
from archal_lambda.testing.pytest_plugin.hosted import HostedArchal
from archal_lambda.testing.pytest_plugin.ledger import Ledger, new_folder
from archal_lambda.testing.pytest_plugin.sharing import Counter, ask
from archal_lambda.testing.pytest_plugin.world import World

__all__ = ["HostedRun"]

_TERMINATED = 128 + signal.SIGTERM
_CREATION = 60.0  # seconds; where a creation is answered only when the session runs
_WAIT = 240.0  # seconds that a worker waits for the controller, whose own waits are shorter


class _Terminated(KeyboardInterrupt):
    """SIGTERM. Of the two that pytest takes for the end of a run, the one that no `except Exception` catches."""


class HostedRun:
    """The sessions of a run, in whichever of its processes this is."""

    def __init__(self, config: pytest.Config, choice: Choice) -> None:
        self._config = config
        self._choice = choice
        self._seeds = choice.seeds_by_name("--archal-seed (archal_seeds)")
        self._settings = Settings.from_env()
        client = ArchalClient(self._settings, timeout=_CREATION)
        self._told: dict[str, Any] | None = getattr(config, "workerinput", {}).get("archal_lambda")
        self._folder = Path(self._told["folder"]) if self._told else new_folder()
        self._ledger = Ledger(client, self._folder)
        self._lock = threading.Lock()
        self._made: Session | None = None
        self._failure: str | None = None  # of making it
        self._counter: Counter | None = None
        self._over = self._terminated = False
        self._leaked: list[str] | None = (
            None  # what may still run, once all have been deleted or tried
        )
        self._guard: Any = config.pluginmanager.get_plugin("archal_lambda-guard")
        self._let_through(str(self._settings.api_url), str(self._settings.runtime_url or ""))
        if self._told is None:
            config.pluginmanager.register(self, "archal_lambda-hosted")
            config.add_cleanup(self._close)
            self._before = self._catch_sigterm()

    @contextmanager
    def world(
        self,
        item: pytest.Item,
        options: Mapping[str, Any],  # noqa: ARG002 - the local one's
    ) -> Generator[World]:
        """Give a test the run's session, or one of its own."""
        choice = choice_of(item, self._choice)
        records: list[CallRecord] = []
        try:
            session = self._own(item, choice) if choice.own else self._shared()
        except (ArchalError, RuntimeError) as error:
            pytest.fail(f"{item.nodeid}: no hosted session: {error}", pytrace=False)
        try:
            archal = HostedArchal(session, self._settings)
            urls = {**session.endpoints, **session.api_base_urls}
            self._let_through(*urls.values(), *session.mcp.values())
            yield World(archal, lambda: by_records(records), records.append)
        finally:
            if choice.own:
                self._ledger.delete(session.session_id)

    def _own(self, item: pytest.Item, choice: Choice) -> Session:
        seeds = choice.seeds_by_name(f"{item.nodeid}: @pytest.mark.archal")
        return self._ledger.create(choice.clones, seeds)

    def _shared(self) -> Session:
        with self._lock:
            if self._made is None and self._failure is None:
                try:
                    self._made = self._make()
                except Exception as error:  # noqa: BLE001 - told to each test, and not waited for again
                    self._failure = str(error)
        if self._made is None:
            raise RuntimeError(self._failure)
        return self._made

    def _make(self) -> Session:
        if self._told is not None:
            return msgspec.json.decode(ask(self._told, _WAIT), type=Session)
        return self._ledger.create(self._choice.clones, self._seeds, stopped=lambda: self._over)

    def _let_through(self, *urls: str) -> None:
        if self._guard is not None:
            self._guard.allow(urlsplit(url).hostname or "" for url in urls)

    # What follows is for the process that keeps the sessions: the only one, or xdist's controller.

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:  # noqa: ANN401 - xdist has no types, and may not be there
        """Tell a worker of xdist, also one that takes the place of another, where to ask and to note."""
        if self._counter is None:
            self._counter = Counter(lambda: msgspec.json.encode(self._shared()))
        node.workerinput["archal_lambda"] = {"folder": str(self._folder), **self._counter.address}

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Delete the sessions, whatever ended the run."""
        self._over = True
        if self._counter is not None:
            # First, for xdist may wait for its workers longer than whoever cancels a run waits for us.
            self._ledger.sweep()
        try:
            return (yield)
        finally:
            self._leaked = self._ledger.sweep()
            if self._terminated:
                session.exitstatus = _TERMINATED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name what may still run."""
        if self._leaked:
            terminalreporter.section("Archal sessions that may still run", red=True)
            for line in self._leaked:
                terminalreporter.write_line(line)

    def _catch_sigterm(self) -> Any:  # noqa: ANN401 - a handler, a number or None
        if (
            threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        ):
            return None
        return signal.signal(signal.SIGTERM, self._terminate)

    def _terminate(self, _number: int, _frame: FrameType | None) -> None:
        first, self._terminated = not self._terminated, True
        if first and not self._over:
            raise _Terminated("SIGTERM")

    def _close(self) -> None:
        self._over = True
        if self._leaked is None:  # pytest did not come to the hook above, or was interrupted in it
            for line in self._ledger.sweep():
                self._config.get_terminal_writer().line(
                    f"Archal session that may still run: {line}"
                )
        if self._counter is not None:
            self._counter.close()
        self._ledger.close()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
