"""A command loads what it needs, when it is called."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import archal_lambda.cli
from archal_lambda.cli.app import COMMANDS, app

FRAMEWORKS = {"anyio", "asyncio", "rich", "starlette", "uvicorn", "yaml"}
LIGHT = FRAMEWORKS | {"archal_lambda.local", "aws_lambda_powertools"}
CLIENT = {"archal_lambda.clones", "archal_lambda.client", "urllib3"}
INVOKING = {"archal_lambda.invoke", "subprocess"}
CORE = {"archal_lambda.core", "msgspec"}

RUN = """
from archal_lambda.cli import main
try:
    main()
finally:
    print(*sys.modules, file=open("modules", "w"))
"""


def started(folder, *args, without=()):
    """Run the command line in an interpreter of its own; give how it ended and what it loaded."""
    # Isolated from site-packages' .pth files, which may import anything, but with the same path.
    code = f"import sys; sys.path[:] = {sys.path!r}; sys.modules.update(dict.fromkeys({without!r}))"
    command = [sys.executable, "-S", "-c", code + RUN, *args]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    return ended, set((folder / "modules").read_text().split())


@pytest.fixture
def folder(tmp_path):
    """Where there is a handler."""
    (tmp_path / "mine.py").write_text("def text(event, context):\n    return 'done'\n")
    return tmp_path


def commands(modules):
    """The commands that were loaded."""
    return {name for name in COMMANDS if f"archal_lambda.cli.{name}" in modules}


@pytest.mark.parametrize(
    ("args", "code", "loaded", "never"),
    [
        ("", 2, set(), LIGHT | CLIENT | INVOKING | CORE),
        ("--help", 0, set(), LIGHT | CLIENT | INVOKING | CORE),
        ("--version", 0, set(), LIGHT | CLIENT | INVOKING | CORE),
        ("nonsense", 2, set(), LIGHT | CLIENT | INVOKING | CORE),
        ("env", 0, {"env"}, LIGHT | CLIENT | INVOKING),
        ("env --format nonsense", 2, {"env"}, LIGHT | CLIENT | INVOKING),
        ("call --help", 0, {"call"}, LIGHT | INVOKING),
        ("call github GET /user", 0, {"call"}, LIGHT | INVOKING),
        ("call slack GET /user", 1, {"call"}, LIGHT | INVOKING),
        ("call github GET /../user", 2, {"call"}, LIGHT | INVOKING),
        ("session list", 0, {"session"}, LIGHT | INVOKING),
        ("session create --clone github --wait", 0, {"session"}, LIGHT | INVOKING),
        ("session get ses-none", 1, {"session"}, LIGHT | INVOKING),
        ("invoke mine.text", 0, {"invoke"}, LIGHT | CLIENT),
        ("invoke mine.nope", 1, {"invoke"}, LIGHT | CLIENT),
        ("harness mine.text", 0, {"harness"}, LIGHT | CLIENT),
        ("serve --help", 0, {"serve"}, LIGHT | CLIENT),
        ("serve -t mine.py", 2, {"serve"}, (LIGHT | CLIENT) - {"yaml"}),
        ("local --help", 0, {"env", "local"}, {"archal_lambda.invoke", "rich", "yaml"} | CLIENT),
        ("demo --help", 0, {"demo", "env", "local"}, {"yaml"} | CLIENT),
    ],
)
def test_what_a_command_leaves_out(  # noqa: PLR0917 - fixtures and the columns of a table
    archal, folder, monkeypatch, args, code, loaded, never
):
    """It loads no other command but one that it builds on, and no part of the package that it does not use."""
    monkeypatch.setenv("AGENT_TASK", "x")

    ended, modules = started(folder, *args.split())

    assert ended.returncode == code, ended.stderr
    assert commands(modules) == loaded
    assert "click" in modules
    assert not modules & never


def test_the_list_of_commands_is_what_they_say_of_themselves():
    """One command a module, with the name and the first line of its help."""
    folder = Path(archal_lambda.cli.__file__).parent
    helpers = {"app", "command", "options"}
    modules = {path.stem for path in folder.glob("[!_]*.py")} - helpers
    listed = {name: app.commands[name].get_short_help_str(limit=120) for name in app.commands}
    found = {name: getattr(import_module(f"archal_lambda.cli.{name}"), name) for name in modules}

    assert listed == COMMANDS
    assert list(COMMANDS) == sorted(modules)
    assert {
        name: command.get_short_help_str(limit=120) for name, command in found.items()
    } == listed
    assert all(command.name == name for name, command in found.items())


def test_help_lists_every_command_on_one_line(cli, monkeypatch):
    """As click formats it, on a terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    code, out, _ = cli("--help")

    assert code == 0
    assert [line.split(maxsplit=1) for line in out.partition("Commands:\n")[2].splitlines()] == [
        [name, text] for name, text in COMMANDS.items()
    ]


def test_a_mistyped_command_is_corrected(cli):
    """Nothing has to be loaded for that either."""
    code, _, err = cli("sesion")

    assert code == 2
    assert "'session'" in err


@pytest.mark.parametrize(
    ("args", "code"),
    [("env", 0), ("local", 1), ("demo", 1), ("invoke Mine -t mine.py", 1), ("serve -t mine.py", 1)],
)
def test_a_part_of_the_extra_is_missed_where_it_is_needed(archal, folder, args, code):
    """Then the message says what to install; what does without it works."""
    missing = ("rich", "starlette", "uvicorn", "yaml")

    ended, _ = started(folder, *args.split(), without=missing)

    assert ended.returncode == code, ended.stderr
    assert ("pip install 'archal-lambda[local]'" in ended.stderr) == (code == 1)
    assert "Traceback" not in ended.stderr
