"""`archal-lambda serve`: HTTP in front of the functions of a template.

This module owns what is shown, and the end of everything that was started. It must not know how a request becomes an
event.
"""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archal_lambda.cli.options import check_seeds, seed_option
from archal_lambda.invoke import Children, find_function

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archal_lambda.invoke import Outcome
    from archal_lambda.invoke.routes import Route

__all__ = ["serve"]

_KEEP_ALIVE = 5.0  # seconds that an idle connection is kept


@click.command()
@click.option(
    "-t",
    "--template",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("template.yaml"),
    show_default=True,
    help="SAM template.",
)
@click.option(
    "--port",
    default=3000,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="TCP port on 127.0.0.1; 0 for any free one.",
)
@click.option("--local", "on_local", is_flag=True, help="Start an offline Archal for all of them.")
@click.option(
    "--clone", "clones", multiple=True, help="A clone of it; may be repeated.  [default: github]"
)
@seed_option
def serve(
    template: Path,
    port: int,
    clones: tuple[str, ...],
    seeds: dict[str, str | Path],
    *,
    on_local: bool,
) -> int:
    """Put HTTP in front of the template's functions until Ctrl-C.

    Serves functions with a Function URL, and with events of type HttpApi or Api, on 127.0.0.1 alone. Each request runs
    its function in a new process, as `invoke` does, so that changed code counts at once. What AWS would ask of a caller
    is not asked here.
    """
    check_seeds(seeds, on_local=on_local)
    if clones and not on_local:
        raise click.UsageError("--clone needs --local")
    from archal_lambda.invoke.routes import http_routes  # noqa: PLC0415 - what no other command needs

    routes = http_routes(template)
    functions = {route.function: find_function(route.function, template) for route in routes}
    # A server and its framework, loaded only when something is served.
    from archal_lambda import Settings  # noqa: PLC0415 - see above
    from archal_lambda.cli._front import Front  # noqa: PLC0415 - see above
    from archal_lambda.cli.local import request_line  # noqa: PLC0415 - see above
    from archal_lambda.local import LocalArchal  # noqa: PLC0415 - see above
    from archal_lambda.local.server.thread import HOST, ServerThread, listen  # noqa: PLC0415 - see above

    children = Children()
    with ExitStack() as stack:
        sock = listen(port)
        stack.callback(sock.close)
        settings: Settings | None = None
        beside = ""
        if on_local:
            archal = LocalArchal(
                clones=list(clones) or ["github"],
                seeds=seeds,
                on_request=lambda record: (
                    click.echo(f"  {request_line(record)}", err=True) if record.clone else None
                ),
            )
            stack.enter_context(archal)
            beside = f", with a local Archal at {archal.api_url}"
            settings = Settings.from_env(archal.environ)

        def run(name: str, event: object) -> Outcome:
            return functions[name].invoke(event, settings=settings, children=children)

        address = f"{HOST}:{sock.getsockname()[1]}"
        front = Front(routes, sock.getsockname()[1], run, lambda line: click.echo(line, err=True))
        stack.callback(front.close)
        server = ServerThread(
            front, sock, keep_alive=_KEEP_ALIVE, stopping=lambda: None, closing=_nothing
        )
        stack.callback(server.stop)
        stop = _stop_on_signals(children)
        server.start()
        _show(f"{address} until Ctrl-C{beside}", routes)
        stop.wait()
        front.close()
        children.end()
    return 0


def _stop_on_signals(children: Children) -> threading.Event:
    stop = threading.Event()

    def end(*_: object) -> None:
        if stop.is_set():
            children.kill()  # the second time, at once
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    return stop


async def _nothing() -> None:
    pass


def _show(address: str, routes: Sequence[Route]) -> None:
    click.echo(f"# http://{address}. Code is read anew for each request.")
    rows = [_row(route) for route in routes]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[4]]).rstrip())


def _row(route: Route) -> tuple[str, str, str, str, str]:
    guard = "" if route.guard is None else f"{route.guard} is not checked"
    return route.method, route.path, route.function, route.shape, guard
