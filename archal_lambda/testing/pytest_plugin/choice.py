"""Which clones and seeds a run and a test want, by options, configuration and marker.

This module owns how they are written, and what is wrong with them. It must not make a session.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

__all__ = ["Choice", "choice_of", "chosen", "marked"]

_DEFAULT = ("github",)
_FILES = frozenset({".json", ".yaml", ".yml"})
_KEYWORDS = ("clones", "seeds", "fresh")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """The clones of a session, the seeds of those that do not have their usual one, and whether it is one test's."""

    clones: tuple[str, ...]
    seeds: Mapping[str, Any]
    own: bool = False

    def seeds_by_name(self, where: str) -> dict[str, str]:
        """Give the seeds for the hosted Archal, which takes names only; `where` says whose they are."""
        wrong = [clone for clone, seed in self.seeds.items() if not isinstance(seed, str)]
        if wrong:
            raise pytest.UsageError(
                f"{where}: the hosted Archal takes seeds by name, and that of {wrong[0]} is a file or a mapping"
            )
        return dict(self.seeds)


def chosen(config: pytest.Config) -> Choice:
    """Read what the run wants; the command line takes the place of the configuration file, seeds clone by clone."""
    clones: list[str] = config.getoption("archal_clone") or config.getini("archal_clones")
    for name in clones:
        if not name.strip() or "/" in name or ":" in name:
            raise pytest.UsageError(
                f"--archal-clone (archal_clones): must be the name of a clone, such as github, not {name!r}"
            )
    names = tuple(dict.fromkeys(clones)) or _DEFAULT
    base = config.inipath.parent if config.inipath is not None else config.rootpath
    in_file = _seeds(config.getini("archal_seeds"), base)
    given = _seeds(config.getoption("archal_seed") or (), config.invocation_params.dir)
    if config.getoption("archal_clone"):  # and with it went the clones that these are for
        in_file = {clone: seed for clone, seed in in_file.items() if clone in names}
    return Choice(clones=names, seeds={**in_file, **given})


def _seeds(texts: Iterable[str], base: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for text in texts:
        clone, _, seed = text.strip().partition(":")
        if not clone or not seed:
            raise pytest.UsageError(
                f"--archal-seed (archal_seeds): must be CLONE:SEED, such as github:small-project, not {text!r}"
            )
        if clone in found:
            raise pytest.UsageError(f"--archal-seed (archal_seeds): {clone} has two seeds")
        found[clone] = _seed(seed, base)
    return found


def _seed(seed: object, base: Path) -> object:
    """Tell a file from a name, as the command line of `archal-lambda` does."""
    if isinstance(seed, str) and Path(seed).suffix.lower() in _FILES:
        return base / seed
    return seed


def marked(item: pytest.Item) -> dict[str, Any]:
    """Give what the markers of a test ask for, the nearest first; a wrong one fails the test."""
    found: dict[str, Any] = {}
    for marker in item.iter_markers("archal"):
        if marker.args:
            _refuse(item, "takes keywords only, such as clones=['github']")
        for name, value in marker.kwargs.items():
            if name not in _KEYWORDS:
                _refuse(item, f"has no {name!r}; it takes {', '.join(_KEYWORDS)}")
            found.setdefault(name, value)
    clones, seeds = found.get("clones", ()), found.get("seeds", {})
    if isinstance(clones, str) or not _all_text(clones) or ("clones" in found and not clones):
        _refuse(item, "needs clones to be a list of names of clones")
    if not isinstance(seeds, Mapping) or not _all_text(cast("Mapping[object, object]", seeds)):
        _refuse(item, "needs seeds to be a dict of clone to seed")
    if not isinstance(found.get("fresh", False), bool):
        _refuse(item, "needs fresh to be True or False")
    return found


def choice_of(item: pytest.Item, run: Choice) -> Choice:
    """Give what a test wants: what the run has, unless its markers say otherwise."""
    found = marked(item)
    base = item.config.rootpath
    seeds = {clone: _seed(seed, base) for clone, seed in found.get("seeds", {}).items()}
    clones = tuple(dict.fromkeys(found.get("clones", run.clones)))
    same = {clone: seed for clone, seed in run.seeds.items() if clone in clones} | seeds
    own = found.get("fresh", False) or not set(clones) <= set(run.clones)
    # A seed that the run does not name may be the usual one, but who knows which that is?
    own = own or any(clone not in run.seeds or run.seeds[clone] != seeds[clone] for clone in seeds)
    return Choice(clones=clones, seeds=same, own=own)


def _all_text(values: object) -> bool:
    return isinstance(values, Iterable) and all(
        isinstance(value, str) for value in cast("Iterable[object]", values)
    )


def _refuse(item: pytest.Item, why: str) -> None:
    pytest.fail(f"{item.nodeid}: @pytest.mark.archal {why}", pytrace=False)
