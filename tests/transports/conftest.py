"""What the transport tests share: certificates, servers that end with the test, and the watch for leaks."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading

import pytest
from support.faults.client import SECRETS, Site
from support.faults.tls import Authority

from archal_lambda.testing.faulty_server import answer, by_connection, read, send, serve

BUDGET = 0.2  # seconds
TLS_BUDGET = 0.2  # a handshake fits, on a busy machine too


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(params=["http", "https"])
def scheme(request):
    return request.param


@pytest.fixture
def plain_site():
    """Open a site over plain HTTP."""
    with contextlib.ExitStack() as stack:
        yield lambda script, **options: stack.enter_context(Site(script, **options))


@pytest.fixture
def site(scheme, authority):
    """Open a site, once over HTTP and once over TLS."""
    tls = authority.trusted if scheme == "https" else None
    with contextlib.ExitStack() as stack:
        yield lambda script, **options: stack.enter_context(
            Site(script, tls=tls, ca_file=authority.file, **options)
        )


@pytest.fixture(params=["fresh", "reused"])
def warm(request):
    """Whether the connection has served a call before."""
    return request.param == "reused"


@pytest.fixture
def play(warm, scheme, site):
    """Open a site whose first connection plays the fault, at once or after a good response."""

    def open_site(*fault, **options):
        warm_up = [read, send(answer(b"warm"))] if warm else []
        here = site(by_connection([*warm_up, read, *fault], [serve]), **options)
        here.budget = TLS_BUDGET if scheme == "https" and not warm else BUDGET
        if warm:
            assert here.call().content == b"warm"
        return here

    return open_site


@pytest.fixture(autouse=True)
def silent_logs(caplog):
    """No log record of any logger, at any level, may hold a secret."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        shown = record.getMessage() + repr(vars(record))
        assert not [secret for secret in SECRETS if secret in shown]


@pytest.fixture(autouse=True, scope="module")
def nothing_left():
    """No thread outlives a module, and a socket that does is found by its ResourceWarning."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(1.0)
    assert not [thread.name for thread in left if thread.is_alive()]
