"""`archal-lambda local -- CMD`: a command with the local Archal beside it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import pytest

MAIN = [sys.executable, "-c", "from archal_lambda.cli import main; main()", "local"]
CALL = """
import os, urllib.request
request = urllib.request.Request(
    os.environ["ARCHAL_LAMBDA_API_URL"] + "/auth/me",
    headers={"Authorization": "Bearer " + os.environ["ARCHAL_TOKEN"]},
)
print(urllib.request.urlopen(request).status)
"""
# Says when it is ready, and of each signal which it was; ends with 3 after a pause in which a second one would come.
WAIT = """
import os, signal, sys, time
def got(number, _):
    print("got", number, flush=True)
    global until
    until = time.monotonic() + 0.5
until = time.monotonic() + 20
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, got)
print("ready", flush=True)
while time.monotonic() < until:
    time.sleep(0.02)
sys.exit(3)
"""


def ran(*arguments, **options):
    """Run it; give exit code, stdout and stderr."""
    done = subprocess.run(
        [*MAIN, *arguments], capture_output=True, text=True, check=False, timeout=30, **options
    )
    return done.returncode, done.stdout, done.stderr


def test_the_command_reaches_the_local_archal_and_its_output_is_its_own():
    """Nothing is printed but what the command prints."""
    assert ran("--", sys.executable, "-c", CALL) == (0, "200\n", "")


def test_verbose_shows_the_requests_on_stderr():
    """The command's stdout stays its own, and the session's part of the path is left out."""
    code = """
import json, os, urllib.error, urllib.request
url = json.loads(os.environ["AGENT_CLONE_URLS"])["github"] + "/user"
try:
    urllib.request.urlopen(urllib.request.Request(url, headers=json.loads(os.environ["AGENT_ROUTE_HEADERS"])))
except urllib.error.HTTPError as error:
    print(error.code)
"""
    status, out, err = ran("--verbose", "--", sys.executable, "-c", code)

    assert (status, out) == (0, "401\n")
    assert re.fullmatch(r"GET +/github/api/user  401  \S+ ms  -> github\n", err)


def test_the_variables_are_the_commands_alone():
    """They come on top of the environment, which is passed on."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    status, out, _ = ran(
        "--", sys.executable, "-c", code, env={**os.environ, "MINE": "1", "ARCHAL_TOKEN": "old"}
    )
    environ = json.loads(out)

    assert status == 0
    assert environ["MINE"] == "1"
    assert environ["ARCHAL_TOKEN"] != "old"
    assert {"AGENT_CLONE_URLS", "AGENT_ROUTE_HEADERS", "ARCHAL_SESSION_ID"} <= environ.keys()


def test_stdin_and_arguments_reach_the_command():
    """Options of the command are not those of `local`."""
    code = "import sys; print(sys.argv[1:], sys.stdin.read())"
    status, out, _ = ran(
        "--", sys.executable, "-c", code, "--port", "x", "--", "--help", input="from stdin"
    )
    assert (status, out) == (0, "['--port', 'x', '--', '--help'] from stdin\n")


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_it_ends_with_the_commands_status(status):
    """Whatever it is."""
    assert ran("--", sys.executable, "-c", f"raise SystemExit({status})")[0] == status


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_command_that_a_signal_ended_is_128_and_its_number(number):
    """As in a shell."""
    code = (
        f"import os, signal; signal.signal({int(number)}, 0); os.kill(os.getpid(), {int(number)})"
    )
    if number == signal.SIGKILL:  # which nothing can be set for
        code = "import os; os.kill(os.getpid(), 9)"
    assert ran("--", sys.executable, "-c", code)[0] == 128 + number


@contextlib.contextmanager
def hang_up(action):
    """Have programs that are started here begin with it, whatever these tests were started with."""
    before = signal.signal(signal.SIGHUP, action)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_are_passed_on(number):
    """The command decides what they mean, and its status is the end."""
    with hang_up(signal.SIG_DFL):
        process = subprocess.Popen(
            [*MAIN, "--", sys.executable, "-c", WAIT],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        out, _ = process.communicate(timeout=20)
    assert (out, process.returncode) == (f"got {int(number)}\n", 3)


def test_a_ctrl_c_at_the_terminal_reaches_the_command_once():
    """The terminal sends it to both; a second one would make many programs give up on ending well."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [*MAIN, "--", sys.executable, "-c", WAIT])  # noqa: S606
    said = b""
    sent = False
    deadline = time.monotonic() + 30
    with suppress(OSError):  # the terminal is gone once the last one has left it
        while time.monotonic() < deadline and (piece := os.read(terminal, 1000)):
            said += piece
            if b"ready" in said and not sent:
                os.write(terminal, b"\x03")
                sent = True
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 3
    assert said.count(b"got 2") == 1


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        ("no-such-command-at-all", 127, "no-such-command-at-all: the command is not found"),
        ("/", 126, "/: Permission denied"),
    ],
)
def test_a_command_that_does_not_start_is_one_line(command, code, reason):
    """With the statuses that shells have."""
    assert ran("--", command) == (code, "", f"archal-lambda: error: {reason}\n")


def test_json_is_not_for_a_command():
    """What would be printed would be in the command's output."""
    status, out, err = ran("--json", "--", "true")
    assert (status, out) == (2, "")
    assert "--json" in err


def test_it_has_stopped_when_it_ends():
    """Nothing listens any more."""
    code = "import os; print(os.environ['ARCHAL_LAMBDA_API_URL'])"
    _, out, _ = ran("--", sys.executable, "-c", code)
    port = out.strip().rpartition(":")[2]
    assert ran("--port", port, "--", sys.executable, "-c", code)[1] == out


def test_what_is_ignored_stays_ignored():
    """As under `nohup`: a hang-up ends neither."""
    with hang_up(signal.SIG_IGN):
        process = subprocess.Popen(
            [*MAIN, "--", sys.executable, "-c", "print('ready', flush=True); print(input())"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGHUP)
        out, _ = process.communicate("on\n", timeout=20)
    assert (out, process.returncode) == ("on\n", 0)
