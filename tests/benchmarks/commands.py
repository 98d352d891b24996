"""What the processes that are measured share: they do what they are told, line by line, and say what that took."""

from __future__ import annotations

import json
import os
import sys
import time


def timed(do):
    """Do something; give the seconds of CPU of the whole process, and of the clock."""
    cpu, wall = time.process_time(), time.perf_counter()
    do()
    return {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


def outcome_of(do):
    """Do something, however it ends; besides what `timed` gives, tell how."""
    outcome = ["no error"]

    def attempt():
        try:
            do()
        except Exception as error:  # noqa: BLE001 - whatever it raises is what is told
            outcome[0] = type(error).__name__

    return timed(attempt) | {"outcome": outcome[0]}


def obey(session):
    """Read commands as JSON, one a line, and answer each with a line."""
    out = os.fdopen(os.dup(1), "w")
    # What a client prints, such as log lines, goes nowhere, at the price it has.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    for line in sys.stdin:
        command = json.loads(line)
        result = getattr(session, command.pop("do"))(**command)
        print(json.dumps({} if result is None else result), file=out, flush=True)
