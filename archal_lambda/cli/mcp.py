"""`archal-lambda mcp`: a clone's tools from the shell.

This module owns how a tool's arguments are written and its result is shown. It must not speak the protocol itself.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

import click
import msgspec

from archal_lambda import Clones

__all__ = ["mcp"]


_TIMEOUT = click.option(
    "--timeout", default=15.0, show_default=True, help="Seconds for the whole call."
)


@click.group()
@click.argument("clone")
@click.pass_context
def mcp(context: click.Context, clone: str) -> None:
    """Use the tools of CLONE by MCP: list them, or call one.

    The route comes from the environment, and so does the address: ARCHAL_<CLONE>_MCP_URL, ARCHAL_MCP_CONFIG, or beside
    the clone's REST base.
    """
    context.obj = clone


@mcp.command("tools")
@click.option("--json", "as_json", is_flag=True, help="Print all that is known of each, as JSON.")
@_TIMEOUT
@click.pass_obj
def _tools(clone: str, timeout: float, *, as_json: bool) -> None:
    """List the tools, a line each."""
    with Clones.from_env(timeout=timeout) as clones:
        found = clones[clone].mcp.tools()
    if as_json:
        _print(msgspec.to_builtins(found))
        return
    width = max((len(tool.name) for tool in found), default=0)
    for tool in found:
        line = " ".join(_shown(tool.description.split("\n\n")[0]).split())
        click.echo(f"{tool.name:{width}}  {line}".rstrip())


@mcp.command("call")
@click.argument("name")
@click.argument("arguments", default="{}")
@click.option("--json", "as_json", is_flag=True, help="Print the whole result, as JSON.")
@_TIMEOUT
@click.pass_obj
def _call(clone: str, name: str, arguments: str, timeout: float, *, as_json: bool) -> int:
    """Call the tool NAME with ARGUMENTS, a JSON object, or - to read it from stdin.

    Prints the structured result, or else the text. Exits with 1 if the tool failed.
    """
    given = _object(arguments)
    with Clones.from_env(timeout=timeout) as clones:
        result = clones[clone].mcp.call(name, given)
    if as_json:
        _print(msgspec.to_builtins(result))
    elif result.structured is not None:
        _print(result.structured)
    elif result.text or not result.content:
        click.echo(_shown(result.text) if sys.stdout.isatty() else result.text)
    else:
        _print(result.content)
    if result.is_error:
        click.echo(f"archal-lambda: {name} failed", err=True)
    return int(result.is_error)


def _object(text: str) -> dict[str, Any]:
    if text == "-":
        text = sys.stdin.read().removeprefix("\ufeff")
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise click.UsageError("ARGUMENTS must be a JSON object")
    return cast("dict[str, Any]", value)


def _shown(text: str) -> str:
    """Take out what would steer a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)


def _print(value: object) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))
