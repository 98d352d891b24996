"""The command `archal-lambda`.

This module owns the entry point, and the message if the extra `local` or a stream is missing. It must not import
anything else at once: the commands are in the modules beside it, and each is loaded when it is called.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit."""
    try:
        from archal_lambda.cli.app import run  # noqa: PLC0415 - the extra may be missing

        if sys.stdout is None or sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
            sys.exit("archal-lambda: error: stdout and stderr must be open")
        code = run()
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:  # here, or where a command or a part of one is loaded
        if error.name is not None and error.name.startswith("archal_lambda"):
            raise
        sys.exit("archal-lambda: error: the command line needs: pip install 'archal-lambda[local]'")
    sys.exit(code)
