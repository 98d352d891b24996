"""Pages of lists and the `Link` header that joins them (GitHub docs, using-pagination).

Owns `per_page`, `page` and the relations of RFC 8288. It must not know what is listed.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Sequence

_PER_PAGE = 30
_MAX_PER_PAGE = 100

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    number: int
    size: int
    query: str

    @classmethod
    def of(cls, query: str) -> Self:
        """Read which page is asked for."""
        values = parse_qs(query)
        size = positive(values.get("per_page", [""])[-1], _PER_PAGE)
        number = positive(values.get("page", [""])[-1], 1)
        return cls(number=number, size=min(size, _MAX_PER_PAGE), query=query)

    def slice(self, items: Sequence[T]) -> Sequence[T]:
        """Cut the page out of a list."""
        return items[(self.number - 1) * self.size : self.number * self.size]

    def link(self, url: str, *, total: int) -> str:
        """Join the page to its neighbours."""
        last = max(1, -(-total // self.size))
        targets = {
            "prev": min(self.number - 1, last) if self.number > 1 else None,
            "next": self.number + 1 if self.number < last else None,
            "last": last if self.number < last else None,
            "first": 1 if self.number > 1 else None,
        }
        # The other parameters are kept byte for byte: a client must get back what it asked for.
        kept = [part for part in self.query.split("&") if part and not part.startswith("page=")]
        return ", ".join(
            f'<{url}?{"&".join([*kept, f"page={number}"])}>; rel="{relation}"'
            for relation, number in targets.items()
            if number is not None
        )


def positive(text: str, default: int) -> int:
    """Read a positive number."""
    plain = text.isascii() and text.isdecimal() and len(text) < 10  # noqa: PLR2004 - see above
    return (int(text) if plain else 0) or default
