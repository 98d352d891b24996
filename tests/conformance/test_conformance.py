"""One list of checks, on every client and every host."""

from __future__ import annotations

import asyncio
import socket

import pytest
from conformance import checks, site

from archal_lambda.local import LocalArchal


@pytest.fixture(scope="module")
def surroundings():
    """What the checks run against: the misbehaving server, an address where nobody listens, and a local Archal."""
    with socket.socket() as unused, site.server() as server, LocalArchal() as archal:
        unused.bind(("127.0.0.1", 0))  # and never listens
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
        yield {"origin": server.origin, "closed": closed, "environ": dict(archal.environ)}
        assert not server.failures


@pytest.mark.parametrize("name", checks.names("sync"))
def test_cpython_sync(surroundings, name):
    """The synchronous clients, on urllib3."""
    assert asyncio.run(checks.run(checks.Host("sync", **surroundings), name)) is None


@pytest.mark.parametrize("name", checks.names("async"))
def test_cpython_async(surroundings, name):
    """The asynchronous clients, on threads."""
    assert asyncio.run(checks.run(checks.Host("async", **surroundings), name)) is None
