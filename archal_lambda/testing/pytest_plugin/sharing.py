"""How the workers of a run get at the one session that the controller makes.

This module owns the talk between them, through a socket of this machine. It must not know what a session is: it hands
over bytes.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Client, Listener
from typing import Any

__all__ = ["Counter", "ask"]

_OK, _FAILED = b"+", b"-"


class Counter:
    """In the controller: gives each worker that asks what `make` gives, or the words of its error."""

    def __init__(self, make: Callable[[], bytes]) -> None:
        key = secrets.token_bytes(32)
        self._make = make
        self._listener = Listener(authkey=key)
        # What a worker is told; xdist can send it.
        self.address: dict[str, Any] = {"address": self._listener.address, "key": key}
        # It may be in the middle of a creation when the run is over, so nobody waits for it.
        threading.Thread(target=self._serve, name="archal-lambda-session", daemon=True).start()

    def close(self) -> None:
        """Serve nobody any more."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:
                return
            except Exception:  # noqa: BLE001, S112 - somebody else's knock, which does not concern the workers
                continue
            with connection, suppress(OSError):  # the worker may be dead by now
                connection.send_bytes(self._answer())

    def _answer(self) -> bytes:
        try:
            return _OK + self._make()
        except Exception as error:  # noqa: BLE001 - told to the worker, whose test fails of it
            return _FAILED + str(error).encode()


def ask(told: dict[str, Any], timeout: float) -> bytes:
    """In a worker: ask for it.

    Raises:
        RuntimeError: If it could not be made, or the controller is gone.
    """
    try:
        with Client(told["address"], authkey=told["key"]) as connection:
            if not connection.poll(timeout):
                raise RuntimeError(f"no session within {timeout:.0f} s")
            answer = connection.recv_bytes()
    except (OSError, EOFError) as error:
        raise RuntimeError(
            "the process that keeps the session is gone, or on another machine"
        ) from error
    if answer.startswith(_FAILED):
        raise RuntimeError(answer[1:].decode())
    return answer[1:]
