"""Seed documents of Linear.

This module owns their keys.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from archal_lambda.local.emulate.documents.part import Part, Scopes, Text

__all__ = ["Linear"]


class _Organization(Part, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    url_key: str | UnsetType = UNSET


class _LinearUser(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    email: str
    name: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    avatar_url: str | UnsetType = UNSET
    admin: bool | UnsetType = UNSET
    active: bool | UnsetType = UNSET


class _State(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    name: str
    type: (
        Literal["triage", "backlog", "unstarted", "started", "completed", "canceled"] | UnsetType
    ) = UNSET
    position: float | UnsetType = UNSET


class _LinearTeam(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    key: str
    name: str
    description: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    states: list[_State] | UnsetType = UNSET


class _LinearLabel(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    name: str
    color: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    team: str | UnsetType = UNSET


class _Project(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    name: str
    description: str | UnsetType = UNSET
    state: Literal["planned", "started", "completed", "canceled"] | UnsetType = UNSET
    team: str | UnsetType = UNSET


class _Cycle(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    team: str
    name: str
    number: int | UnsetType = UNSET
    starts_at: str | UnsetType = UNSET
    ends_at: str | UnsetType = UNSET


class _Issue(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    team: str
    title: str
    description: str | UnsetType = UNSET
    priority: Literal[0, 1, 2, 3, 4] | UnsetType = UNSET
    state: str | UnsetType = UNSET
    assignee: str | UnsetType = UNSET
    creator: str | UnsetType = UNSET
    delegate: str | UnsetType = UNSET
    project: str | UnsetType = UNSET
    cycle: str | UnsetType = UNSET
    labels: list[str] | UnsetType = UNSET
    due_date: str | UnsetType = UNSET


class _Comment(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    issue: str
    body: str
    user: str | UnsetType = UNSET


class _LinearApp(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    client_id: str
    client_secret: str
    name: str
    redirect_uris: list[str]
    scopes: Scopes | UnsetType = UNSET
    actor: Literal["user", "app"] | UnsetType = UNSET
    assignable: bool | UnsetType = UNSET
    mentionable: bool | UnsetType = UNSET


class _LinearToken(Part, frozen=True, kw_only=True):
    token: Text
    type: Literal["personal", "oauth_access", "client_credentials"] | UnsetType = UNSET
    user: str | UnsetType = UNSET
    app: str | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    actor: Literal["user", "app"] | UnsetType = UNSET


class _LinearWebhook(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    label: str | UnsetType = UNSET
    url: str
    resource_types: Scopes | UnsetType = UNSET
    team: str | UnsetType = UNSET
    all_public_teams: bool | UnsetType = UNSET
    secret: str | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


class Linear(Part, frozen=True, kw_only=True):
    """A starting state of Linear."""

    organization: _Organization | UnsetType = UNSET
    users: list[_LinearUser] | UnsetType = UNSET
    teams: list[_LinearTeam] | UnsetType = UNSET
    labels: list[_LinearLabel] | UnsetType = UNSET
    projects: list[_Project] | UnsetType = UNSET
    cycles: list[_Cycle] | UnsetType = UNSET
    issues: list[_Issue] | UnsetType = UNSET
    comments: list[_Comment] | UnsetType = UNSET
    oauth_apps: list[_LinearApp] | UnsetType = UNSET
    tokens: list[_LinearToken] | UnsetType = UNSET
    webhooks: list[_LinearWebhook] | UnsetType = UNSET
    strict_scopes: bool | UnsetType = UNSET
