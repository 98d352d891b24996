"""Hosted sessions of pytest runs that end at each instruction in turn: prints which were left, as JSON.

A process of its own, for the reason that `interrupted_sessions` has. What ends there may be a worker that is killed: it
does nothing more, and another process reads what it noted.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from archal_lambda import ArchalClient, Settings
from archal_lambda.testing.pytest_plugin.ledger import Ledger
from archal_lambda.transports.mock import MockTransport
from support.fakes import Clock
from support.interrupted_sessions import Archal, Interrupt
from support.programs import EachInstruction

FILES = ("pytest_plugin/ledger.py", "clients/control.py")


def left_by(number):
    """End at that instruction of a session; give how many run after the sweep, and how many instructions there are."""
    archal, clock = Archal(), Clock()
    client = ArchalClient(
        Settings(token="t"), transport=MockTransport(archal), clock=clock, sleep=clock.sleep
    )

    def act(count):
        if count == number:
            raise Interrupt

    with tempfile.TemporaryDirectory() as folder:
        stepping = EachInstruction(FILES, act)
        with contextlib.suppress(Interrupt), stepping:
            ledger = Ledger(client, Path(folder))
            ledger.delete(ledger.create(("github",), {}).session_id)
        told = Ledger(client, Path(folder)).sweep()
        return len(archal.running) + len(told), stepping.count


def main():
    _, instructions = left_by(0)
    left = [number for number in range(1, instructions + 1) if left_by(number)[0]]
    sys.stdout.write(json.dumps({"instructions": instructions, "left": left}))


if __name__ == "__main__":
    main()
