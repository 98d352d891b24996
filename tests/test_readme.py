"""The README's code and commands, run."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import shlex
import time
from pathlib import Path

import pytest
import yaml

from archal_lambda.cli.app import run
from archal_lambda.edge import settings_from_env
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
COMMANDS = re.findall(r"^    (archal-lambda (?!local|serve)[^>\n]*)", README, re.MULTILINE)


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        yield local


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_block_runs(archal, number):
    """Each Python block runs by itself; the handler in the first one handles."""
    namespace = {"__name__": "readme"}

    exec(compile(BLOCKS[number], f"README.md, block {number + 1}", "exec"), namespace)  # noqa: S102 - our own README

    if "handler" in namespace:
        made = namespace["handler"]({"name": "from-the-readme"}, LocalContext())
        assert made == {"created": "testuser/from-the-readme"}


@pytest.mark.parametrize("command", COMMANDS)
def test_command_runs(archal, command, monkeypatch, capfd):
    """Each command line runs as it stands; `local` and `serve`, which do not end, are tested with the commands."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("AGENT_TASK", "How are my repositories doing?")

    assert run(shlex.split(command)[1:]) == 0


def test_first_screen_holds_the_two_commands_and_a_handler():
    """A stranger sees how to start, and code, within 30 lines."""
    first = README.splitlines()[:30]

    assert "    pip install -e '.[local]' && archal-lambda demo" in first
    assert "    pip install -e '.[dev]' && pytest" in first
    assert any(line.startswith("def handler") for line in first)


def test_configuration_names_what_settings_reads():
    """Every variable that the settings read is in the README's table."""
    source = (ROOT / "archal_lambda/core/environment.py").read_text()
    names = set(re.findall(r'"((?:ARCHAL|AGENT)_[A-Z_]+|SSL_CERT_FILE)"', source))

    assert len(names) >= 7
    assert [name for name in names if f"`{name}`" not in README] == []


def test_the_seed_can_be_planted(tmp_path):
    """As it stands, from a file."""
    (seed,) = re.findall(r"```yaml\n(users:.*?)```", README, re.DOTALL)
    path = tmp_path / "seed.yaml"
    path.write_text(seed, encoding="utf-8")
    with LocalArchal(seeds={"github": path}) as archal:
        assert list(archal.state()["github"]["issue"]) == ["testuser/webshop#1"]


def test_the_webhook_is_verified(monkeypatch):
    """What Stripe has signed is taken, and nothing else."""
    (block,) = [block for block in BLOCKS if "on_payment" in block]
    namespace = {}
    exec(block, namespace)  # noqa: S102 - our own README
    monkeypatch.setenv("ARCHAL_LAMBDA_WEBHOOK_SECRET", "dummy")
    moment = int(time.time())
    signature = hmac.new(b"dummy", f"{moment}.{{}}".encode(), hashlib.sha256).hexdigest()
    event = {"headers": {"stripe-signature": f"t={moment},v1={signature}"}, "body": "{}"}

    assert namespace["on_payment"](event, None) == {"statusCode": 202, "body": "2 bytes"}
    changed = namespace["on_payment"](event | {"body": "{ }"}, None)
    assert changed == {"statusCode": 401, "body": "wrong-signature"}


def test_the_workers_settings_are_jsonc_for_a_python_that_works():
    """What a Worker is set up with parses, and its date is one of Python 3.14's."""
    (block,) = re.findall(r"```jsonc\n(.*?)```", README, re.DOTALL)
    settings = json.loads(re.sub(r"^ *//.*", "", block, flags=re.MULTILINE))

    assert settings["compatibility_date"] >= "2026-09-08"
    assert settings["compatibility_flags"] == ["python_workers"]
    assert settings_from_env(settings["vars"] | {"ARCHAL_TOKEN": "t"}).clone_urls.keys() == {
        "github"
    }


def test_the_workflow_uses_options_that_there_are():
    """It parses, and stops no hosted run for a push."""
    (block,) = re.findall(r"```yaml\n(on:.*?)```", README, re.DOTALL)
    job = yaml.safe_load(block)["jobs"]["test"]
    commands = [step["run"] for step in job["steps"] if "run" in step]

    assert set(re.findall(r"--archal[a-z-]*", " ".join(commands))) == {"--archal", "--archal-guard"}
    assert all(re.match(r"pip install|(exec )?pytest", command) for command in commands)
    assert job["timeout-minutes"] < 60
