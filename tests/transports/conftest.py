"""What the transport tests share: certificates, servers that end with the test, and the watch for leaks."""

from __future__ import annotations

import contextlib
import gc
import logging
import threading

import fault_tls
import faults_client
import pytest


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return fault_tls.Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(params=["http", "https"])
def scheme(request):
    return request.param


@pytest.fixture
def plain_site():
    """Open a site over plain HTTP."""
    with contextlib.ExitStack() as stack:
        yield lambda script, **options: stack.enter_context(faults_client.Site(script, **options))


@pytest.fixture
def site(scheme, authority):
    """Open a site, once over HTTP and once over TLS."""
    tls = authority.trusted if scheme == "https" else None
    with contextlib.ExitStack() as stack:
        yield lambda script, **options: stack.enter_context(
            faults_client.Site(script, tls=tls, ca_file=authority.file, **options)
        )


@pytest.fixture(autouse=True)
def silent_logs(caplog):
    """No log record of any logger, at any level, may hold a secret."""
    caplog.set_level(logging.DEBUG)
    yield
    for record in caplog.get_records("call"):
        shown = record.getMessage() + repr(vars(record))
        assert not [secret for secret in faults_client.SECRETS if secret in shown]


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
