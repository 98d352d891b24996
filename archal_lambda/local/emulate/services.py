"""The services that npm's `emulate` has and Archal has clones of.

This module owns what is known of each. It must not run anything.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SERVICES", "Service"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One of them."""

    name: str  # as emulate calls it
    clear: tuple[str, ...] = ()  # the collections that `empty` has nothing in
    zero: Mapping[str, Mapping[str, object]] = dataclasses.field(
        default_factory=dict[str, "Mapping[str, object]"]
    )  # and fields that count what was in them
    begin: Mapping[str, object] = dataclasses.field(default_factory=dict[str, object])  # as a seed
    # What an object is known by: the first of these fields that it has.
    known_by: tuple[str, ...] = ()


SERVICES = {
    "github": Service(
        name="github",
        begin={"users": [{"login": "testuser"}]},  # who our own clone's calls are made by
        known_by=("full_name", "login"),
    ),
    "google-workspace": Service(
        name="google",
        clear=(
            "google.messages",
            "google.drafts",
            "google.attachments",
            "google.history",
            "google.calendar_events",
            "google.drive_items",
        ),
        known_by=("gmail_id", "google_id", "uid"),
    ),
    "linear": Service(
        name="linear",
        clear=("linear.issues", "linear.comments", "linear.projects", "linear.cycles"),
        zero={"linear.teams": {"issue_sequence": 0}},
        known_by=("identifier", "linear_id"),
    ),
    "slack": Service(
        name="slack", known_by=("ts", "channel_id", "user_id", "bot_id", "app_id", "team_id")
    ),
    "stripe": Service(name="stripe", clear=("stripe.customers",), known_by=("stripe_id",)),
}
