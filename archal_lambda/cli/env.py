"""`archal-lambda env`: the settings for another tool.

This module owns the forms that other tools read. It must not print a secret unless asked to.
"""

from __future__ import annotations

import json
import shlex

import click

from archal_lambda import Secret, Settings

__all__ = ["as_text", "env"]

_REDACTED = str(Secret(""))


@click.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(["shell", "dotenv", "sam"]),
    default="shell",
    show_default=True,
    help="sam is what `sam local invoke --env-vars` takes.",
)
@click.option("--show-secrets", is_flag=True, help="Print tokens instead of a marker.")
def env(form: str, *, show_secrets: bool) -> None:
    """Print the settings as variables for a shell, a .env file or SAM."""
    variables = Settings.from_env().variables()
    hidden = [name for name in ("AGENT_ROUTE_HEADERS", "ARCHAL_TOKEN") if name in variables]
    if hidden and not show_secrets:
        variables |= _hide(variables)
        click.echo("secrets are hidden; add --show-secrets for the real values", err=True)
    click.echo(as_text(variables, form))


def as_text(variables: dict[str, str], form: str) -> str:
    """Write variables in the form another tool reads: `shell`, `dotenv` or `sam`."""
    if form == "sam":
        # `Parameters` is for every function. A file of this machine is not there inside the container.
        variables = {name: value for name, value in variables.items() if name != "SSL_CERT_FILE"}
        return json.dumps({"Parameters": variables}, indent=2)
    if form == "dotenv":
        return "\n".join(f"{name}={_quoted(value)}" for name, value in variables.items())
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def _quoted(value: str) -> str:
    # As python-dotenv and its kin read it: between single quotes a backslash escapes.
    if shlex.quote(value) == value:
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _hide(variables: dict[str, str]) -> dict[str, str]:
    hidden: dict[str, str] = {}
    if "ARCHAL_TOKEN" in variables:
        hidden["ARCHAL_TOKEN"] = _REDACTED
    if "AGENT_ROUTE_HEADERS" in variables:
        names = json.loads(variables["AGENT_ROUTE_HEADERS"])
        hidden["AGENT_ROUTE_HEADERS"] = json.dumps(dict.fromkeys(names, _REDACTED))
    return hidden
