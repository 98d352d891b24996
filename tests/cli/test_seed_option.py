"""`--seed` on the commands that have a local Archal."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys

import pytest
from support.standin import Route

_PROGRAM = "from archal_lambda.cli import main; main()"
HANDLER = """\
import json
import os
import urllib.request

def handler(event, context):
    bases = json.loads(os.environ["AGENT_CLONE_URLS"])
    headers = {**json.loads(os.environ["AGENT_ROUTE_HEADERS"]), "Authorization": "Bearer x"}
    request = urllib.request.Request(bases["github"] + "/user/repos", headers=headers)
    with urllib.request.urlopen(request) as response:
        return ", ".join(repo["full_name"] for repo in json.load(response))
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where there is a handler that lists repositories, and a seed."""
    (tmp_path / "mine.py").write_text(HANDLER)
    (tmp_path / "seed.yaml").write_text("repositories:\n  - name: shop\n  - {name: blog}\n")
    (tmp_path / "wrong.yaml").write_text("repositories:\n  - {name: shop, labls: []}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AGENT_TASK", "List them.")
    return tmp_path


SEEDS = [
    ("github=seed.yaml", "testuser/blog, testuser/shop"),
    ("github=small-project", "testuser/webshop"),
]


@pytest.mark.parametrize(("seed", "found"), SEEDS)
def test_invoke_starts_from_the_seed(cli, folder, seed, found):
    """The session that the handler gets is made through the control plane."""
    code, out, err = cli("invoke", "mine.handler", "--local", "--seed", seed)
    assert (code, json.loads(out)) == (0, found), err


@pytest.mark.parametrize(("seed", "found"), SEEDS)
def test_harness_starts_from_the_seed(cli, folder, seed, found):
    """And stdout is still one object."""
    code, out, err = cli("harness", "mine.handler", "--local", "--seed", seed)
    assert (code, json.loads(out)) == (0, {"text": found}), err
    assert "-> github" in err


def test_demo_starts_from_the_seed(cli, folder):
    """Its handler makes a repository, which the seed may have already."""
    code, out, _ = cli("demo", "--seed", "github=small-project")
    assert code == 0
    assert '"statusCode": 201' in out


def test_local_starts_from_the_seed(folder):
    """The ready session, whose variables are printed."""
    command = [sys.executable, "-c", _PROGRAM, "local", "--json"]
    command += ["--seed", "github=seed.yaml"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        try:
            facts = json.loads(program.stdout.readline())
            base = json.loads(facts["environ"]["AGENT_CLONE_URLS"])["github"]
            repos = Route(base, facts["token"])("GET", "/user/repos").json
        finally:
            program.send_signal(signal.SIGTERM)
    assert [repo["name"] for repo in repos] == ["blog", "shop"]


@pytest.mark.parametrize(
    ("seed", "code", "words"),
    [
        ("github", 2, "'github' is not CLONE=NAME or CLONE=FILE"),
        ("=empty", 2, "is not CLONE=NAME or CLONE=FILE"),
        ("github=", 2, "is not CLONE=NAME or CLONE=FILE"),
        ("github=small", 1, "seeds names the unknown github seed 'small'; available: empty,"),
        ("slack=empty", 1, "seeds contains 'slack', which is not among the clones: github"),
        ("github=gone.yaml", 1, "gone.yaml: No such file"),
        (
            "github=wrong.yaml",
            1,
            "seeds in wrong.yaml, at github.repositories[0]: Object contains unknown field `labls`",
        ),
    ],
)
@pytest.mark.parametrize(
    "command",
    [
        ("invoke", "mine.handler", "--local"),
        ("harness", "mine.handler", "--local"),
        ("demo",),
        ("local",),
    ],
)
def test_a_wrong_seed_is_a_message(  # noqa: PLR0917 - fixtures and the columns of a table
    cli, folder, command, seed, code, words
):
    """With file and key, in one line, and nothing is run."""
    found, out, err = cli(*command, "--seed", seed)
    assert (found, out) == (code, "")
    assert words in err
    assert err.count("\n") == 1


def test_one_clone_has_one_seed(cli, folder):
    """Twice is a mistake, as is a seed for no local Archal."""
    twice = ("--seed", "github=empty", "--seed", "github=small-project")
    code, _, err = cli("local", *twice)
    assert code == 2
    assert "'github' has two seeds" in err
    for command in ("invoke", "harness"):
        code, _, err = cli(command, "mine.handler", "--seed", "github=empty")
        assert code == 2
        assert re.search("--seed needs --local", err)
