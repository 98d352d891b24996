"""Functions, run in a process of their own.

This module owns the environment and the limits of a function, and how its end is read. It must not print.
"""
# Annotations are evaluated here, so that the hints of the dataclasses resolve wherever they are asked for.

import json
import signal
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from archal_lambda.core.environment import is_setting
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import Settings, process_environ
from archal_lambda.invoke.children import Children

__all__ = ["DEFAULT_TIMEOUT", "Function", "Outcome"]

DEFAULT_TIMEOUT = 60  # seconds; Lambda's own 3 s are too few for a first try by hand
_INIT_LIMIT = 30  # seconds for importing the handler; Lambda allows 10
_END_LIMIT = 10  # seconds for what a handler does when it is interrupted; a second interruption ends it at once
_DURABLE = (
    "a durable function needs Lambda's durable execution service, which is not here; try it with "
    "DurableFunctionTestRunner of aws-durable-execution-sdk-python-testing"
)
_PACKAGE = Path(__file__).parents[1]
_RUNNER = _PACKAGE / "invoke" / "runner.py"
_CONTEXT = _PACKAGE / "testing" / "context.py"


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended.

    Args:
        result: What the handler returned, as its JSON says it; text where that cannot be decoded.
        error: Lambda's error object instead: `errorType`, `errorMessage`, `stackTrace`.
        log: What the function printed, if it was captured.
    """

    __module__ = "archal_lambda.invoke"

    result: Any = None
    error: dict[str, Any] | None = None
    log: str = ""


@dataclass(frozen=True)
class Function:
    """A function to invoke.

    Args:
        handler: `module.function`.
        name: Its name, as the context and `AWS_LAMBDA_FUNCTION_NAME` give it.
        root: The folder whose modules it can import.
        timeout: Seconds of an invocation.
        memory: Megabytes, as the context gives them.
        variables: Its environment variables.
        durable: Whether it is a durable function. Lambda runs such a one many times and keeps its state in between, so
            it is not run here.
    """

    __module__ = "archal_lambda.invoke"

    handler: str
    name: str = "local"
    root: Path = field(default_factory=Path.cwd)
    timeout: int = DEFAULT_TIMEOUT
    memory: int = 512
    variables: dict[str, str] = field(default_factory=dict[str, str])
    durable: bool = False

    @guarded
    def invoke(
        self,
        event: object,
        *,
        settings: Settings | None = None,
        capture: bool = False,
        children: Children | None = None,
    ) -> Outcome:
        """Run the handler once.

        Args:
            event: The event.
            settings: The settings it gets, in place of any of this process or the template. None leaves those as they
                are.
            capture: Keep the log for the outcome, instead of passing it on to stderr as it comes.
            children: What can end the process from another thread.

        Returns:
            How it ended.
        """
        if self.durable:
            return _failed("Sandbox.DurableFunction", _DURABLE)
        order = {
            "handler": self.handler,
            "name": self.name,
            "root": str(self.root),
            "timeout": self.timeout,
            "memory": self.memory,
            "event": event,
            "context": str(_CONTEXT),
        }
        with (
            # A file, not a pipe: a process that the handler leaves behind would keep that open.
            TemporaryFile() as logged,
            subprocess.Popen(  # noqa: S603 - our own runner, without a shell
                # -P keeps the runner's own folder off `sys.path`.
                [sys.executable, "-P", str(_RUNNER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=logged if capture else None,
                env=self._environ(settings),
                text=True,
                encoding="utf-8",
                # Ctrl-C is for us; we end the child.
                start_new_session=True,
            ) as child,
            nullcontext() if children is None else children.watch(child),
        ):
            try:
                output, _ = child.communicate(json.dumps(order), self.timeout + _INIT_LIMIT)
            except subprocess.TimeoutExpired:
                child.kill()
                reason = f"not initialised after {_INIT_LIMIT} seconds"
                return _failed("Sandbox.Timedout", reason, _text(logged))
            except BaseException:
                _end(child)
                raise
            return self._outcome(child.returncode, output, _text(logged))

    def _outcome(self, code: int, output: str, log: str) -> Outcome:
        if code == -signal.SIGALRM:
            message = f"Task timed out after {self.timeout:.2f} seconds"
            return _failed("Sandbox.Timedout", message, log)
        if code != 0 or not output:
            message = f"the process ended with exit code {code}"
            return _failed("Runtime.ExitError", message, log)
        outcome = json.loads(output)
        return Outcome(_decoded(outcome.get("result", "null")), outcome.get("error"), log)

    def _environ(self, settings: Settings | None) -> dict[str, str]:
        # As `sam local` does it: what the shell has wins over the template, if it is declared there at all.
        process = process_environ({})
        shell = {name: process[name] for name in self.variables if process.get(name)}
        lambdas = {
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout),
        }
        environ = {**process, **lambdas, **self.variables, **shell}
        if settings is None:
            return environ
        # One left over could lead a call to the real Archal, or fail it.
        others = {name: text for name, text in environ.items() if not is_setting(name)}
        return others | settings.variables()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _end(child: subprocess.Popen[str]) -> None:
    # A handler that is interrupted may have a session to stop; one that takes too long is killed.
    try:
        child.terminate()
        child.communicate(timeout=_END_LIMIT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        child.kill()


def _failed(kind: str, message: str, log: str = "") -> Outcome:
    return Outcome(error={"errorType": kind, "errorMessage": message}, log=log)


def _decoded(text: str) -> object:
    # A handler may return bytes, which Lambda passes on whatever they are, or numbers of thousands of digits.
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
