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
from archal_lambda.cli.command import run_command
from archal_lambda.cli.env import as_text
from archal_lambda.cli.options import read_secret, read_upstreams, seed_option
from archal_lambda.local import LocalArchal

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from archal_lambda.invoke import Function, Outcome
    from archal_lambda.local import RecordedRequest
    from archal_lambda.testing import Fault

__all__ = ["invoke_locally", "local", "local_session", "request_line"]


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
@seed_option
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="NAME=URL",
    callback=read_upstreams,
    help="A server of yours as the clone NAME; may be repeated.",
)
@click.option(
    "--emulated",
    multiple=True,
    metavar="NAME",
    help="Let npm's emulate run NAME, of which there is a clone here, too: github.",
)
@click.option(
    "--emulate-path",
    metavar="FOLDER",
    help="Where npm has installed emulate, instead of the cache.",
)
@click.option("--startup-delay", default=0.0, help="Seconds a session stays `starting`.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    type=FaultText(),
    help="A fault to play, as 'github POST /repos/*/*/issues status=503 times=2'; may be repeated.",
)
@click.option(
    "--deliver-to",
    "deliver_to",
    metavar="URL",
    help="A loopback address to tell what happens in the clones, as webhooks.",
)
@click.option(
    "--webhook-secret-env",
    "webhook_secret",
    metavar="NAME",
    callback=read_secret,
    help="The variable with the secret that these are signed with, instead of a random one.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON when ready.")
@click.option("--list-routes", is_flag=True, help="Print what the clones have built, and end.")
@click.option("--verbose", is_flag=True, help="Show the requests of CMD on stderr, too.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- CMD [ARG]...]")
def local(  # noqa: PLR0913 - one parameter for each option
    *,
    port: int,
    clones: tuple[str, ...],
    seeds: Mapping[str, str | Path],
    upstreams: Mapping[str, str],
    emulated: tuple[str, ...],
    emulate_path: str | None,
    startup_delay: float,
    faults: tuple[Fault, ...],
    deliver_to: str | None,
    webhook_secret: str | None,
    command: tuple[str, ...],
    as_json: bool,
    list_routes: bool,
    verbose: bool,
) -> int:
    """Run an offline Archal until Ctrl-C or SIGTERM, or while CMD runs.

    Prints the variables to set on stdout, and each request on stderr as it comes: in colour on a terminal if the
    service has what was asked for, and the clone has not built it. At the printed address a browser shows them, too.

    With CMD, sets the variables for CMD alone, prints nothing, passes signals on to CMD and ends with its status, 128
    and the number if a signal ended it, 127 if it is not found.
    """
    shows_secret = deliver_to is not None and webhook_secret is None
    wrong = {
        "--json is for programs that start no CMD": command and as_json,
        "with CMD, --deliver-to needs --webhook-secret-env": command and shows_secret,
        "--webhook-secret-env needs --deliver-to": webhook_secret and deliver_to is None,
    }
    for words in (words for words, is_so in wrong.items() if is_so):
        raise click.UsageError(words)
    shown = verbose or not command
    archal = LocalArchal(
        clones=clones,
        seeds=seeds,
        upstreams=upstreams,
        emulated=emulated,
        emulate_path=emulate_path,
        port=port,
        startup_delay=startup_delay,
        on_request=(lambda record: click.echo(request_line(record), err=True)) if shown else None,
    )
    for fault in faults:
        archal.fault(fault)
    if deliver_to is not None:
        archal.webhooks.deliver_to(deliver_to, secret=webhook_secret)
    if list_routes:
        _list_routes(archal)
        return 0
    if command:
        with archal:
            return run_command(command, archal.environ)
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with archal:
        _say_ready(archal, as_json=as_json, shows_secret=shows_secret)
        stop.wait()
    return 0


def _list_routes(archal: LocalArchal) -> None:
    for clone, routes in archal.routes.items():
        for method, path in routes:
            click.echo(f"{clone}  {method:6} {path}")


def _say_ready(archal: LocalArchal, *, as_json: bool, shows_secret: bool) -> None:
    """Print what a program needs to know; the secret of webhooks is one of these where nobody chose it."""
    if as_json:
        facts: dict[str, object] = {
            "api_url": archal.api_url,
            "runtime_url": archal.runtime_url,
            "token": archal.token,
            "session_id": archal.session_id,
            "environ": archal.environ,
        }
        if shows_secret:
            facts["webhook_secret"] = archal.webhooks.secret
        click.echo(json.dumps(facts))
        return
    click.echo(f"# The local Archal runs at {archal.api_url} until Ctrl-C. In another shell:")
    click.echo(as_text(archal.environ, "shell"))
    if shows_secret:
        click.echo(f"# Webhooks are signed with {archal.webhooks.secret}")


def request_line(record: RecordedRequest) -> str:
    """Show a request in one line, without header, query, body or the session's part of the path."""
    seen = ""
    path = record.path
    if record.session_id is not None:
        path = path.removeprefix(f"/runtime/{record.session_id}")
    if record.clone is not None:
        tool = f" {record.tool}" if record.tool else ""
        seen = f"  -> {record.clone}{tool}" if record.clone_saw else "  stopped at the route"
    if record.fault is not None:
        seen = f"{seen if record.clone_saw else ''}  fault: {record.fault}"
    line = f"{record.method:6} {path}  {record.status}  {record.duration_ms:.1f} ms{seen}"
    if record.status == HTTPStatus.NOT_IMPLEMENTED and record.clone_saw:
        # `click.echo` takes the colour off where there is no terminal.
        more = ": see --list-routes" if record.clone == "github" else ""
        return click.style(f"{line}  not built here{more}", fg="yellow")
    return line


@contextmanager
def local_session(archal: LocalArchal) -> Generator[Settings]:
    """Open a session like the ready one through a local Archal's control plane; delete it at the end."""
    from archal_lambda import ArchalClient  # noqa: PLC0415 - the stand-in alone calls nobody

    with (
        ArchalClient.from_env(archal.environ) as client,
        client.sessions.open(clones=list(archal.seeds), seeds=archal.seeds) as hosted,
    ):
        # The control plane's address comes along: nothing a handler does here may reach the real one.
        session = hosted.session
        settings = Settings.from_env(archal.environ)
        yield settings.of_session(session.session_id, session.api_base_urls)


def invoke_locally(
    function: Function, payload: object, *, seeds: Mapping[str, str | Path]
) -> Outcome:
    """Invoke a function with a local Archal of its own, and show on stderr what it asked of the clones."""
    with LocalArchal(seeds=seeds) as archal, local_session(archal) as settings:
        outcome = function.invoke(payload, settings=settings)
        for record in archal.requests:
            if record.clone is not None:
                click.echo(request_line(record), err=True)
    return outcome
