"""The seeds of the ready session: by name, from a file, or as a mapping.

This module owns how a file is read, and what a user's own seed is called. It must not know what a seed may say: that is
the clone's.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

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
    chosen = {clone: kinds[clone].seeds[0] for clone in clones}
    found = dict(kinds)
    for clone, seed in seeds.items():
        if clone not in chosen:
            known = ", ".join(chosen)
            raise ConfigurationError(
                "seeds", f"contains {clone[:_SHOWN]!a}, which is not among the clones: {known}"
            )
        kind = found[clone]
        if isinstance(seed, str):
            if seed not in kind.seeds:
                known = ", ".join(kind.seeds)
                raise ConfigurationError(
                    "seeds",
                    f"names the unknown {clone} seed {seed[:_SHOWN]!a}; available: {known}; "
                    "for a file, give a Path",
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
        name, where = _OWN, ""
    elif isinstance(seed, PathLike):  # pyright: ignore[reportUnnecessaryIsInstance] - the caller's
        path = Path(seed)
        name, where, raw = path.name, f"in {path}, ", _load(path)
    else:
        raise ConfigurationError("seeds", f"must hold for {kind.id} a name, a Path or a mapping")
    try:
        return name, kind.read_seed(raw)
    except SeedError as error:
        raise ConfigurationError("seeds", f"{where}at {error}") from None


def _load(path: Path) -> object:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ConfigurationError("seeds", f"names the file {path}: {reason}") from None
    except UnicodeDecodeError:
        raise ConfigurationError("seeds", f"names the file {path}, which is not UTF-8") from None
    try:
        if path.suffix.lower() == ".json":
            return json.loads(text, object_pairs_hook=_unique)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = 0 if error.problem_mark is None else error.problem_mark.line + 1
        reason = f"line {line}: {error.problem}"
    except json.JSONDecodeError as error:
        reason = f"line {error.lineno}: {error.msg}"
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).partition("\n")[0] or "it is nested too deep"
    raise ConfigurationError("seeds", f"names the file {path}, which cannot be read: {reason}")


class _Loader(yaml.SafeLoader):
    """Of two equal keys the last one would win, without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1 and key != "<<":
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!a} is there twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!a} is there twice")
    return found
