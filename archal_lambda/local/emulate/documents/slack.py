"""Seed documents of Slack.

This module owns their keys.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from archal_lambda.local.emulate.documents.part import Part, Scopes, Text

__all__ = ["Slack"]


class _Team(Part, frozen=True, kw_only=True):
    name: str | UnsetType = UNSET
    domain: str | UnsetType = UNSET


class _SlackUser(Part, frozen=True, kw_only=True):
    name: str
    real_name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    is_admin: bool | UnsetType = UNSET
    profile: dict[str, object] | UnsetType = UNSET
    presence: Literal["active", "away"] | UnsetType = UNSET


class _Channel(Part, frozen=True, kw_only=True):
    name: str
    topic: str | UnsetType = UNSET
    purpose: str | UnsetType = UNSET
    is_private: bool | UnsetType = UNSET


class _Bot(Part, frozen=True, kw_only=True):
    name: str


class _SlackApp(Part, frozen=True, kw_only=True):
    app_id: str | UnsetType = UNSET
    client_id: str
    client_secret: str
    name: str
    redirect_uris: list[str]
    scopes: Scopes | UnsetType = UNSET
    user_scopes: Scopes | UnsetType = UNSET
    bot_id: str | UnsetType = UNSET
    bot_user_id: str | UnsetType = UNSET
    bot_name: str | UnsetType = UNSET


class _SlackToken(Part, frozen=True, kw_only=True):
    token: Text
    type: str | UnsetType = UNSET
    user: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    scopes: Scopes | UnsetType = UNSET
    app_id: str | UnsetType = UNSET
    client_id: str | UnsetType = UNSET
    team_id: str | UnsetType = UNSET
    bot_id: str | UnsetType = UNSET
    bot_user_id: str | UnsetType = UNSET
    authed_user_id: str | UnsetType = UNSET


class _SlackWebhook(Part, frozen=True, kw_only=True):
    channel: str
    label: str | UnsetType = UNSET


class Slack(Part, frozen=True, kw_only=True):
    """A starting state of Slack."""

    team: _Team | UnsetType = UNSET
    users: list[_SlackUser] | UnsetType = UNSET
    channels: list[_Channel] | UnsetType = UNSET
    bots: list[_Bot] | UnsetType = UNSET
    oauth_apps: list[_SlackApp] | UnsetType = UNSET
    tokens: list[_SlackToken] | UnsetType = UNSET
    incoming_webhooks: list[_SlackWebhook] | UnsetType = UNSET
    strict_scopes: bool | UnsetType = UNSET
    signing_secret: str | UnsetType = UNSET
