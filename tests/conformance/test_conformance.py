"""One list of checks, on every client and every host."""

from __future__ import annotations

import asyncio
import socket

import pytest
from conformance import checks
from conformance.host import Host
from support import supply
from support.faults import behaviours
from support.faults.tls import Authority
from support.pyodide import engine

from archal_lambda.local import LocalArchal
from archal_lambda.testing.faulty_server import FaultServer, good


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """What the checks run against: misbehaving servers, an address where nobody listens, and a local Archal."""
    tls = Authority(tmp_path_factory.mktemp("ca")).untrusted
    with (
        socket.socket() as unused,
        behaviours.server() as server,
        FaultServer(good, tls=tls) as untrusted,
        LocalArchal() as archal,
    ):
        unused.bind(("127.0.0.1", 0))  # and never listens
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
        yield {
            "origin": server.origin,
            "closed": closed,
            "untrusted": untrusted.origin,
            "environ": dict(archal.environ),
        }
        assert not server.failures
        assert not untrusted.requests


@pytest.mark.parametrize("name", checks.names("sync"))
def test_cpython_sync(surroundings, name):
    """The synchronous clients, on urllib3."""
    assert asyncio.run(checks.run(Host("sync", **surroundings), name)) is None


@pytest.mark.parametrize("name", checks.names("async"))
def test_cpython_async(surroundings, name):
    """The asynchronous clients, on threads."""
    assert asyncio.run(checks.run(Host("async", **surroundings), name)) is None


@pytest.fixture(scope="module")
def pyodide(tmp_path_factory):
    """Pyodide with the built wheel."""
    return supply.obtained(engine.Engine, tmp_path_factory.mktemp("pyodide"))


@pytest.fixture(scope="module")
def fetched(pyodide, surroundings):
    """What came of each check of the asynchronous clients in Pyodide, by name."""
    told, _ = pyodide.run("on_pyodide.py", {"kind": "async", **surroundings})
    return {one["name"]: one["failure"] for one in told}


@pytest.fixture(scope="module")
def suspended(pyodide, surroundings):
    """What came of each check of the synchronous clients in Pyodide, by name."""
    told, _ = pyodide.run("on_pyodide.py", {"kind": "sync", **surroundings}, jspi=True)
    return {one["name"]: one["failure"] for one in told}


def test_pyodide_traps(pyodide, surroundings):
    """What the host, its fetch and its garbage collector would do to a call."""
    told, _ = pyodide.run("on_traps.py", surroundings, flags=["--expose-gc"])

    assert len(told) == 4
    assert [one for one in told if one["failure"]] == []


@pytest.mark.parametrize("name", ["modules", *checks.names("async")])
def test_pyodide_async(fetched, name):
    """The asynchronous clients, on the host's fetch; they load neither urllib3 nor Powertools."""
    assert fetched.pop(name) is None


@pytest.mark.parametrize("name", ["modules", *checks.names("sync")])
def test_pyodide_sync(suspended, name):
    """The synchronous clients, suspended while the host fetches."""
    assert suspended.pop(name) is None
