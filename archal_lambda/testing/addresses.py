"""Which clone a request is for.

This module owns what its address tells. It must not send anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from archal_lambda.core.request import Request
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import ConfigurationError

__all__ = ["Addresses", "Place"]

_REST = re.compile(r"(?:^|/)([a-z0-9][a-z0-9-]*)/api(?:/|$)")
_MCP = frozenset({"/mcp", "/mcp/"})


class Place(NamedTuple):
    """Where a request goes."""

    clone: str
    """Empty where it is none, as for the control plane."""
    root: str
    """What stands before the clone's name in the URL; the base, where it does not stand there."""
    is_mcp: bool = False


class Addresses:
    """Tells the clones by their base URLs: those given, `…/{clone}/api`, and `…/{clone}/mcp` beside it."""

    def __init__(self, clone_urls: Mapping[str, str]) -> None:
        self._bases: dict[str, str] = {}
        for clone, url in clone_urls.items():
            try:
                self._bases[str(BaseUrl(url))] = clone
            except ValueError as error:
                raise ConfigurationError(
                    "clone_urls", f"has a URL for {clone!r} that {error}"
                ) from None

    def place_of(self, request: Request) -> Place:
        """Find the place of a request that has a base."""
        base = request.base
        if base is None:
            return Place("", "")
        whole = str(base)
        named = self._bases.get(whole)
        found = _REST.search(base.path)
        if found is not None:
            return Place(named or found[1], base.origin + base.path[: found.start()])
        if named is not None:
            return Place(named, whole)
        above, _, last = base.path.rpartition("/")
        if request.path in _MCP and last:
            return Place(last, base.origin + above, is_mcp=True)
        return Place("", whole)
