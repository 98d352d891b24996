"""What the tests share; the fakes themselves are in `support/fakes.py`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import settings
from support.fakes import Clock, Context

EVENTS = Path(__file__).parent.parent / "events"

settings.register_profile("archal", deadline=None)
settings.load_profile("archal")

# Whoever runs the tests may well use Archal, or Lambda, and have a shell set up for it. This comes before any import
# of a handler, whose logger reads its variables once. A proxy is kept for what fetches, not for our servers.
for name in list(os.environ):
    if name.startswith(("AGENT_", "ARCHAL_", "AWS_LAMBDA_", "POWERTOOLS_")):
        del os.environ[name]
for name in ("no_proxy", "NO_PROXY"):
    os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost")))


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
