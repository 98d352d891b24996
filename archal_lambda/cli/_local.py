"""`archal-lambda local`: the offline Archal as a program."""

from __future__ import annotations

import json
import signal
import threading
from typing import TYPE_CHECKING

import click

from archal_lambda.cli._env import as_text
from archal_lambda.local import LocalArchal

if TYPE_CHECKING:
    from archal_lambda.local import RecordedRequest

__all__ = ["local", "request_line"]


@click.command()
@click.option("--port", default=0, show_default="any free one", type=click.IntRange(0, 65_535))
@click.option("--clone", "clones", multiple=True, default=("github",), show_default=True)
@click.option("--startup-delay", default=0.0, help="Seconds a session stays in `starting`.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
def local(port: int, clones: tuple[str, ...], startup_delay: float, *, as_json: bool) -> None:
    """Stand in for Archal on this machine until Ctrl-C or SIGTERM.

    Prints the variables to set on stdout, and each request on stderr as it comes.
    """
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    archal = LocalArchal(
        clones=clones,
        port=port,
        startup_delay=startup_delay,
        on_request=lambda record: click.echo(request_line(record), err=True),
    )
    with archal:
        if as_json:
            facts = {
                "api_url": archal.api_url,
                "runtime_url": archal.runtime_url,
                "token": archal.token,
                "session_id": archal.session_id,
                "environ": archal.environ,
            }
            click.echo(json.dumps(facts))
        else:
            click.echo(
                f"# Archal stands in at {archal.api_url}; end it with Ctrl-C. In another shell:"
            )
            click.echo(as_text(archal.environ, "shell"))
        stop.wait()


def request_line(record: RecordedRequest) -> str:
    """Show a request in one line.

    Args:
        record: What the stand-in recorded.

    Returns:
        Method, path, status, duration, and whether a clone saw it; no header, query or body.
    """
    seen = ""
    if record.clone is not None:
        seen = f"  -> {record.clone}" if record.clone_saw else "  stopped at the route"
    return f"{record.method:6} {record.path}  {record.status}  {record.duration_ms:.1f} ms{seen}"
