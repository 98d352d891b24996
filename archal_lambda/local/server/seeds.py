"""The seeds of the ready session: by name, from a file, or as a mapping.

This module owns what a user's own seed is called. It must not know what a seed may say: that is the clone's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones.running import SeedError

if TYPE_CHECKING:
    from archal_lambda.local.clones.kind import CloneKind

__all__ = ["Seed", "choose"]

# The name of one, a file of JSON or YAML, or a document.
Seed = str | PathLike[str] | Mapping[str, object]

_SHOWN = 60
_OWN = "custom"  # what a document is called that has no file


def choose(
    seeds: Mapping[str, Seed], kinds: Mapping[str, CloneKind], clones: tuple[str, ...]
) -> tuple[dict[str, CloneKind], dict[str, str]]:
    """Give the catalogue with the user's own seeds in it, and the name of the seed of each clone."""
    if not isinstance(seeds, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] - the caller's
        raise ConfigurationError("seeds", "must be a mapping of clone id to seed")
    chosen = {clone: kinds[clone].seeds[0] for clone in clones}
    found = dict(kinds)
    for clone, seed in seeds.items():
        if clone not in chosen:
            known = ", ".join(chosen)
            raise ConfigurationError(
                "seeds", f"contains {str(clone)[:_SHOWN]!a}, which is not among the clones: {known}"
            )
        kind = found[clone]
        if isinstance(seed, str):
            if seed not in kind.seeds:
                known = ", ".join(kind.seeds)
                raise ConfigurationError(
                    "seeds",
                    f"names the unknown {clone} seed {seed[:_SHOWN]!a}; available: {known}; "
                    "for a file, give a Path (on the command line a name in .json, .yaml or .yml)",
                )
            chosen[clone] = seed
            continue
        name, document = _read(seed, kind)
        own = {**kind.custom, name: document}
        found[clone] = dataclasses.replace(kind, seeds=(*kind.seeds, name), custom=own)
        chosen[clone] = name
    return found, chosen


def _read(seed: PathLike[str] | Mapping[str, object], kind: CloneKind) -> tuple[str, object]:
    if kind.read_seed is None:
        known = ", ".join(kind.seeds)
        raise ConfigurationError(
            "seeds", f"must name one of the {kind.id} clone's, which takes no other: {known}"
        )
    raw: object = seed
    if isinstance(seed, Mapping):
        name, where, raw = _OWN, "", dict(seed)
    elif isinstance(seed, PathLike):  # pyright: ignore[reportUnnecessaryIsInstance] - the caller's
        # YAML is loaded for those who have a file.
        from archal_lambda.local.server.documents import load  # noqa: PLC0415 - see above

        path = Path(seed)
        if not path.name.isprintable():  # it is the seed's name in the API, too
            raise ConfigurationError(
                "seeds", f"names the file {path.name!a}: name it in plain characters"
            )
        name, where, raw = path.name, f"in {path}, ", load(path)
    else:
        raise ConfigurationError("seeds", f"must hold for {kind.id} a name, a Path or a mapping")
    try:
        return name, kind.read_seed(raw)
    except SeedError as error:
        raise ConfigurationError("seeds", f"{where}at {error}") from None
