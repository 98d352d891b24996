"""`gather()` inside `gather()`, as in a signal handler, wherever the outer one is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.faults.server import FaultServer, good


@pytest.mark.parametrize("kind", ["sockets", "threads"])
def test_a_handler_gathers_at_any_instruction_of_the_gather_that_it_interrupts(kind):
    """Whatever that one holds, neither hangs."""
    program = Path(__file__).parents[1] / "support" / "gathered_inside.py"
    with FaultServer(good) as server:
        done = subprocess.run(
            [sys.executable, str(program), kind, server.origin],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["times"] > 50
    assert outcome["wrong"] == []
