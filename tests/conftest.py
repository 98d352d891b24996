"""What the tests share; the fakes themselves are in `fakes.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fakes import Clock, Context
from hypothesis import settings

EVENTS = Path(__file__).parent.parent / "events"

settings.register_profile("archal", deadline=None)
settings.load_profile("archal")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lambda_context(clock):
    """Lambda's context, with 30 seconds left on `clock`."""
    return Context(clock)


@pytest.fixture
def event():
    """A loader of the files in `events/`, by name."""

    def load(name):
        return json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))

    return load


@pytest.fixture
def sentinels():
    """A secret for each place that holds one; put together here, so that no scanner takes them for real."""
    places = ("archal", "route", "service", "header", "query", "body", "answer", "field")
    return {place: f"sentinel-{place}-d34db33f" for place in places}
