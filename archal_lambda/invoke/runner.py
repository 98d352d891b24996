"""The child process that runs a handler as Lambda does.

Run as `python -P …/runner.py`: it reads one JSON object on stdin and writes the outcome as one JSON object on stdout.
Everything the handler prints goes to stderr. It must not decide what is run, and must not import anything but the
standard library, and little of that: a module that is loaded here hides the handler's own of the same name.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import ModuleType

__all__ = ["main"]


def main() -> None:
    """Run the handler named on stdin, once."""
    # An exception runs what cleans up: a handler may have a session to stop.
    signal.signal(signal.SIGTERM, _end)
    order = json.load(sys.stdin)
    # From here on stdout is the handler's, and belongs to the log; the outcome has a descriptor of its own.
    outcome_fd = os.dup(1)
    os.dup2(2, 1)
    context = _load("_context", order.pop("context"))
    sys.path.insert(0, order.pop("root"))
    outcome = _outcome(context, **order)
    sys.stdout.flush()
    with os.fdopen(outcome_fd, "w", encoding="utf-8") as stream:
        json.dump(outcome, stream)


def _end(number: int, _: object) -> None:
    raise SystemExit(128 + number)


def _load(name: str, path: str) -> ModuleType:
    # By its path: an import by name would load the packages around it. Nor does `sys.modules` have it.
    module = ModuleType(name)
    SourceFileLoader(name, path).exec_module(module)
    return module


def _outcome(  # noqa: PLR0913 - the parts of an order, each by name
    context: ModuleType, *, handler: str, name: str, timeout: float, memory: int, event: object
) -> dict[str, object]:
    module, _, attribute = handler.rpartition(".")
    try:
        function = getattr(import_module(module.replace("/", ".")), attribute, None)
    except ImportError as error:
        message = f"Unable to import module '{module}': {error}"
        return _failed("Runtime.ImportModuleError", message)
    except Exception as error:  # noqa: BLE001 - whatever importing a handler raises is the outcome
        return _raised(error)
    if function is None:
        message = f"Handler '{attribute}' missing on module '{module}'"
        return _failed("Runtime.HandlerNotFound", message)
    # As on Lambda the time starts after initialisation, and running out of it ends the process.
    signal.setitimer(signal.ITIMER_REAL, timeout)
    its_context = context.LocalContext(
        timeout=timeout, function_name=name, memory_limit_in_mb=memory
    )
    try:
        result = function(event, its_context)
        json.dumps(result)
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the outcome
        return _raised(error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"result": result}


def _raised(error: Exception) -> dict[str, object]:
    import traceback  # noqa: PLC0415 - only a failure needs it

    trace = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    return _failed(type(error).__name__, str(error), trace)


def _failed(kind: str, message: str, trace: list[str] | None = None) -> dict[str, object]:
    # The runtime's own error object (AWS Lambda Developer Guide, "Python function errors").
    return {"error": {"errorType": kind, "errorMessage": message, "stackTrace": trace or []}}


if __name__ == "__main__":
    main()
