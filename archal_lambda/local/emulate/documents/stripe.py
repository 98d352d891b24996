"""Seed documents of Stripe.

This module owns their keys.
"""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from archal_lambda.local.emulate.documents.part import Part

__all__ = ["Stripe"]


class _Customer(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    email: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class _Product(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    name: str
    description: str | UnsetType = UNSET


class _Price(Part, frozen=True, kw_only=True):
    id: str | UnsetType = UNSET
    product_name: str
    currency: str
    unit_amount: int


class _StripeWebhook(Part, frozen=True, kw_only=True):
    url: str
    events: list[str]
    secret: str | UnsetType = UNSET


class Stripe(Part, frozen=True, kw_only=True):
    """A starting state of Stripe."""

    customers: list[_Customer] | UnsetType = UNSET
    products: list[_Product] | UnsetType = UNSET
    prices: list[_Price] | UnsetType = UNSET
    webhooks: list[_StripeWebhook] | UnsetType = UNSET
