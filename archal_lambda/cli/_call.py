"""`archal-lambda call`: one route-authorized request from the shell."""

from __future__ import annotations

import json
import sys

import click

from archal_lambda.clones import Clones
from archal_lambda.core.response import status_error

__all__ = ["call"]

_FAILURE = 400


@click.command()
@click.argument("clone")
@click.argument("method")
@click.argument("path")
@click.option("-d", "--data", metavar="JSON", help="JSON body, or - to read it from stdin.")
@click.option("--token", help="Service credential the clone sees, sent as a bearer.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="May be repeated."
)
@click.option("--timeout", default=15.0, show_default=True, help="Seconds for the whole call.")
@click.option("-i", "--include", is_flag=True, help="Print the answer's headers too.")
@click.option("-f", "--fail", is_flag=True, help="Exit with 1 if the status is 400 or more.")
def call(  # noqa: PLR0913, PLR0917 - one argument for each option; click passes them by name
    clone: str,
    method: str,
    path: str,
    data: str | None,
    token: str | None,
    headers: tuple[str, ...],
    timeout: float,
    *,
    include: bool,
    fail: bool,
) -> int:
    """Call METHOD PATH on CLONE with both headers, and print the body of the answer.

    The route comes from the environment. PATH is below the clone's base, such as /user/repos.
    """
    pairs = [_header(text) for text in headers]
    body = _json_body(data)
    if body is not None and not any(name.lower() == "content-type" for name, _ in pairs):
        pairs.append(("Content-Type", "application/json"))
    with Clones.from_env() as clones:
        response = clones[clone].request(
            method, path, content=body, token=token, headers=pairs, timeout=timeout
        )
    if response.rejected_by == "route":
        raise status_error(response, method=method.upper(), url=path.partition("?")[0])
    click.echo(f"{response.status_code}  {response.elapsed * 1000:.0f} ms", err=True)
    if include:
        click.echo("".join(f"{name}: {value}\n" for name, value in response.headers.pairs))
    sys.stdout.flush()
    sys.stdout.buffer.write(response.content)
    if response.content and sys.stdout.isatty():
        click.echo()
    sys.stdout.flush()
    return int(fail and response.status_code >= _FAILURE)


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise click.UsageError("--header must be NAME:VALUE")
    return name.strip(), value.strip()


def _json_body(data: str | None) -> bytes | None:
    if data is None:
        return None
    if data == "-" and sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison] - closed by the shell
        raise click.UsageError("--data - reads stdin, which is closed")
    try:
        text = sys.stdin.read() if data == "-" else data
        json.loads(text, parse_constant=_no_number)
        return text.encode()
    except (ValueError, RecursionError):
        pass
    raise click.UsageError("--data must be JSON")


def _no_number(_: str) -> None:
    raise ValueError  # NaN and the infinities, which are no JSON (RFC 8259, section 6)
