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
from types import CoroutineType, ModuleType

__all__ = ["main"]

_MAX_RESULT = 6_291_556  # bytes; Lambda refuses one more


def main() -> None:
    """Run the handler named on stdin, once."""
    # An exception runs what cleans up: a handler may have a session to stop.
    signal.signal(signal.SIGTERM, _end)
    order = json.load(sys.stdin)
    # From here on stdout is the handler's, and belongs to the log; the outcome has a descriptor of its own.
    outcome_fd = os.dup(1)
    os.dup2(2, 1)
    process = os.getpid()
    # A process that the handler forks and leaves behind must not keep the outcome open.
    os.register_at_fork(after_in_child=lambda: os.close(outcome_fd))
    context = _load("_context", order.pop("context"))
    sys.path.insert(0, order.pop("root"))
    outcome = _outcome(context, **order)
    try:  # noqa: SIM105 - contextlib is one more module
        sys.stdout.flush()
    except (AttributeError, ValueError, OSError):
        pass  # the handler closed or replaced it
    if os.getpid() == process:  # what a handler forked may come by here, too
        with os.fdopen(outcome_fd, "w", encoding="utf-8") as stream:
            json.dump(outcome, stream)
    # Lambda waits for no thread and runs nothing at the exit: it freezes the process.
    os._exit(0)


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
        return _failed("Runtime.ImportModuleError", message, error)
    except SyntaxError as error:
        message = f"Syntax error in module '{module}': {error}"
        return _failed("Runtime.UserCodeSyntaxError", message, error)
    except Exception as error:  # noqa: BLE001 - whatever importing a handler raises is the outcome
        return _failed(type(error).__name__, str(error), error)
    if function is None:
        message = f"Handler '{attribute}' missing on module '{module}'"
        return _failed("Runtime.HandlerNotFound", message)
    # As on Lambda the time starts after initialisation, and running out of it ends the process.
    signal.setitimer(signal.ITIMER_REAL, timeout)
    its_context = context.LocalContext(
        timeout=timeout, function_name=name, memory_limit_in_mb=memory
    )
    try:
        return _encoded(function(event, its_context))
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is the outcome
        return _failed(type(error).__name__, str(error), error)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _encoded(result: object) -> dict[str, object]:
    """Encode a result as AWS's runtime client does (awslambdaric 4.2, lambda_runtime_marshaller)."""
    if isinstance(result, CoroutineType):
        result.close()  # nobody awaits it
        plainly = "the handler is an async function, which Lambda calls without awaiting it"
        return _unmarshalled(f"Object of type coroutine is not JSON serializable: {plainly}")
    if isinstance(result, bytes):  # sent as they are
        text = result.decode(errors="replace")
        size = len(result)
    else:
        # From Python 3.12 on texts are not escaped to ASCII, but for two separators of lines.
        plain = sys.version_info >= (3, 12)
        try:
            text = _text(result, plain=plain)
        except Exception as error:  # noqa: BLE001 - as Lambda reports it
            return _unmarshalled(str(error))
        size = len(text.encode("utf-8", "surrogatepass"))
    if size > _MAX_RESULT:
        message = (
            f"Response payload size exceeded maximum allowed payload size ({_MAX_RESULT} bytes)."
        )
        return _failed("Function.ResponseSizeTooLarge", message)
    return {"result": text}


def _text(result: object, *, plain: bool) -> str:
    # A number of decimals is written digit by digit, which the standard library cannot: it gets a place of its own
    # that nothing else can look like, and is put there afterwards.
    place = os.urandom(16).hex()
    numbers: list[str] = []

    def extra(value: object) -> object:
        kind = getattr(sys.modules.get("decimal"), "Decimal", None)
        if kind is not None and isinstance(value, kind):
            number = str(value)
            numbers.append("NaN" if "NaN" in number else number)
            return place
        if isinstance(value, bytes):
            return value.decode()
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    text = json.dumps(_named(result), ensure_ascii=not plain, default=extra)
    first, *rest = text.split(f'"{place}"')
    text = first + "".join(number + piece for number, piece in zip(numbers, rest, strict=True))
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _named(value: object) -> object:
    # simplejson, which the runtime client has, makes objects of named tuples.
    if isinstance(value, dict):
        return {key: _named(value[key]) for key in value}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - of anything
    fields = getattr(value, "_asdict", None)
    if callable(fields):
        return _named(fields())
    return list(map(_named, value)) if isinstance(value, list | tuple) else value  # pyright: ignore[reportUnknownArgumentType] - as above


def _unmarshalled(reason: str) -> dict[str, object]:
    return _failed("Runtime.MarshalError", f"Unable to marshal response: {reason}")


def _failed(kind: str, message: str, error: Exception | None = None) -> dict[str, object]:
    # The runtime's own error object (AWS Lambda Developer Guide, "Python function errors"). The log gets it, too.
    trace = [] if error is None else _trace(error)
    head = ["Traceback (most recent call last):\n"] if trace else []
    sys.stdout.flush()
    sys.stderr.write("".join([f"[ERROR] {kind}: {message}\n", *head, *trace]))
    sys.stderr.flush()
    return {"error": {"errorType": kind, "errorMessage": message, "stackTrace": trace}}


def _trace(error: Exception) -> list[str]:
    """Format the frames from the handler's own on, without those that import it."""
    import traceback  # noqa: PLC0415 - only a failure needs it

    importing = ("<frozen importlib", import_module.__code__.co_filename)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)[1:]
        if not frame.filename.startswith(importing)
    ]
    # What cannot be parsed has no frame; where it stands is said by its last lines but one.
    place = traceback.format_exception_only(error)[:-1] if isinstance(error, SyntaxError) else []
    return [*traceback.format_list(frames), *place]


if __name__ == "__main__":
    main()
