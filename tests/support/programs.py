"""Programs that need a process of their own, and what they share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PATIENCE = 120.0  # seconds; they end by themselves much earlier


def outcome_of(name, *arguments):
    """Run a program of this folder, and give what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / name), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class EachInstruction:
    """Calls a function with the number of each instruction that files of certain names run on this thread.

    Attributes:
        count: How many there were.
    """

    def __init__(self, files, act):
        self.count = 0
        self._files = files
        self._act = act

    def __enter__(self):
        sys.settrace(self._entered)

    def __exit__(self, *_):
        sys.settrace(None)

    def _entered(self, frame, _event, _argument):
        if not frame.f_code.co_filename.endswith(self._files):
            return None
        # Not at the call itself: a generator that is thrown into would end without having seen either error.
        frame.f_trace_opcodes = True
        return self._stepped

    def _stepped(self, _frame, event, _argument):
        if event == "opcode":
            self.count += 1
            self._act(self.count)
        return self._stepped
