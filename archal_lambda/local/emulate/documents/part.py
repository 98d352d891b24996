"""What every seed document is made of.

This module owns the rule that an unknown key is an error, which emulate passes over without a word.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["Part", "Scopes", "Text", "Token"]

Text = Annotated[str, msgspec.Meta(pattern=r"\S")]
Scopes = list[str] | str


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An object of a document."""


class Token(Part, frozen=True, kw_only=True):
    """Whose a bearer token is."""

    login: str
    scopes: list[str] | UnsetType = UNSET
