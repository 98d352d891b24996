"""Clones by name, the same for every kind of client.

This module owns the lookup of a clone and what a view under a tighter deadline shares. It must not send anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from archal_lambda.errors import UnknownCloneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archal_lambda.core.calls import Terms
    from archal_lambda.core.deadline import Deadline
    from archal_lambda.core.settings import Settings
    from archal_lambda.core.targets import BaseUrl

__all__ = ["CloneCollection"]

K = TypeVar("K")
P = TypeVar("P")


class CloneCollection(ABC, Generic[K, P]):
    """The clones of a session, by name.

    Args:
        settings: Where the clones are.
        terms: Credentials, limits and deadline of every call.
    """

    def __init__(self, settings: Settings, terms: Terms[P]) -> None:
        self._settings = settings
        self._terms = terms

    @abstractmethod
    def _clone(self, name: str, base: BaseUrl) -> K: ...

    def __getitem__(self, clone: str) -> K:
        return self._clone(clone, self._settings.base_url(clone))

    def __contains__(self, clone: object) -> bool:
        try:
            self._settings.base_url(str(clone))
        except UnknownCloneError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.clone_urls)

    def __len__(self) -> int:
        return len(self._settings.clone_urls)

    def with_deadline(self, deadline: Deadline) -> Self:
        """Cap every call.

        Args:
            deadline: When all calls must be over, whatever their own timeouts say.

        Returns:
            A view of these clones that shares their connections.
        """
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        view._terms = self._terms.capped(deadline)
        return view

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self) or 'of a session'}>"
