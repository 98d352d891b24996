"""The hosted sessions of a run: made, noted and deleted.

This module owns that none is left behind. Before a session is asked for, a note of it is in a folder; the note goes
when the session is deleted. Whoever keeps the folder deletes at the end what is still noted, whoever made it and
however that process ended. It must not note anything secret.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from archal_lambda.clients.control import ArchalClient
from archal_lambda.core.control_plane import may_exist
from archal_lambda.core.sessions import Session
from archal_lambda.errors import ArchalError, NotFoundError

__all__ = ["Ledger", "new_folder"]

_START = 120.0  # seconds; a cold start takes about 30


class _Note(msgspec.Struct, frozen=True):
    key: str  # by which the creation, said again, finds what it has made
    clones: tuple[str, ...]
    seeds: dict[str, str]
    session_id: str | None = None


def new_folder() -> Path:
    """Make a folder for notes, which nobody else can read."""
    return Path(tempfile.mkdtemp(prefix="archal-lambda-"))


class Ledger:
    """Makes sessions and deletes them; `folder` may be shared with other processes."""

    def __init__(self, client: ArchalClient, folder: Path) -> None:
        self._client = client
        self._folder = folder

    def create(
        self,
        clones: tuple[str, ...],
        seeds: Mapping[str, str],
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Session:
        """Make a session, and give it when it runs; `stopped` tells that nobody waits for it any more."""
        note = _Note(f"pytest-{secrets.token_hex(16)}", clones, dict(seeds))
        self._write(note)
        try:
            made = self._create(note)
        except ArchalError as error:
            if not may_exist(error):
                self._path(note.key).unlink(missing_ok=True)
            raise
        if self._path(note.key).exists():  # unless it was deleted meanwhile
            self._write(msgspec.structs.replace(note, session_id=made.session_id))

        def go_on(*_: object) -> None:
            if stopped():
                raise InterruptedError("the run has ended")

        return self._client.sessions.wait_until_running(
            made.session_id, timeout=_START, on_progress=go_on
        )

    def delete(self, session_id: str) -> None:
        """Delete a session that this made, or try to: what fails is tried again by `sweep`."""
        for note in self._notes():
            if note.session_id == session_id:
                with suppress(ArchalError):
                    self._delete(note)

    def sweep(self) -> list[str]:
        """Delete all that is noted, and say what may still run."""
        left: list[str] = []
        for note in self._notes():
            try:
                self._delete(note)
            except ArchalError as error:
                named = note.session_id or f"with the Idempotency-Key {note.key}"
                left.append(f"{named}: {error}")
        return left

    def close(self) -> None:
        """Remove the folder, with what is noted in it."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._client.close()

    def _create(self, note: _Note) -> Session:
        return self._client.sessions.create(
            clones=note.clones, idempotency_key=note.key, seeds=note.seeds or None
        )

    def _delete(self, note: _Note) -> None:
        session_id = note.session_id or self._create(note).session_id
        with suppress(NotFoundError):  # it has ended by itself
            self._client.sessions.delete(session_id)
        self._path(note.key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"

    def _write(self, note: _Note) -> None:
        # In one step, for it may be read or its writer killed at any moment.
        draft = self._path(note.key).with_suffix(".new")
        draft.write_bytes(msgspec.json.encode(note))
        draft.replace(self._path(note.key))

    def _notes(self) -> list[_Note]:
        found: list[_Note] = []
        for path in sorted(self._folder.glob("*.json")):
            with suppress(OSError):  # another process has just deleted it
                found.append(msgspec.json.decode(path.read_bytes(), type=_Note))
        return found
