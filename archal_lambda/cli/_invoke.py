"""`archal-lambda invoke`: run a handler with an event."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archal_lambda.cli._local import request_line
from archal_lambda.client import ArchalClient
from archal_lambda.core.settings import Settings
from archal_lambda.invoke import find_function
from archal_lambda.local import LocalArchal

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["invoke", "local_session"]


@click.command()
@click.argument("handler_or_function")
@click.option(
    "-e",
    "--event",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Event JSON.",
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
)
def invoke(handler_or_function: str, event: Path | None, template: Path, *, on_local: bool) -> int:
    """Run a handler once and print what it returns.

    HANDLER_OR_FUNCTION is module.function, or a function of the template, with its timeout and environment. The
    handler's log goes to stderr.
    """
    function = find_function(handler_or_function, template)
    payload = _read_event(event)
    if not on_local:
        outcome = function.invoke(payload)
    else:
        with LocalArchal() as archal, local_session(archal) as settings:
            outcome = function.invoke(payload, settings=settings)
            for record in archal.requests:
                if record.clone is not None:
                    click.echo(request_line(record), err=True)
    sys.stdout.flush()
    if outcome.error is None:
        click.echo(json.dumps(outcome.result, indent=2))
        return 0
    click.echo(json.dumps(outcome.error, indent=2))
    kind, message = outcome.error["errorType"], outcome.error["errorMessage"]
    raise click.ClickException(f"{handler_or_function}: {kind}: {message}")


@contextmanager
def local_session(archal: LocalArchal) -> Generator[Settings]:
    """Open a session on a local Archal through its control plane.

    Args:
        archal: The running stand-in.

    Yields:
        Settings for the session's clones; the session is deleted at the end.
    """
    with (
        ArchalClient.from_env(archal.environ) as client,
        client.sessions.open(clones=["github"]) as hosted,
    ):
        # The control plane's address comes along: nothing a handler does here may reach the real one.
        session = hosted.session
        local = Settings.from_env(archal.environ)
        yield local.of_session(session.session_id, session.api_base_urls)


def _read_event(path: Path | None) -> object:
    if path is None:
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        pass
    raise click.UsageError(f"{path} is not JSON")
