"""`archal-lambda invoke`: run a handler with an event.

This module owns what is shown of an invocation. It must not load the local Archal unless asked to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archal_lambda.invoke import find_function

if TYPE_CHECKING:
    from archal_lambda.invoke import Function, Outcome

__all__ = ["invoke"]


@click.command()
@click.argument("handler_or_function")
@click.option(
    "-e",
    "--event",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the event as JSON.",
)
@click.option(
    "--local", "on_local", is_flag=True, help="Start an offline Archal for the invocation."
)
@click.option(
    "-t",
    "--template",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("template.yaml"),
    show_default=True,
    help="SAM template.",
)
def invoke(handler_or_function: str, event: Path | None, template: Path, *, on_local: bool) -> int:
    """Run a handler once and print what it returns.

    HANDLER_OR_FUNCTION is module.function, or a function of the template, with its timeout and environment. The
    handler's log goes to stderr.
    """
    function = find_function(handler_or_function, template)
    payload = _read_event(event)
    outcome = _invoke_locally(function, payload) if on_local else function.invoke(payload)
    sys.stdout.flush()
    if outcome.error is None:
        click.echo(json.dumps(outcome.result, indent=2))
        return 0
    click.echo(json.dumps(outcome.error, indent=2))
    kind, message = outcome.error["errorType"], outcome.error["errorMessage"]
    raise click.ClickException(f"{handler_or_function}: {kind}: {message}")


def _invoke_locally(function: Function, payload: object) -> Outcome:
    # A server and its framework, loaded only for those who ask for them.
    from archal_lambda.cli.local import local_session, request_line  # noqa: PLC0415 - see above
    from archal_lambda.local import LocalArchal  # noqa: PLC0415 - see above

    with LocalArchal() as archal, local_session(archal) as settings:
        outcome = function.invoke(payload, settings=settings)
        for record in archal.requests:
            if record.clone is not None:
                click.echo(request_line(record), err=True)
    return outcome


def _read_event(path: Path | None) -> object:
    if path is None:
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        pass
    raise click.UsageError(f"{path} is not JSON")
