"""The list of commands, and the one place where errors become messages.

This module owns the names of the commands, what `--help` says of each, and the exit codes. It must not import a command
before it is called.
"""

from __future__ import annotations

import signal
from importlib import import_module

import click

from archal_lambda._version import __version__
from archal_lambda.errors import ArchalError, BadRequestError, McpError, SessionEndedError

__all__ = ["COMMANDS", "app", "run"]

COMMANDS = {
    "call": "Call METHOD PATH on CLONE with both headers; print the response.",
    "demo": "Create a repository on an offline GitHub, with a real handler.",
    "env": "Print the settings as variables for a shell, a .env file or SAM.",
    "harness": "Run a handler under the contract of `archal run`.",
    "invoke": "Run a handler once and print what it returns.",
    "local": "Run an offline Archal until Ctrl-C or SIGTERM, or while CMD runs.",
    "mcp": "Use the tools of CLONE by MCP: list them, or call one.",
    "serve": "Put HTTP in front of the template's functions until Ctrl-C.",
    "session": "Create, watch and stop hosted sessions.",
}


class _Commands(click.Group):
    """A group that knows each command by its name and a line of help, until one is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            # Each command is in the module of its name, under its name.
            command = getattr(import_module(f"archal_lambda.cli.{name}"), name)
        return name, command, rest


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archal-lambda")
def app() -> None:
    """Archal clones from AWS Lambda: try, call, invoke, and stand in for them."""


for _name, _text in COMMANDS.items():
    app.add_command(click.Command(_name, short_help=_text))


def run(args: list[str] | None = None) -> int:
    """Run one command. Return the exit code: 0 for success, 2 for wrong usage, 1 for everything else."""
    # An exception ends children, too; the default would leave them behind.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        result = app.main(args, prog_name="archal-lambda", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return 2
    except (
        click.ClickException,
        click.Abort,
        KeyboardInterrupt,
        ArchalError,
        ValueError,
        OSError,
        RuntimeError,
    ) as error:
        message, code = _described(error)
        message = " ".join([message, *getattr(error, "__notes__", [])])
        # One line, and nothing that a terminal obeys: parts of it are in the server's words.
        words = "".join(char if char.isprintable() else " " for char in message).split()
        click.echo(f"archal-lambda: error: {' '.join(words)}", err=True)
        return code
    return result if isinstance(result, int) else 0


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _described(error: BaseException) -> tuple[str, int]:
    if isinstance(error, click.ClickException):
        return error.format_message(), error.exit_code  # 2 for wrong usage
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, ArchalError):  # before the built-ins it may be, too
        reason = error.detail if isinstance(error, BadRequestError | McpError) else None
        reason = error.last_error if isinstance(error, SessionEndedError) else reason
        text = str(error)
        return f"{text}: {reason}" if reason and reason not in text else text, 1
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__, 1
    # An argument that a request refuses, or a local Archal that does not start or stop.
    return str(error), 2 if isinstance(error, ValueError) else 1
