"""A command that is told to end leaves no session behind."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest
from support.standin import send

from archal_lambda import ArchalClient
from archal_lambda.local import LocalArchal
from archal_lambda.testing.faulty_server import FaultServer, answer

SAFETY_SECONDS = 20.0
SIGNALS = [(signal.SIGTERM, 143), (signal.SIGINT, 130)]
HANDLER = """
import time
from archal_lambda import ArchalClient

def handler(event, context):
    with ArchalClient.from_env() as client:
        with client.sessions.open(clones=["github"]) as hosted:
            print("open", flush=True)
            time.sleep(30)
"""


@contextlib.contextmanager
def command(*args, **variables):
    """Run a command as a process of its own; give the process."""
    line = [sys.executable, "-c", "from archal_lambda.cli import main; main()", *args]
    environ = {**os.environ, **variables}
    pipe = subprocess.PIPE
    with subprocess.Popen(line, stdout=pipe, stderr=pipe, env=environ, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(condition):
    until = time.monotonic() + SAFETY_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def sessions_of(archal):
    with ArchalClient.from_env(archal.environ) as client:
        return {one.session_id for one in client.sessions.list()} - {archal.session_id}


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_handler_that_is_interrupted_stops_its_session(archal, tmp_path, number, code):
    """The runner is told, and waited for."""
    (tmp_path / "holds_a_session.py").write_text(HANDLER)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    with command("invoke", "holds_a_session.handler", PYTHONPATH=path) as process:
        assert process.stderr.readline() == "open\n"
        assert len(sessions_of(archal)) == 1
        process.send_signal(number)
        process.communicate(timeout=SAFETY_SECONDS)
    assert process.returncode == code
    assert sessions_of(archal) == set()


def forwarding(archal):
    """A script that passes requests on to the local Archal, but keeps the response to the first creation back."""
    held = []

    def script(conn, _index):
        while True:
            received = conn.read_request()
            fields = {
                name: received.header(name)
                for name in ("authorization", "idempotency-key", "content-type")
            }
            answered = send(
                archal.api_url + received.target,
                received.method,
                body=received.body,
                headers={name: value for name, value in fields.items() if value},
            )
            if received.method == "POST" and not held:
                held.append(received)
                conn.drain()
            conn.send(answer(answered.body, status=f"{answered.status} X"))

    return script


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_session_whose_creation_is_interrupted_is_stopped(number, code):
    """Its key finds it."""
    with LocalArchal() as archal, FaultServer(forwarding(archal)) as between:
        variables = {**archal.environ, "ARCHAL_LAMBDA_API_URL": between.origin}
        with command("session", "create", "--clone", "github", **variables) as process:
            wait_for(lambda: sessions_of(archal))
            process.send_signal(number)
            out, _ = process.communicate(timeout=SAFETY_SECONDS)
        assert (process.returncode, out) == (code, "")
        assert sessions_of(archal) == set()
