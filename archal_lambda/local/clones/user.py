"""A clone that the user brings: any ASGI application, made by a factory.

This module owns what such an application may offer beside its requests. It must not know what it does.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.local.clones.running import Running

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from archal_lambda.local.clones.running import StateOf

__all__ = ["UserClone"]


class UserClone(Running):
    """The application's own `reset`, `snapshot`, `restore` and `state`, where it has them."""

    def __init__(self, factory: Callable[[str], ASGIApp], base_url: str) -> None:
        super().__init__(factory(base_url))
        self._factory = factory
        self._base_url = base_url

    async def reset(self) -> None:
        """Ask for it, or make the application anew."""
        if self._has("reset"):
            await self._ask("reset")
        else:
            self.api = self._factory(self._base_url)

    async def snapshot(self) -> object:
        """See `Running.snapshot`."""
        return await self._ask("snapshot") if self._has("snapshot") else await super().snapshot()

    async def restore(self, mark: object) -> None:
        """See `Running.restore`."""
        await (self._ask("restore", mark) if self._has("restore") else super().restore(mark))

    async def state(self) -> StateOf:
        """See `Running.state`."""
        if not self._has("state"):
            return await super().state()
        found = await self._ask("state")
        try:
            # A copy, because the application goes on changing its own.
            return msgspec.json.decode(
                msgspec.json.encode(found), type=dict[str, dict[str, object]]
            )
        except (msgspec.MsgspecError, TypeError, ValueError, RecursionError):
            raise TypeError(
                "state() of an extra clone must give JSON: by kind, then by key, an object"
            ) from None

    def _has(self, name: str) -> bool:
        # Starlette's applications have a `state` that is something else.
        return callable(getattr(self.api, name, None))

    async def _ask(self, name: str, *arguments: object) -> object:
        found = getattr(self.api, name)(*arguments)
        return await found if inspect.isawaitable(found) else found
