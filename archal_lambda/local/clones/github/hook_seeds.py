"""Hooks in a seed.

This module owns their keys, their rules and their planting. It must not send anything: a hook of a seed is not pinged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from archal_lambda.local.clones.github.hook_rules import EVENTS, is_url
from archal_lambda.local.clones.github.model import Hook

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archal_lambda.local.clones.github.model import Repo
    from archal_lambda.local.clones.github.state import State

__all__ = ["HookSeed", "mistake", "plant_hooks"]


class HookSeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A webhook of a repository."""

    url: str
    events: list[str] = msgspec.field(default_factory=lambda: ["push"])
    secret: str | None = None
    content_type: Literal["json", "form"] = "json"
    active: bool = True


def mistake(seed: HookSeed) -> tuple[str, str] | None:
    """Find what is wrong with a hook, as key and reason; a URL may hold a credential, so it is not shown."""
    if not is_url(seed.url):
        return "url", "is not an http:// or https:// URL"
    for number, event in enumerate(seed.events):
        if event not in EVENTS:
            return f"events[{number}]", f"no such event: {event!a}"
    return None


def plant_hooks(state: State, repo: Repo, seeds: Iterable[HookSeed]) -> None:
    """Give a repository its hooks."""
    for seed in seeds:
        hook = Hook(
            id=state.next_id(),
            url=seed.url,
            secret=seed.secret or None,
            content_type=seed.content_type,
            insecure_ssl="0",
            events=list(seed.events),
            active=seed.active,
            created_at=state.now(),
            updated_at=state.now(),
        )
        repo.hooks[hook.id] = hook
