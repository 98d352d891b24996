"""The command `archal-lambda`.

This module owns the entry point and how errors are shown: one line on stderr and a non-zero exit. What the
commands do is in the modules beside it.
"""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit."""
    try:
        from archal_lambda.cli._app import run  # noqa: PLC0415 - the extra may be missing
    except KeyboardInterrupt:
        sys.exit(130)
    except ImportError as error:
        if error.name is not None and error.name.startswith("archal_lambda"):
            raise
        sys.exit("archal-lambda: error: the command line needs: pip install 'archal-lambda[local]'")
    if sys.stdout is None or sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        sys.exit("archal-lambda: error: stdout and stderr must be open")
    sys.exit(run())
