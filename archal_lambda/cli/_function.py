"""Functions: found by name, run in a process of their own.

This module owns what `HANDLER_OR_FUNCTION` means, and the environment and limits a function gets. It must not
print.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import click
import yaml

from archal_lambda.core.settings import process_environ

__all__ = ["Function", "Outcome", "find_function"]

_DEFAULT_TIMEOUT = 60  # seconds; Lambda's own 3 s are too few for a first try by hand
_INIT_LIMIT = 30  # seconds for importing the handler; Lambda allows 10


@dataclass(frozen=True)
class Outcome:
    """How an invocation ended.

    Args:
        result: What the handler returned.
        error: Lambda's error object instead: `errorType`, `errorMessage`, `stackTrace`.
        log: What was printed, if it was captured.
    """

    result: Any = None
    error: dict[str, Any] | None = None
    log: str = ""


@dataclass(frozen=True)
class Function:
    """A function to invoke.

    Args:
        handler: `module.function`.
        name: Its name for the context.
        root: The folder whose modules it can import.
        timeout: Seconds of an invocation.
        memory: Megabytes, for the context.
        variables: Its environment variables.
    """

    handler: str
    name: str = "local"
    root: Path = field(default_factory=Path.cwd)
    timeout: int = _DEFAULT_TIMEOUT
    memory: int = 512
    variables: dict[str, str] = field(default_factory=dict[str, str])

    def invoke(self, event: object, variables: dict[str, str], *, capture: bool) -> Outcome:
        """Run the handler once.

        Args:
            event: The event.
            variables: Variables on top of the function's own.
            capture: Keep the log for the outcome instead of passing it on to stderr as it comes.

        Returns:
            How it ended.
        """
        order = {
            "handler": self.handler,
            "name": self.name,
            "root": str(self.root),
            "timeout": self.timeout,
            "memory": self.memory,
            "event": event,
        }
        try:
            child = subprocess.run(
                [sys.executable, "-m", "archal_lambda.cli._runner"],
                input=json.dumps(order),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if capture else None,
                env=self._environ(variables),
                text=True,
                encoding="utf-8",
                timeout=self.timeout + _INIT_LIMIT,
                check=False,
                # Ctrl-C is for us; we end the child.
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            return _failed("Sandbox.Timedout", f"not initialised after {_INIT_LIMIT} seconds", "")
        log = child.stderr or ""
        if child.returncode == -signal.SIGALRM:
            message = f"Task timed out after {self.timeout:.2f} seconds"
            return Outcome(
                error={"errorType": "Sandbox.Timedout", "errorMessage": message}, log=log
            )
        if child.returncode != 0 or not child.stdout:
            message = f"the process ended with exit code {child.returncode}"
            return Outcome(
                error={"errorType": "Runtime.ExitError", "errorMessage": message}, log=log
            )
        outcome = json.loads(child.stdout)
        return Outcome(outcome.get("result"), outcome.get("error"), log)

    def _environ(self, variables: dict[str, str]) -> dict[str, str]:
        # As `sam local` does it: what the shell has wins over the template, if it is declared there at all.
        declared = self.variables
        environ = process_environ({})
        shell = {name: environ[name] for name in declared if environ.get(name)}
        settings = {
            "AWS_LAMBDA_FUNCTION_NAME": self.name,
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(self.timeout),
        }
        return {**environ, **settings, **declared, **shell, **variables}


def _failed(kind: str, message: str, log: str) -> Outcome:
    return Outcome(error={"errorType": kind, "errorMessage": message}, log=log)


def find_function(name: str, template: Path, *, timeout: int | None = None) -> Function:
    """Find a function by what the user calls it.

    Args:
        name: `module.function`, or the logical id of a function in the template.
        template: A SAM template.
        timeout: Seconds of an invocation; None takes the template's.

    Returns:
        The function.

    Raises:
        click.UsageError: If there is none.
    """
    if "." in name:
        return Function(handler=name, timeout=timeout or _DEFAULT_TIMEOUT)
    if not template.is_file():
        raise click.UsageError(f"{name} is no module.function, and there is no {template}")
    document = _load(template)
    resources = document.get("Resources", {})
    known = [
        key for key, value in resources.items() if value.get("Type") == "AWS::Serverless::Function"
    ]
    if name not in known:
        raise click.UsageError(
            f"{template} has no function {name}; it has {', '.join(known) or 'none'}"
        )
    shared = document.get("Globals", {}).get("Function", {})
    own = resources[name].get("Properties", {})
    properties = {**shared, **own}
    variables = {**_variables(shared), **_variables(own)}
    return Function(
        handler=properties["Handler"],
        name=name,
        root=template.resolve().parent,
        timeout=timeout or int(properties.get("Timeout", 3)),
        memory=int(properties.get("MemorySize", 128)),
        variables=variables,
    )


class _Loader(yaml.SafeLoader):
    """Reads templates; CloudFormation's tags (!Ref and the like) become None."""


def _no_value(*_: object) -> None:
    return None


_Loader.add_multi_constructor("!", _no_value)  # pyright: ignore[reportUnknownMemberType] - untyped in PyYAML


def _load(template: Path) -> dict[str, Any]:
    try:
        document = yaml.load(template.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        document = None
    if not isinstance(document, dict):
        raise click.UsageError(f"{template} is no SAM template")
    return cast("dict[str, Any]", document)


def _variables(properties: dict[str, Any]) -> dict[str, str]:
    declared = properties.get("Environment", {}).get("Variables", {})
    return {name: value if isinstance(value, str) else "" for name, value in declared.items()}
