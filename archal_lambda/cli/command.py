"""A command that runs beside the local Archal, as `archal-lambda local -- CMD` does.

This module owns how a command is started, which signals it is passed, and how its end becomes an exit code. It must not
touch its streams.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import TYPE_CHECKING

import click

from archal_lambda.core.settings import process_environ

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["run_command"]

_PASSED = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]


# The exit codes are those of shells (POSIX, section 2.8.2).
class _NotFoundError(click.ClickException):
    exit_code = 127


class _NotStartedError(click.ClickException):
    exit_code = 126


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> int:
    """Run a command with variables set on top of the environment; give its status, or 128 and its signal."""
    child: subprocess.Popen[bytes] | None = None
    early: list[int] = []

    def pass_on(number: int, _frame: object) -> None:
        if number == signal.SIGINT and _has_the_keyboard():
            return  # the terminal has sent it to the command, too
        if child is None:
            early.append(number)
        else:
            child.send_signal(number)

    # What is ignored, as under nohup, stays so, for the command as well.
    heard = [number for number in _PASSED if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, pass_on) for number in heard}
    try:
        try:
            child = subprocess.Popen(list(command), env=process_environ(variables))  # noqa: S603 - the user's own
        except OSError as error:
            raise _refused(command[0], error) from None
        for number in early:
            child.send_signal(number)
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 128 - status if status < 0 else status


def _has_the_keyboard() -> bool:
    """Tell whether this process is in the terminal's foreground, whose members all get a Ctrl-C."""
    if os.name != "posix":
        return True  # a console does the same
    with contextlib.suppress(OSError):  # there is no terminal
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
        try:
            return os.tcgetpgrp(terminal) == os.getpgrp()
        finally:
            os.close(terminal)
    return False


def _refused(program: str, error: OSError) -> click.ClickException:
    if isinstance(error, FileNotFoundError):
        return _NotFoundError(f"{program}: the command is not found")
    return _NotStartedError(f"{program}: {error.strerror or 'it does not start'}")
