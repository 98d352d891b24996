"""How a request's path is spelled where a service's API begins below its host, as Slack's does at `/api`.

This module owns the two spellings of a clone's paths, with and without that beginning. It must not change anything
else of a path.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archal_lambda.core.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_api", "as_service", "is_odd"]

# As WHATWG's URL standard reads them: an empty first segment, backslashes, and segments of dots.
_ODD = re.compile(rb"^//|\\|/(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
# What a service has beside its API.
_OUTSIDE = {"slack": (b"/files-pri/", b"/oauth/", b"/services/", b"/upload/")}


def as_service(clone: str) -> Callable[[bytes], bytes]:
    """Give what spells paths as the service's host has them, in whichever way they come."""
    prefix = _prefix(clone)
    others = (prefix[: prefix.find(b"/", 1) + 1] or prefix + b"/", *_OUTSIDE.get(clone, ()))

    def spell(path: bytes) -> bytes:
        if not prefix or path in {b"/", prefix} or path.startswith(others):
            return path
        return prefix + path

    return spell


def as_api(clone: str) -> Callable[[bytes], bytes]:
    """Give what spells paths from where the API begins, in whichever way they come."""
    prefix = _prefix(clone)

    def spell(path: bytes) -> bytes:
        below = path == prefix or path.startswith(prefix + b"/")
        return path[len(prefix) :] or b"/" if below else path

    return spell


def is_odd(path: bytes) -> bool:
    """Tell whether Node would take a path for another one, or its beginning for a host; no service has such a path."""
    return _ODD.search(path) is not None


def _prefix(clone: str) -> bytes:
    service = SERVICES.get(clone)
    return b"" if service is None else service.path_prefix.encode("ascii")
