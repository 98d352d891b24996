"""One stand-in for all tests of this folder; each test opens sessions of its own."""

from __future__ import annotations

import pytest
from support import openapi
from support.fakes import Clock
from support.standin import Control, echo, route

from archal_lambda.local import LocalArchal


@pytest.fixture(scope="session")
def archal():
    with LocalArchal(extra_clones={"echo": lambda _base: echo}) as running:
        yield running


@pytest.fixture(scope="session")
def delayed():
    clock = Clock(1_800_000_000.0)
    with LocalArchal(startup_delay=30.0, clock=clock) as running:
        yield running, clock


@pytest.fixture
def control(archal):
    return Control(archal.api_url, archal.token)


@pytest.fixture
def github(archal):
    return route(archal)


@pytest.fixture
def echoing(archal):
    return route(archal, "echo")


@pytest.fixture(scope="session")
def contract():
    return openapi.Contract(openapi.description())
