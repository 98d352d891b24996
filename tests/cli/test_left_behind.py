"""Handlers that leave something running, or end in an odd way: the result is what they returned, at once."""

from __future__ import annotations

import time

import pytest

from archal_lambda.invoke import Function

AT_ONCE = 10.0  # seconds; what is left behind would take longer

BODIES = {
    "a thread": "threading.Thread(target=time.sleep, args=(20,)).start()",
    "an executor": "concurrent.futures.ThreadPoolExecutor().submit(time.sleep, 20)",
    "a process": "subprocess.Popen(['sleep', '20'])",
    "a fork": "multiprocessing.get_context('fork').Process(target=time.sleep, args=(20,)).start()",
    "a fork that returns": "os.fork()",
    "slow exit": "atexit.register(time.sleep, 20)",
    "no stdout": "sys.stdout = None",
    "a closed stdout": "sys.stdout.close()",
    "a log that is no text": "sys.stderr.buffer.write(b'\\xff\\n')",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_result_is_there_whatever_is_left(tmp_path, body):
    """Lambda freezes the process once the handler has returned."""
    (tmp_path / "mine.py").write_text(
        "import atexit, concurrent.futures, multiprocessing, os, subprocess, sys, threading, time\n"
        f"def handler(event, context):\n    {body}\n    return {{'ok': event}}\n"
    )
    started = time.monotonic()
    outcome = Function("mine.handler", root=tmp_path, timeout=40).invoke(1, capture=True)
    assert (outcome.result, outcome.error) == ({"ok": 1}, None)
    assert time.monotonic() - started < AT_ONCE
