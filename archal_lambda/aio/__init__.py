"""The clients, awaited: on asyncio, in Pyodide, and in Cloudflare Python Workers.

This package owns what differs from the synchronous clients: who waits, and how. The rules of a call are theirs, in
`core`. Each module has the name of its synchronous counterpart.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.aio.client import AsyncArchalClient
    from archal_lambda.aio.clone import AsyncClone
    from archal_lambda.aio.clones import AsyncClones

__all__ = ["AsyncArchalClient", "AsyncClone", "AsyncClones"]

_HOMES = {"AsyncArchalClient": "client", "AsyncClone": "clone", "AsyncClones": "clones"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
