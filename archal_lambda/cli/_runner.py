"""The child process that runs a handler the way Lambda does.

Run as `python -m archal_lambda.cli._runner`: it reads one JSON object on stdin and writes the outcome as one JSON
object on stdout. Everything the handler prints goes to stderr. It must not decide what is run.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

from archal_lambda.local import LocalContext

__all__ = ["main"]


def main() -> None:
    """Run the handler named on stdin, once."""
    order = json.load(sys.stdin)
    # From here on stdout is the handler's, and belongs to the log; the outcome has a descriptor of its own.
    outcome_fd = os.dup(1)
    os.dup2(2, 1)
    sys.path.insert(0, order["root"])
    outcome = _outcome(order)
    sys.stdout.flush()
    with os.fdopen(outcome_fd, "w", encoding="utf-8") as stream:
        json.dump(outcome, stream)


def _outcome(order: dict[str, Any]) -> dict[str, Any]:
    module, _, function = order["handler"].rpartition(".")
    try:
        handler = getattr(importlib.import_module(module.replace("/", ".")), function, None)
    except ImportError as error:
        message = f"Unable to import module '{module}': {error}"
        return _failed("Runtime.ImportModuleError", message)
    except Exception as error:  # noqa: BLE001 - whatever importing a handler raises is the outcome
        return _raised(error)
    if handler is None:
        message = f"Handler '{function}' missing on module '{module}'"
        return _failed("Runtime.HandlerNotFound", message)
    # As on Lambda the time starts after initialisation, and running out of it ends the process.
    signal.setitimer(signal.ITIMER_REAL, order["timeout"])
    context = LocalContext(
        timeout=order["timeout"],
        function_name=order["name"],
        memory_limit_in_mb=order["memory"],
    )
    try:
        result = handler(order["event"], context)
        json.dumps(result)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the outcome
        return _raised(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"result": result}


def _raised(error: Exception) -> dict[str, Any]:
    trace = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return _failed(type(error).__name__, str(error), trace)


def _failed(kind: str, message: str, trace: list[str] | None = None) -> dict[str, Any]:
    # The runtime's own error object (AWS Lambda Developer Guide, "Python function errors").
    return {"error": {"errorType": kind, "errorMessage": message, "stackTrace": trace or []}}


if __name__ == "__main__":
    main()
