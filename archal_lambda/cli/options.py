"""Options that several commands have.

This module owns how a seed, a server and a secret are written on the command line. It must not load the local
Archal, which judges both.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archal_lambda.core.settings import process_environ

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_seeds", "read_secret", "read_upstreams", "seed_option"]

_FILES = frozenset({".json", ".yaml", ".yml"})


def seed_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--seed`, whose value is a dict of clone id to the name of a seed, or to the path of a file."""
    option = click.option(
        "--seed",
        "seeds",
        multiple=True,
        metavar="CLONE=NAME|FILE",
        callback=_seeds,
        help="A seed: its name, or a .json or .yaml file; may be repeated.",
    )
    return option(command)


def check_seeds(seeds: dict[str, str | Path], *, on_local: bool) -> None:
    """Refuse seeds where there is no local Archal to plant them in."""
    if seeds and not on_local:
        raise click.UsageError("--seed needs --local")


def read_secret(
    _context: click.Context, _parameter: click.Parameter, name: str | None
) -> str | None:
    """Read the variable that an option names."""
    if name is None:
        return None
    found = process_environ({}).get(name)
    if not found:
        raise click.BadParameter(f"the variable {name} is not set")
    return found


def read_upstreams(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    """Read the values of `--upstream` into a dict of clone id to URL, which the local Archal judges."""
    found: dict[str, str] = {}
    for value in values:
        clone, _, url = value.partition("=")
        # What stands there may hold a credential.
        if not clone or not url or "/" in clone:
            raise click.BadParameter("one is not NAME=URL")
        if clone in found:
            raise click.BadParameter(f"{clone!r} has two servers")
        found[clone] = url
    return found


def _seeds(
    _context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]
) -> dict[str, str | Path]:
    found: dict[str, str | Path] = {}
    for value in values:
        clone, _, seed = value.partition("=")
        if not clone or not seed:
            raise click.BadParameter(f"{value!r} is not CLONE=NAME or CLONE=FILE")
        if clone in found:
            raise click.BadParameter(f"{clone!r} has two seeds")
        path = Path(seed)
        found[clone] = path if path.suffix.lower() in _FILES else seed
    return found
