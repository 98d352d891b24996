"""`archal-lambda call`: one route-authorized request from the shell.

This module owns how a call is written and shown. It must not decide what may be sent: the client does.
"""

from __future__ import annotations

import json
import sys

import click

from archal_lambda import Clones

__all__ = ["call"]

_FAILURE = 400


@click.command()
@click.argument("clone")
@click.argument("method")
@click.argument("path")
@click.option("-d", "--data", metavar="JSON", help="JSON body, or - to read it from stdin.")
@click.option("--token", help="Service credential for the clone, sent as a bearer token.")
@click.option(
    "-H", "--header", "headers", multiple=True, metavar="NAME:VALUE", help="May be repeated."
)
@click.option("--timeout", default=15.0, show_default=True, help="Seconds for the whole call.")
@click.option("-i", "--include", is_flag=True, help="Print the response's headers too.")
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
    """Call METHOD PATH on CLONE with both headers; print the response.

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
        response.raise_for_status()
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
        text = text.removeprefix(
            "\ufeff"
        )  # a byte order mark, which is not to be sent (RFC 8259, section 8.1)
        json.loads(text, parse_constant=_not_json)
        return text.encode()
    except (ValueError, RecursionError):
        pass
    raise click.UsageError("--data must be JSON")


def _not_json(_: str) -> None:
    raise ValueError  # NaN and the infinities are not JSON (RFC 8259, section 6)
