"""`archal-lambda local` with clones that emulate runs, and with servers of the user's."""

from __future__ import annotations

import subprocess
import sys

import pytest
from support import emulate
from support.supply import obtained

PROGRAM = "from archal_lambda.cli import main; main()"
CALL = """
import json, os, urllib.request
base = json.loads(os.environ["AGENT_CLONE_URLS"])["{clone}"]
headers = json.loads(os.environ["AGENT_ROUTE_HEADERS"]) | {{"Authorization": "Bearer any"}}
request = urllib.request.Request(base + "{path}", headers=headers, method="{method}")
print(urllib.request.urlopen(request).read().decode())
"""


def ran(*arguments):
    command = [sys.executable, "-c", PROGRAM, "local", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_command_runs_beside_an_emulator():
    """With the folder that has emulate."""
    package = obtained(emulate.folder)
    code = CALL.format(clone="slack", path="/auth.test", method="POST")
    options = ["--clone", "slack", "--emulate-path", package]
    done = ran(*options, "--", sys.executable, "-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"ok":true' in done.stdout


def test_emulate_runs_github_if_asked():
    """Which is ours otherwise."""
    package = obtained(emulate.folder)
    code = CALL.format(clone="github", path="/meta", method="GET")
    options = ["--emulated", "github", "--emulate-path", package]
    assert ran(*options, "--", sys.executable, "-c", code).returncode == 0
    assert ran("--", sys.executable, "-c", code).returncode == 1  # which is 501 of our own


def test_an_upstream_is_named_on_the_command_line():
    """One that does not answer is 502, and no mistake of the command."""
    code = CALL.format(clone="jira", path="/x", method="GET")
    done = ran("--upstream", "jira=http://127.0.0.1:9", "--", sys.executable, "-c", code)
    assert done.returncode == 1
    assert "HTTP Error 502" in done.stderr


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--upstream", "jira"], 2, "one is not NAME=URL"),
        (["--upstream", "http://u:pw@x?a=b"], 2, "one is not NAME=URL"),
        (["--upstream", "a=http://x", "--upstream", "a=http://y"], 2, "'a' has two servers"),
        (
            ["--upstream", "a=ftp://u:pw@x"],
            1,
            "upstreams for 'a' must be an http:// or https:// URL",
        ),
        (["--emulated", "jira"], 1, "emulated names 'jira', but emulate has:"),
        (["--clone", "slack", "--emulate-path", "/none"], 1, "emulate_path must be a folder"),
    ],
)
def test_wrong_options_are_one_line(options, status, said):
    """Without what may be a credential."""
    done = ran(*options)
    assert done.returncode == status
    assert said in done.stderr
    assert "pw" not in done.stderr
    assert "Traceback" not in done.stderr
