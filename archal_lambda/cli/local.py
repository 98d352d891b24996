"""`archal-lambda local`: the offline Archal as a program.

This module owns what the commands show of the local Archal, and how they open a session on it. It must not depend on
how the local Archal works.
"""

from __future__ import annotations

import json
import signal
import threading
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

import click

from archal_lambda import Settings
from archal_lambda.cli._faults import FaultText
from archal_lambda.cli.env import as_text
from archal_lambda.local import LocalArchal

if TYPE_CHECKING:
    from collections.abc import Generator

    from archal_lambda.local import RecordedRequest
    from archal_lambda.testing import Fault

__all__ = ["local", "local_session", "request_line"]


@click.command()
@click.option(
    "--port",
    default=0,
    show_default="any free one",
    type=click.IntRange(0, 65_535),
    help="TCP port on 127.0.0.1.",
)
@click.option(
    "--clone",
    "clones",
    multiple=True,
    default=("github",),
    show_default=True,
    help="A clone; may be repeated.",
)
@click.option("--startup-delay", default=0.0, help="Seconds a session stays `starting`.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=FaultText(),
    help="A fault to play, as 'github POST /repos/*/*/issues status=503 times=2'; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--list-routes", is_flag=True, help="Print what the clones have built, and end.")
def local(  # noqa: PLR0913 - one for each option
    port: int,
    clones: tuple[str, ...],
    startup_delay: float,
    faults: tuple[Fault, ...],
    *,
    as_json: bool,
    list_routes: bool,
) -> None:
    """Run an offline Archal on this machine until Ctrl-C or SIGTERM.

    Prints the variables to set on stdout, and each request on stderr as it comes: in colour on a terminal if the
    service has what was asked for, and the clone has not built it.
    """
    if list_routes:
        for clone, routes in LocalArchal(clones=clones).routes.items():
            for method, path in routes:
                click.echo(f"{clone}  {method:6} {path}")
        return
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
    for fault in faults:
        archal.fault(fault)
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
                f"# The local Archal runs at {archal.api_url} until Ctrl-C. In another shell:"
            )
            click.echo(as_text(archal.environ, "shell"))
        stop.wait()


def request_line(record: RecordedRequest) -> str:
    """Show a request in one line, without header, query or body."""
    seen = ""
    if record.clone is not None:
        tool = f" {record.tool}" if record.tool else ""
        seen = f"  -> {record.clone}{tool}" if record.clone_saw else "  stopped at the route"
    if record.fault is not None:
        seen = f"{seen if record.clone_saw else ''}  fault: {record.fault}"
    line = f"{record.method:6} {record.path}  {record.status}  {record.duration_ms:.1f} ms{seen}"
    if record.status == HTTPStatus.NOT_IMPLEMENTED and record.clone_saw:
        # `click.echo` takes the colour off where there is no terminal.
        return click.style(f"{line}  not built here: see --list-routes", fg="yellow")
    return line


@contextmanager
def local_session(archal: LocalArchal) -> Generator[Settings]:
    """Open a session on a local Archal through its control plane; delete it at the end."""
    from archal_lambda import ArchalClient  # noqa: PLC0415 - the stand-in alone calls nobody

    with (
        ArchalClient.from_env(archal.environ) as client,
        client.sessions.open(clones=["github"]) as hosted,
    ):
        # The control plane's address comes along: nothing a handler does here may reach the real one.
        session = hosted.session
        settings = Settings.from_env(archal.environ)
        yield settings.of_session(session.session_id, session.api_base_urls)
