"""`archal-lambda session`: hosted sessions by hand.

This module owns how sessions are asked for and shown. It must not leave one running whose id was not printed.
"""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING

import click
import msgspec

from archal_lambda import ArchalClient
from archal_lambda.core.control_plane import may_exist, note_failed_cleanup

if TYPE_CHECKING:
    from archal_lambda import Session

__all__ = ["session"]


@click.group()
def session() -> None:
    """Create, watch and stop hosted sessions. A running session is billed until it is stopped."""


@session.command("create")
@click.option("--clone", "clones", multiple=True, required=True, help="A clone; may be repeated.")
@click.option(
    "--seed", "seeds", multiple=True, metavar="CLONE:SEED", help="A seed; may be repeated."
)
@click.option("--ttl", type=click.IntRange(1, 86_400), help="Lifetime in seconds.")
@click.option(
    "--rate-limit", type=click.IntRange(1, 100_000), help="Requests after which clones answer 429."
)
@click.option("--wait", is_flag=True, help="Wait until it is running.")
def _create(
    clones: tuple[str, ...],
    seeds: tuple[str, ...],
    ttl: int | None,
    rate_limit: int | None,
    *,
    wait: bool,
) -> None:
    """Create a session and print it as JSON."""
    pairs: dict[str, str] = {}
    for seed in seeds:
        clone, colon, pairs[clone] = seed.partition(":")
        if not (clone and colon and pairs[clone]):
            raise click.BadParameter(f"{seed!r} is not CLONE:SEED", param_hint="'--seed'")
    key = secrets.token_hex(16)
    with ArchalClient.from_env() as client:

        def create() -> Session:
            return client.sessions.create(
                clones=clones,
                ttl_seconds=ttl,
                rate_limit=rate_limit,
                seeds=pairs or None,
                idempotency_key=key,
            )

        session_id = ""
        try:
            made = create()
            session_id = made.session_id
            _show(_running(client, session_id, 120.0) if wait else made)
        except BaseException as error:
            # Nobody was told of the session yet, so nobody else would stop it. Its key finds it.
            if session_id or may_exist(error):
                with note_failed_cleanup(error):
                    client.sessions.delete(session_id or create().session_id)
            raise


@session.command("get")
@click.argument("session_id")
def _get(session_id: str) -> None:
    """Print one session as JSON."""
    with ArchalClient.from_env() as client:
        _show(client.sessions.get(session_id))


@session.command("list")
def _list() -> None:
    """Print the active sessions, one line of JSON each."""
    with ArchalClient.from_env() as client:
        sessions = client.sessions.list()
        for one in sessions:
            _show(one)
    for session_id in sessions.unreadable:
        click.echo(f"a session cannot be read: {session_id or 'it has no id'!a}", err=True)


@session.command("wait")
@click.argument("session_id")
@click.option("--timeout", default=120.0, show_default=True, help="Seconds to wait at most.")
def _wait(session_id: str, timeout: float) -> None:
    """Wait until a session is running and print it as JSON."""
    with ArchalClient.from_env() as client:
        _show(_running(client, session_id, timeout))


@session.command("delete")
@click.argument("session_id")
def _delete(session_id: str) -> None:
    """Stop a session."""
    with ArchalClient.from_env() as client:
        client.sessions.delete(session_id)
    click.echo(f"{session_id} is stopped", err=True)


def _running(client: ArchalClient, session_id: str, timeout: float) -> Session:
    if not sys.stderr.isatty():
        return client.sessions.wait_until_running(session_id, timeout=timeout)
    # Loaded only for a person who waits.
    from rich import progress as bars  # noqa: PLC0415 - see above
    from rich.console import Console  # noqa: PLC0415 - see above

    text = bars.TextColumn("{task.description}", markup=False)
    columns = bars.SpinnerColumn(), text, bars.TimeElapsedColumn()
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(session_id)

        def show(seen: Session, _: float) -> None:
            progress.update(task, description=f"{session_id} is {seen.status}")

        return client.sessions.wait_until_running(session_id, timeout=timeout, on_progress=show)


def _show(session: Session) -> None:
    sys.stdout.write(msgspec.json.encode(session).decode() + "\n")
