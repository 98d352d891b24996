"""Seed documents of Google Workspace.

This module owns their keys.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from archal_lambda.local.emulate.documents.part import Part, Token

__all__ = ["GoogleWorkspace"]


class _GoogleUser(Part, frozen=True, kw_only=True):
    email: str
    name: str | UnsetType = UNSET
    given_name: str | UnsetType = UNSET
    family_name: str | UnsetType = UNSET
    picture: str | UnsetType = UNSET
    locale: str | UnsetType = UNSET
    email_verified: bool | UnsetType = UNSET
    hd: str | UnsetType = UNSET


class _GoogleClient(Part, frozen=True, kw_only=True):
    client_id: str
    client_secret: str
    name: str | UnsetType = UNSET
    redirect_uris: list[str]


class _MailLabel(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    name: str
    type: Literal["system", "user"] | UnsetType = UNSET
    message_list_visibility: str | UnsetType = UNSET
    label_list_visibility: str | UnsetType = UNSET
    color_background: str | UnsetType = UNSET
    color_text: str | UnsetType = UNSET


class _Message(Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    id: str | UnsetType = UNSET
    thread_id: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    raw: str | UnsetType = UNSET
    from_: str | UnsetType = UNSET
    to: str | UnsetType = UNSET
    cc: str | UnsetType = UNSET
    bcc: str | UnsetType = UNSET
    reply_to: str | UnsetType = UNSET
    subject: str | UnsetType = UNSET
    snippet: str | UnsetType = UNSET
    body_text: str | UnsetType = UNSET
    body_html: str | UnsetType = UNSET
    label_ids: list[str] | UnsetType = UNSET
    date: str | UnsetType = UNSET
    internal_date: str | UnsetType = UNSET
    message_id: str | UnsetType = UNSET
    references: str | UnsetType = UNSET
    in_reply_to: str | UnsetType = UNSET


class _Calendar(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    summary: str
    description: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET
    primary: bool | UnsetType = UNSET
    selected: bool | UnsetType = UNSET
    access_role: str | UnsetType = UNSET


class _Attendee(Part, frozen=True, kw_only=True):
    email: str
    display_name: str | UnsetType = UNSET


class _EntryPoint(Part, frozen=True, kw_only=True):
    entry_point_type: str
    uri: str
    label: str | UnsetType = UNSET


class _Event(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    calendar_id: str | UnsetType = UNSET
    status: str | UnsetType = UNSET
    summary: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    start_date_time: str | UnsetType = UNSET
    start_date: str | UnsetType = UNSET
    end_date_time: str | UnsetType = UNSET
    end_date: str | UnsetType = UNSET
    attendees: list[_Attendee] | UnsetType = UNSET
    conference_entry_points: list[_EntryPoint] | UnsetType = UNSET
    hangout_link: str | UnsetType = UNSET


class _DriveItem(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    user_email: str | UnsetType = UNSET
    name: str
    mime_type: str
    parent_ids: list[str] | UnsetType = UNSET
    data: str | UnsetType = UNSET


class GoogleWorkspace(Part, frozen=True, kw_only=True):
    """A starting state of Google Workspace."""

    tokens: dict[str, Token] | UnsetType = UNSET
    users: list[_GoogleUser] | UnsetType = UNSET
    oauth_clients: list[_GoogleClient] | UnsetType = UNSET
    labels: list[_MailLabel] | UnsetType = UNSET
    messages: list[_Message] | UnsetType = UNSET
    calendars: list[_Calendar] | UnsetType = UNSET
    calendar_events: list[_Event] | UnsetType = UNSET
    drive_items: list[_DriveItem] | UnsetType = UNSET
