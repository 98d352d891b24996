"""Seed documents for emulate, checked as emulate does not: it drops what it does not know or cannot find.

This module owns what refers to what in a document, and what emulate has before it. It must not make any object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import msgspec

from archal_lambda.local.clones.running import SeedError
from archal_lambda.local.emulate.documents.github import GitHub
from archal_lambda.local.emulate.documents.google import GoogleWorkspace
from archal_lambda.local.emulate.documents.linear import Linear
from archal_lambda.local.emulate.documents.slack import Slack
from archal_lambda.local.emulate.documents.stripe import Stripe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["read"]

_MAX_MESSAGE = 300
_SHOWN = 60
_DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "github": GitHub,
    "google-workspace": GoogleWorkspace,
    "linear": Linear,
    "slack": Slack,
    "stripe": Stripe,
}
# What is there before a document, by collection.
_THERE: dict[str, dict[str, tuple[str, ...]]] = {
    "github": {"users": ("admin", "ghost")},
    "google-workspace": {"users": ("testuser@gmail.com",), "calendars": ("primary", "cal_team")},
    "linear": {
        "users": ("admin@linear.local", "Admin User", "Admin", "dev@linear.local", "Developer"),
        "teams": ("ENG", "Engineering"),
        "labels": ("Bug", "Feature"),
        "oauth_apps": ("lin_example_client_id",),
    },
    "slack": {"users": ("admin",), "channels": ("general", "random")},
    "stripe": {},
}
# What an object is called by others: any of these fields of its collection.
_NAMES = {
    "calendars": ("id",),
    "channels": ("name",),
    "cycles": ("id", "name", "number"),
    "labels": ("id", "name"),
    "oauth_apps": ("id", "client_id"),
    "orgs": ("login",),
    "products": ("name",),
    "projects": ("id", "name"),
    "teams": ("id", "key", "name"),
    "users": ("id", "login", "email", "name", "display_name"),
}
# Which field of which collection names an object of which others.
_REFERENCES: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "github": (
        ("repos", "owner", ("users", "orgs")),
        ("orgs.members", "login", ("users",)),
    ),
    "google-workspace": (
        ("labels", "user_email", ("users",)),
        ("messages", "user_email", ("users",)),
        ("calendars", "user_email", ("users",)),
        ("calendar_events", "user_email", ("users",)),
        ("calendar_events", "calendar_id", ("calendars",)),
        ("drive_items", "user_email", ("users",)),
    ),
    "linear": (
        ("labels", "team", ("teams",)),
        ("projects", "team", ("teams",)),
        ("cycles", "team", ("teams",)),
        ("issues", "team", ("teams",)),
        ("issues", "assignee", ("users",)),
        ("issues", "creator", ("users",)),
        ("issues", "delegate", ("users",)),
        ("issues", "project", ("projects",)),
        ("issues", "cycle", ("cycles",)),
        ("issues", "labels", ("labels",)),
        ("comments", "user", ("users",)),
        ("tokens", "user", ("users",)),
        ("tokens", "app", ("oauth_apps",)),
        ("webhooks", "team", ("teams",)),
    ),
    "slack": (
        ("incoming_webhooks", "channel", ("channels",)),
        ("tokens", "user", ("users",)),
    ),
    "stripe": (("prices", "product_name", ("products",)),),
}
# Of two objects that agree in this field, emulate takes the first.
_UNIQUE = {
    "github": (("users", "login"), ("orgs", "login")),
    "google-workspace": (("users", "email"),),
    "linear": (("users", "email"), ("labels", "name")),
    "slack": (("users", "name"), ("channels", "name"), ("bots", "name"), ("tokens", "token")),
    "stripe": (("customers", "email"),),
}


def read(clone: str, raw: object) -> Mapping[str, object]:
    """Read a document; a `SeedError` names the first key that is wrong."""
    try:
        checked = msgspec.convert(raw, _DOCUMENTS[clone])
        # As emulate takes it, without what YAML has beyond JSON.
        document: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(checked))
    except msgspec.ValidationError as error:
        reason, _, where = f"{error} - at `$".partition(" - at `$")
        raise SeedError(f"{clone}{where.partition('`')[0]}: {reason[:_MAX_MESSAGE]}") from None
    except (TypeError, ValueError, RecursionError):
        raise SeedError(f"{clone}: must be what JSON can say") from None
    _check_unique(clone, document)
    _check_references(clone, document)
    return document


def _check_unique(clone: str, document: dict[str, Any]) -> None:
    for collection, field in _UNIQUE[clone]:
        there = set(_there(clone, collection))
        for where, item in _items(clone, document, collection):
            name = item.get(field)
            if name is None:
                continue
            if name in there:
                raise SeedError(f"{where}.{field}: is there already")
            there.add(name)


def _check_references(clone: str, document: dict[str, Any]) -> None:
    for collection, field, targets in _REFERENCES[clone]:
        known = {name for target in targets for name in _known(clone, document, target)}
        for where, item in _items(clone, document, collection):
            value = item.get(field, [])
            names = cast("list[object]", value if isinstance(value, list) else [value])
            for name in names:
                if name not in known:
                    raise SeedError(
                        f"{where}.{field}: {str(name)[:_SHOWN]!a} is not among {' or '.join(targets)}"
                    )


def _known(clone: str, document: dict[str, Any], collection: str) -> Iterator[str]:
    yield from _there(clone, collection)
    for _, item in _items(clone, document, collection):
        for field in _NAMES[collection]:
            if field in item:
                yield str(item[field])


def _there(clone: str, collection: str) -> tuple[str, ...]:
    return _THERE[clone].get(collection, ())


def _items(
    clone: str, document: dict[str, Any], collection: str
) -> Iterator[tuple[str, dict[str, Any]]]:
    # A collection within another is written as `outer.inner`.
    outer, _, inner = collection.partition(".")
    for number, item in enumerate(cast("list[dict[str, Any]]", document.get(outer, []))):
        where = f"{clone}.{outer}[{number}]"
        if not inner:
            yield where, item
            continue
        for second, part in enumerate(item.get(inner, [])):
            yield f"{where}.{inner}[{second}]", part
