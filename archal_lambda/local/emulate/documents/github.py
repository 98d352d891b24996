"""Seed documents of GitHub.

This module owns their keys.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from archal_lambda.local.emulate.documents.part import Part, Token

__all__ = ["GitHub"]


class _GitHubUser(Part, frozen=True, kw_only=True):
    login: str
    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    bio: str | UnsetType = UNSET
    company: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    blog: str | UnsetType = UNSET
    twitter_username: str | UnsetType = UNSET
    site_admin: bool | UnsetType = UNSET


class _Member(Part, frozen=True, kw_only=True):
    login: str
    role: Literal["member", "admin"] | UnsetType = UNSET


class _Org(Part, frozen=True, kw_only=True):
    login: str
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    members: list[_Member] | UnsetType = UNSET


class _Repo(Part, frozen=True, kw_only=True):
    owner: str
    name: str
    description: str | UnsetType = UNSET
    private: bool | UnsetType = UNSET
    language: str | UnsetType = UNSET
    topics: list[str] | UnsetType = UNSET
    default_branch: str | UnsetType = UNSET
    auto_init: bool | UnsetType = UNSET


class _GitHubApp(Part, frozen=True, kw_only=True):
    client_id: str
    client_secret: str
    name: str
    redirect_uris: list[str]


class _Installation(Part, frozen=True, kw_only=True):
    installation_id: int
    account: str
    repository_selection: Literal["all", "selected"] | UnsetType = UNSET
    repositories: list[str] | UnsetType = UNSET
    permissions: dict[str, str] | UnsetType = UNSET
    events: list[str] | UnsetType = UNSET


class _App(Part, frozen=True, kw_only=True):
    app_id: int
    slug: str
    name: str
    private_key: str | UnsetType = UNSET
    permissions: dict[str, str] | UnsetType = UNSET
    events: list[str] | UnsetType = UNSET
    webhook_url: str | UnsetType = UNSET
    webhook_secret: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    installations: list[_Installation] | UnsetType = UNSET


class GitHub(Part, frozen=True, kw_only=True):
    """A starting state of GitHub."""

    tokens: dict[str, Token] | UnsetType = UNSET
    users: list[_GitHubUser] | UnsetType = UNSET
    orgs: list[_Org] | UnsetType = UNSET
    repos: list[_Repo] | UnsetType = UNSET
    oauth_apps: list[_GitHubApp] | UnsetType = UNSET
    apps: list[_App] | UnsetType = UNSET
