"""`archal-lambda invoke`: run a handler with an event.

This module owns what is shown of an invocation. It must not load the local Archal unless asked to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from archal_lambda.cli.options import check_seeds, seed_option
from archal_lambda.invoke import find_function

__all__ = ["invoke"]


class _Event(click.Path):
    """An event, decoded: of a file, of stdin, or as it is written."""

    def convert(
        self,
        value: Any,  # noqa: ANN401 - click's own type
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> Any:  # noqa: ANN401 - JSON may be anything
        text = str(value)
        if text == "-":
            return _decoded(_stdin(), "stdin")
        if text.lstrip("\ufeff \t\r\n").startswith(("{", "[")):
            return _decoded(text, "--event")
        super().convert(value, param, ctx)
        return _decoded(Path(text).read_bytes(), text)


@click.command()
@click.argument("handler_or_function")
@click.option(
    "-e",
    "--event",
    type=_Event(exists=True, dir_okay=False),
    default="{}",
    metavar="FILE|-|JSON",
    help="The event: a file with JSON, - for stdin, or JSON itself.",
)
@click.option(
    "--local", "on_local", is_flag=True, help="Start an offline Archal for the invocation."
)
@seed_option
@click.option(
    "-t",
    "--template",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("template.yaml"),
    show_default=True,
    help="SAM template.",
)
def invoke(
    handler_or_function: str,
    event: object,
    template: Path,
    seeds: dict[str, str | Path],
    *,
    on_local: bool,
) -> int:
    """Run a handler once and print what it returns.

    HANDLER_OR_FUNCTION is module.function, or a function of the template, with its timeout and environment. The
    handler's log goes to stderr.
    """
    check_seeds(seeds, on_local=on_local)
    function = find_function(handler_or_function, template)
    if on_local:
        # A server and its framework, loaded only for those who ask for them.
        from archal_lambda.cli.local import invoke_locally  # noqa: PLC0415 - see above

        outcome = invoke_locally(function, event, seeds=seeds)
    else:
        outcome = function.invoke(event)
    sys.stdout.flush()
    if outcome.error is None:
        click.echo(json.dumps(outcome.result, indent=2))
        return 0
    click.echo(json.dumps(outcome.error, indent=2))
    kind, message = outcome.error["errorType"], outcome.error["errorMessage"]
    raise click.ClickException(f"{handler_or_function}: {kind}: {message}")


def _stdin() -> bytes | str:
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        raise click.UsageError("--event - reads stdin, which is closed")
    return getattr(sys.stdin, "buffer", sys.stdin).read()


def _decoded(content: bytes | str, where: str) -> object:
    try:
        # Of bytes it finds out the encoding, and leaves out a byte order mark.
        return json.loads(content.removeprefix("\ufeff") if isinstance(content, str) else content)
    except (ValueError, RecursionError):
        pass
    raise click.UsageError(f"{where} is not JSON")
