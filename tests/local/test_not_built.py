"""What GitHub has and the local clone has not built, as opposed to what is not there."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest
from support import openapi
from support.standin import route

from archal_lambda import Clones
from archal_lambda.local import LocalArchal
from archal_lambda.local.clones.github.families import is_githubs

R = "/repos/testuser/webshop"
NOT_BUILT = [
    ("GET", f"{R}/branches"),
    ("GET", f"{R}/branches/main/protection"),
    ("GET", f"{R}/pulls"),
    ("POST", f"{R}/pulls"),
    ("GET", f"{R}/commits?sha=main"),
    ("PUT", f"{R}/issues/1/lock"),
    ("GET", "/repos/testuser/none/pulls"),
    ("PUT", R),
    ("GET", "/search/issues?q=x"),
    ("GET", "/orgs/octo/repos"),
    ("POST", "/orgs/octo/repos"),
    ("GET", "/users/testuser/orgs"),
    ("GET", "/users"),
    ("PATCH", "/user"),
    ("GET", "/user/emails"),
    ("POST", "/graphql"),
    ("GET", "/rate_limit"),
    ("GET", "/"),
]
NOT_THERE = [
    ("GET", "/nowhere"),
    ("GET", "/nowhere/at/all"),
    ("GET", f"{R}/nowhere"),
    ("GET", f"{R}/"),
    ("GET", "/repos"),
    ("GET", "/repos/testuser"),
    ("GET", "/repos/testuser/none"),
    ("GET", "/repos/testuser/none/issues"),
    ("GET", "/repos/testuser/none/labels"),
    ("GET", f"{R}/issues/99"),
    ("GET", "/search/nowhere"),
    ("GET", "/users/testuser/nowhere"),
    ("GET", "//user"),
    ("BREW", "/user"),
]


@pytest.fixture(scope="module")
def github(archal):
    return route(archal, seeds={"github": "small-project"})


@pytest.mark.parametrize(("method", "path"), NOT_BUILT)
@pytest.mark.parametrize("credential", ["any", None])
def test_what_is_not_built_is_501(github, method, path, credential):
    """It says so in the status, a header and words, and looks like nothing that GitHub responds."""
    answer = github(method, path, credential=credential)

    assert answer.status == 501
    assert answer.header("x-archal-local") == "not-implemented"
    assert answer.json["status"] == "501"
    assert "--list-routes" in answer.json["message"]


@pytest.mark.parametrize(("method", "path"), NOT_THERE)
def test_what_is_not_githubs_or_not_there_is_404(github, method, path):
    """As GitHub responds."""
    answer = github(method, path)

    assert (answer.status, answer.json["message"]) == (404, "Not Found")
    assert answer.header("x-archal-local") is None


def test_every_path_that_github_describes_is_known_as_githubs():
    """The families are complete."""
    paths = [re.sub(r"\{[^}]*\}", "1", path) for path in openapi.description()["paths"]]

    assert len(paths) > 700
    assert [path for path in paths if not is_githubs("GET", path)] == []


def test_the_routes_are_listed():
    """Each clone's, as method and path template; an extra clone's are not known."""
    archal = LocalArchal(extra_clones={"mine": lambda _base: None})

    assert archal.routes["mine"] == ()
    assert ("POST", "/user/repos") in archal.routes["github"]
    assert ("PUT", "/repos/{owner}/{repo}/contents/{path}") in archal.routes["github"]


def started(*args, stderr):
    """Start the command line."""
    command = [sys.executable, "-c", "from archal_lambda.cli import main; main()", "local", *args]
    environ = {**os.environ, "TERM": "xterm"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environ)


def test_list_routes_prints_them_and_ends():
    """Nothing is started."""
    with started("--list-routes", stderr=subprocess.PIPE) as process:
        out, err = process.communicate(timeout=20)

    assert (process.returncode, err) == (0, "")
    assert "github  POST   /user/repos" in out.splitlines()
    assert all(line.startswith("github  ") for line in out.splitlines())


@pytest.mark.parametrize("on_terminal", [True, False])
def test_the_console_line_is_in_colour_on_a_terminal(on_terminal):
    """What is not built stands out; elsewhere it is told in words alone."""
    terminal, end = pty.openpty() if on_terminal else os.pipe()
    with started(stderr=end) as process:
        os.close(end)
        lines = [process.stdout.readline() for _ in range(7)]
        pairs = [line.removeprefix("export ").strip().partition("=") for line in lines[1:]]
        environ = {name: value.strip("'") for name, _, value in pairs}
        with Clones.from_env(environ) as clones:
            assert clones["github"].get(f"{R}/pulls", token="t").status_code == 501
            assert clones["github"].get("/user", token="t").status_code == 200
        seen = ""
        while "/user" not in seen:
            seen += os.read(terminal, 4096).decode()
        process.terminate()
        process.communicate(timeout=20)
    os.close(terminal)

    not_built, plain = seen.splitlines()[:2]
    assert "not built here: see --list-routes" in not_built
    assert ("\x1b[33m" in not_built) is on_terminal
    assert "\x1b[" not in plain
