"""The client's side of the fault tests: a call full of secrets, and the proof that none gets out."""

from __future__ import annotations

import contextlib
import pickle
import time
import traceback
from pathlib import Path

import pytest

import archal_lambda.transports
from archal_lambda import Clones, Settings, errors
from archal_lambda.testing.faulty_server import FaultServer
from archal_lambda.transports._urllib3 import UrllibTransport

PATIENCE = 8.0  # seconds for calls that are not about time
SAFETY_SECONDS = 10.0  # nothing is waited for longer, whatever a test forgets
LATE = 0.7  # seconds after the budget by which a call must have returned, on a busy machine

# Put together at run time, so that no scanner takes the source for a leak.
TOKEN = "gh" + "p_" + "ServiceToken" * 3
ROUTE = "arch" + "al_" + "RouteToken" * 3
QUERY = "query" + "-sentinel-" * 2
BODY = "body" + "-sentinel-" * 2
HEADER = "header" + "-sentinel-" * 2
ECHO = "echo" + "-sentinel-" * 2  # what a peer says
SECRETS = (TOKEN, ROUTE, QUERY, BODY, HEADER, ECHO)

_FOLDER = str(Path(archal_lambda.transports.__file__).parent)


class Site:
    """A fault server and clones that call it.

    Args:
        script: As of `FaultServer`.
        tls: The server's SSL context, or None.
        scheme: As of `FaultServer`.
        ca_file: The CA that the client trusts.
        options: For `Clones`, and under `transport` for `UrllibTransport`.
    """

    def __init__(self, script, *, tls=None, scheme=None, ca_file=None, transport=None, **options):
        self.server = FaultServer(script, tls=tls, scheme=scheme)
        self._options = options
        self.transport = UrllibTransport(ca_file=ca_file, **(transport or {}))

    def __enter__(self):
        self.server.__enter__()
        self.clones = clones_at(self.server.origin, self.transport, **self._options)
        return self

    def __exit__(self, *_):
        self.transport.close()
        self.server.__exit__()
        assert not self.server.failures

    @property
    def clone(self):
        return self.clones["svc"]

    def call(self, method="POST", path="/things", *, timeout=PATIENCE, **options):
        options.setdefault("params", {"q": QUERY})
        if method not in {"GET", "HEAD", "DELETE"} and "content" not in options:
            options.setdefault("json", {"body": BODY})
        return self.clone.request(
            method, path, token=TOKEN, headers={"X-Plain": HEADER}, timeout=timeout, **options
        )

    def fail(self, *args, error, within=None, **options):
        """Make a call that must fail with this error, and within a time if there is one."""
        started = time.monotonic()
        with pytest.raises(errors.ArchalError) as caught:
            self.call(*args, **options)
        took = time.monotonic() - started
        assert caught.type is error, describe(caught.value)
        assert_clean(caught.value)
        assert within is None or took < within + LATE
        return caught.value


def clones_at(origin, transport, **options):
    """Make clones of one service behind an origin."""
    settings = Settings(clone_urls={"svc": f"{origin}/svc/api"}, token=ROUTE)
    return Clones(settings, transport=transport, **options)


def check_failed(here, error):
    """What holds after every failure: it was sent, tried once, and its connection is not used again."""
    assert (error.sent, error.attempts, error.method) == (True, 1, "POST")
    assert error.url == f"{here.server.origin}/svc/api/things"
    assert here.call(path="/after").content.startswith(b"1 /svc/api/after")
    assert here.server.connections == 2


def check_next(here, *, reused):
    """The next call gets its own response, on the same connection or on a new one."""
    number = 0 if reused else 1
    assert here.call(path="/after").text == f"{number} /svc/api/after?q={QUERY}"
    assert here.server.connections == number + 1


def open_sockets():
    """How many sockets this process has; None where the system does not say."""
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        return None
    count = 0
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):  # the folder's own is gone by now
            count += str(entry.readlink()).startswith("socket:")
    return count


def describe(error):
    return "".join(traceback.format_exception(error))


def assert_clean(error):
    """Make sure that nothing a program prints of an error holds a secret."""
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - made one line above
    shown = [describe(error), str(copy), repr(copy)]
    seen = set()
    queue = [error]
    while queue:
        one = queue.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        queue += [one.__cause__, one.__context__]
        shown += [str(one), repr(one), repr(vars(one))]
        stack = traceback.TracebackException.from_exception(one, capture_locals=True).stack
        shown += [repr(frame.locals) for frame in stack if frame.filename.startswith(_FOLDER)]
    for text in shown:
        for secret in SECRETS:
            assert secret not in text
