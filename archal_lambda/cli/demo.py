"""`archal-lambda demo`: the whole thing once, offline.

This module owns what the demonstration shows. It must not need a network or an account.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape

import archal_lambda
from archal_lambda.cli.local import local_session
from archal_lambda.cli.options import seed_option
from archal_lambda.invoke import Function
from archal_lambda.local import LocalArchal

if TYPE_CHECKING:
    from archal_lambda.invoke import Outcome
    from archal_lambda.local import RecordedHeaders, RecordedRequest

__all__ = ["demo"]

_HANDLER = "archal_lambda.handlers.create_repo.handler"
_EVENT = "create_repo.json"
_CREATED = 201


@click.command()
@seed_option
def demo(seeds: dict[str, str | Path]) -> int:
    """Create a repository on an offline GitHub, with a real handler."""
    console = Console(highlight=False, soft_wrap=True)
    event = json.loads(_event_file().read_text(encoding="utf-8"))
    with LocalArchal(seeds=seeds) as archal:
        _step(console, f"the local Archal runs at {archal.api_url}")
        with local_session(archal) as settings:
            _step(console, f"session {settings.session_id} created through the control plane")
            _step(console, f"invoking {_HANDLER} with events/{_EVENT}")
            function = Function(
                _HANDLER, name="CreateRepo", variables={"POWERTOOLS_SERVICE_NAME": "demo"}
            )
            outcome = function.invoke(event, settings=settings, capture=True)
        _step(console, f"session {settings.session_id} deleted")
        calls = [record for record in archal.requests if record.clone is not None]
    _show(console, outcome, calls)
    return 0 if _went_well(outcome, calls) else 1


def _step(console: Console, text: str) -> None:
    console.print(f"[bold green]*[/] {escape(text)}")


def _show(console: Console, outcome: Outcome, calls: list[RecordedRequest]) -> None:
    console.print("\n[bold]The handler's log[/]")
    console.print(escape(outcome.log.strip()))
    console.print("\n[bold]The handler's response[/]")
    console.print(escape(json.dumps(outcome.error or outcome.result, indent=2)))
    for call in calls:
        console.print("\n[bold]What the clone saw[/]")
        if call.clone_saw is None:
            console.print(f"nothing: the route responded with {call.status}")
            continue
        console.print(escape(f"{call.clone_saw.method} {call.clone_saw.path}"))
        for name in ("authorization", "x-route-authorization"):
            console.print(
                f"{name}: {'present' if _has(call.clone_saw.headers, name) else 'stripped'}"
            )


def _went_well(outcome: Outcome, calls: list[RecordedRequest]) -> bool:
    seen = [call.clone_saw.headers for call in calls if call.clone_saw is not None]
    return (
        outcome.error is None
        and outcome.result["statusCode"] == _CREATED
        and bool(seen)
        and all(_has(h, "authorization") and not _has(h, "x-route-authorization") for h in seen)
    )


def _has(headers: RecordedHeaders, name: str) -> bool:
    return any(key.lower() == name for key, _ in headers)


def _event_file() -> Path:
    # In a wheel the events are inside the package; in a checkout they stand beside it.
    package = Path(archal_lambda.__file__).parent
    inside = package / "events" / _EVENT
    return inside if inside.is_file() else package.parent / "events" / _EVENT
