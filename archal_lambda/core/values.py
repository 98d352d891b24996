"""Values that cannot be changed, and what callers may give as pairs.

This module owns the idiom for values that are no Structs, and the reading of mappings and pairs. It must not know
what any value means.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Self, TypeVar, cast, dataclass_transform

from archal_lambda.core.secrets import guarded

__all__ = ["Immutable", "checked_pairs", "pairs_of"]

V = TypeVar("V")


@dataclass_transform(frozen_default=True)  # so that type checkers refuse to set a field, too
class Immutable:
    """Base of a value whose constructor takes something other than its fields.

    The fields are the slots of a base class of their own, a draft, and are annotated in the value's class. `__new__`
    fills a draft and seals it: from then on its class is the value's, which refuses to set anything. Filling a draft is
    a plain attribute store; going through `object.__setattr__` for each field takes twice as long, and each call makes
    several of these values. Two values are equal if their fields are.
    """

    __slots__ = ()

    def __init_subclass__(cls, *, init: bool) -> None:
        if Immutable not in cls.__bases__:
            raise TypeError(f"{cls.__bases__[0].__name__} cannot be subclassed")
        assert not init  # noqa: S101 - it is for type checkers: the constructor is `__new__`

    @guarded
    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be set")

    @guarded
    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: {name} cannot be deleted")

    @classmethod
    def seal(cls, draft: object) -> Self:
        """Turn a filled draft into the value."""
        draft.__class__ = cls  # the layouts are the same
        return draft  # type: ignore[return-value]  # see above

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(repr(self))  # of its fields it shows some, and the same for equal ones

    def __reduce__(self) -> tuple[Any, ...]:
        # A bound method of a public class, so that a pickle names nothing that may move.
        return type(self).restore, (self._fields(),)

    @classmethod
    @guarded
    def restore(cls, fields: dict[str, Any]) -> Self:
        """Make the value anew from its fields, as pickles keep them."""
        draft = cls._draft_type()()
        for name, value in fields.items():
            setattr(draft, name, value)
        return cls.seal(draft)

    def _fields(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._draft_type().__slots__}

    @classmethod
    def _draft_type(cls) -> type[Any]:
        # It comes right behind this class in the order of bases.
        return cls.__mro__[cls.__mro__.index(Immutable) + 1]


def pairs_of(items: Mapping[str, V] | Iterable[tuple[str, V]]) -> Iterable[tuple[str, V]]:
    """Read a mapping, or pairs, as pairs in order."""
    if isinstance(items, Mapping):
        return cast("Mapping[str, V]", items).items()
    return items


def checked_pairs(
    items: Mapping[str, V] | Iterable[tuple[str, V]], *, what: str
) -> list[tuple[str, V]]:
    """Read what a caller gave as the argument `what`; a text is not taken for pairs of characters."""
    given = cast("Any", items)  # users err
    pairs: list[Any] = list(pairs_of(given)) if hasattr(given, "__iter__") else [given]
    if all(isinstance(one, tuple | list) and len(cast("list[Any]", one)) == 2 for one in pairs):  # noqa: PLR2004 - a pair
        return pairs
    raise TypeError(f"{what} must be a mapping, or pairs of a name and a value")
