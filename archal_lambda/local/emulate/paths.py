"""How a request's path is spelled where a service's API begins below its host, as Slack's does at `/api`.

This module owns the two spellings of a clone's paths, with and without that beginning. It must not change anything
else of a path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archal_lambda.core.services import SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["as_api", "as_service"]

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


def _prefix(clone: str) -> bytes:
    service = SERVICES.get(clone)
    return b"" if service is None else service.path_prefix.encode("ascii")
