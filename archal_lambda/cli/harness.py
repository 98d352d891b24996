"""`archal-lambda harness`: a handler as the agent that `archal run` starts.

This module owns the contract of `archal run`. It must not print anything but the one object to stdout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from archal_lambda.cli.options import check_seeds, seed_option
from archal_lambda.core.settings import process_environ
from archal_lambda.invoke import find_function

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archal_lambda.invoke import Outcome

__all__ = ["harness"]

_FAILED = 400


@click.command()
@click.argument("handler_or_function")
@click.option(
    "--timeout",
    type=click.IntRange(1, 86_400),
    default=170,
    show_default=True,
    help="Seconds; `archal run` itself waits 180.",
)
@click.option(
    "--local", "on_local", is_flag=True, help="Start an offline Archal for the invocation."
)
@seed_option
def harness(
    handler_or_function: str, timeout: int, seeds: dict[str, str | Path], *, on_local: bool
) -> int:
    """Run a handler under the contract of `archal run`.

    The task in AGENT_TASK becomes the event `{"task": …}`. The handler returns text, or `{"text": …, "calls": […]}`.
    Stdout gets exactly one JSON object, `{"text": …}`; the log goes to stderr; the exit code is 0 if there is a text.
    AGENT_METRICS_FILE and AGENT_TRACE_FILE are written where set. With ARCHAL_PREFLIGHT=1 nothing is run, and the exit
    code is 0.
    """
    check_seeds(seeds, on_local=on_local)
    environ = process_environ({})
    # Older versions of `archal run` ask first whether the agent starts at all.
    if environ.get("ARCHAL_PREFLIGHT") == "1":
        return 0
    task = environ.get("AGENT_TASK", "").strip()
    if not task:
        raise click.ClickException("AGENT_TASK is not set; it must contain the task's text")
    function = find_function(handler_or_function, Path("template.yaml"), timeout=timeout)
    if on_local:
        # A server and its framework, loaded only for those who ask for them.
        from archal_lambda.cli.local import invoke_locally  # noqa: PLC0415 - see above

        outcome = invoke_locally(function, {"task": task}, seeds=seeds)
    else:
        outcome = function.invoke({"task": task})
    text, calls = _read(outcome)
    trace = {"version": 1, "final": text, "events": calls}
    _write(environ, "AGENT_METRICS_FILE", _metrics(calls, completed=text is not None))
    _write(environ, "AGENT_TRACE_FILE", trace)
    if text is not None:
        click.echo(json.dumps({"text": text}))
        return 0
    if outcome.error is None:
        raise click.ClickException('the handler must return text, or an object with "text"')
    kind, message = outcome.error["errorType"], outcome.error["errorMessage"]
    raise click.ClickException(f"{handler_or_function}: {kind}: {message}")


def _read(outcome: Outcome) -> tuple[str | None, list[dict[str, Any]]]:
    result = outcome.result
    if isinstance(result, str):
        return result, []
    if not isinstance(result, dict):
        return None, []
    fields = cast("dict[str, Any]", result)
    text, calls = fields.get("text"), fields.get("calls")
    listed = cast("list[object]", calls) if isinstance(calls, list) else []
    made = [cast("dict[str, Any]", call) for call in listed if isinstance(call, dict)]
    return text if isinstance(text, str) else None, made


def _metrics(calls: list[dict[str, Any]], *, completed: bool) -> dict[str, Any]:
    statuses = [call.get("status") for call in calls]
    failed = sum(1 for status in statuses if not isinstance(status, int) or status >= _FAILED)
    return {
        "version": 1,
        "toolCallCount": len(calls),
        "toolErrorCount": failed,
        "exitReason": "completed" if completed else "error",
    }


def _write(environ: Mapping[str, str], variable: str, content: dict[str, Any]) -> None:
    path = environ.get(variable)
    if not path:
        return
    try:
        Path(path).write_text(json.dumps(content) + "\n", encoding="utf-8")
    except OSError as error:
        problem = error.strerror or type(error).__name__
        raise click.ClickException(f"{variable}: cannot write {path}: {problem}") from None
