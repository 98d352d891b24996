"""Everything that can be a clone of one local Archal: ours, emulate's, and what the user brings.

This module owns which of two of the same name it is. It must not start any.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones.kind import catalogue
from archal_lambda.local.emulate.emulated import emulated_kinds
from archal_lambda.local.emulate.upstream import upstream_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from starlette.types import ASGIApp

    from archal_lambda.local.clones.kind import CloneKind
    from archal_lambda.local.emulate.process import Emulators

__all__ = ["all_kinds"]


def all_kinds(
    extra: Mapping[str, Callable[[str], ASGIApp]],
    upstreams: Mapping[str, str],
    emulated: Iterable[str],
    emulators: Emulators,
) -> dict[str, CloneKind]:
    """List them; what the user brings replaces what there is."""
    for name in upstreams:
        if name in extra:
            raise ConfigurationError("upstreams", f"names {name[:60]!a}, as extra_clones does")
    for name, factory in extra.items():
        if not callable(factory):
            raise ConfigurationError("extra_clones", f"must have a factory for {name[:60]!a}")
    brought = {name: kind for name, kind in catalogue(extra).items() if name in extra}
    ours = catalogue({}) | emulated_kinds(emulators, emulated)
    return ours | brought | upstream_kinds(upstreams)
