"""The guard of the pytest plugin."""

from __future__ import annotations

import re
import socket
import sys

import pytest

from archal_lambda.testing.pytest_plugin.guard import GuardPlugin, PublicAddressError

pytest_plugins = ["pytester"]

REACHING = """
import asyncio
import os
import socket
import threading
import urllib.request
from contextlib import suppress

import pytest

def swallowing(work):
    with suppress(Exception):
        work()

def test_name(): swallowing(lambda: urllib.request.urlopen("http://example.com/", timeout=5))
def test_old_name(): swallowing(lambda: socket.gethostbyname("example.org"))
def test_reverse(): swallowing(lambda: socket.gethostbyaddr("192.0.2.4"))
def test_address(): swallowing(lambda: socket.create_connection(("192.0.2.1", 80), timeout=5))
def test_number(): swallowing(lambda: socket.socket().connect(("3221225985", 80)))
def test_mapped(): swallowing(lambda: socket.create_connection(("::ffff:192.0.2.2", 80), timeout=5))
def test_datagram(): swallowing(lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.3", 53)))
def test_thread():
    thread = threading.Thread(target=swallowing, args=(lambda: socket.getaddrinfo("thread.example.com", 1),))
    thread.start()
    thread.join()
def test_loop():
    async def main():
        with suppress(OSError):
            await asyncio.open_connection("loop.example.com", 443)
    asyncio.run(main())
@pytest.mark.xfail
def test_expected():
    socket.getaddrinfo("xfail.example.com", 1)
def test_skipped():
    swallowing(lambda: socket.getaddrinfo("skip.example.com", 1))
    pytest.skip()
def test_not_swallowed(): socket.getaddrinfo("raised.example.com", 1)

@pytest.fixture
def reaching(): swallowing(lambda: socket.getaddrinfo("fixture.example.com", 1))
def test_fixture(reaching): pass
"""
REACHED = {
    "name": "example.com:80",
    "old_name": "example.org",
    "reverse": "192.0.2.4",
    "address": "192.0.2.1:80",
    "number": "3221225985:80",
    "mapped": "::ffff:192.0.2.2:80",
    "datagram": "192.0.2.3:53",
    "thread": "thread.example.com:1",
    "loop": "loop.example.com:443",
    "expected": "xfail.example.com:1",
    "skipped": "skip.example.com:1",
    "not_swallowed": "raised.example.com:1",
    "fixture": "fixture.example.com:1",
}
STAYING = """
import asyncio
import socket
from contextlib import suppress

def test_loopback(archal, archal_clones):
    assert archal_clones["github"].get("/user", token="t").status_code == 200

def test_names():
    for name in ["localhost", b"LOCALHOST", "127.0.0.1", "127.1", "::1", "", None, "0.0.0.0", "192.0.2.1"]:
        with suppress(socket.gaierror):  # not every machine has all of them
            socket.getaddrinfo(name, 80)

def test_own_name():
    try:
        socket.gethostbyname(socket.gethostname())
    except OSError as error:
        assert "guard" not in str(error)

def test_pairs(tmp_path):
    a, b = socket.socketpair()
    a.sendall(b"x")
    if hasattr(socket, "AF_UNIX"):
        with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
            server.bind("s")
            server.listen()
            client.connect("s")
    for one in (a, b):
        one.close()

def test_datagrams():
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind(("127.0.0.1", 0))
        sender.sendto(b"x", receiver.getsockname())
        assert receiver.recv(1) == b"x"

def test_loop():
    async def main():
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.close()
    asyncio.run(main())
"""


@pytest.mark.parametrize("how", [("--archal-guard",), ("--archal-guard", "-n", "2"), ()])
def test_a_test_that_goes_beyond_this_machine_fails(project, how):
    """With its name and the address, whatever its code makes of the error; nothing is asked of a name server."""
    if not how:
        project.ini("archal_guard = true")
    project.write(REACHING)
    result = project.run(
        "-W",
        "ignore::ResourceWarning",
        "-W",
        "ignore::pytest.PytestUnraisableExceptionWarning",
        *how,
    )
    result.assert_outcomes(failed=12, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            f"test_it.py::test_{test} tried to reach {where}, which is not this machine"
            for test, where in REACHED.items()
        ]
    )


def test_a_test_that_stays_passes(project):
    project.write(STAYING)
    project.run("--archal-guard").assert_outcomes(passed=6)


def test_a_module_that_goes_beyond_at_its_import(project):
    project.write(
        """
import socket
try:
    socket.getaddrinfo("import.example.com", 1)
except OSError:
    pass
def test_one(): pass
"""
    )
    result = project.run("--archal-guard")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["test_it.py tried to reach import.example.com:1, *"])


def test_without_the_option_nobody_listens(project):
    project.write(
        """
import sys
def test_one(monkeypatch):
    assert "archal_lambda.testing.pytest_plugin.guard" not in sys.modules
"""
    )
    project.run().assert_outcomes(passed=1)


@pytest.fixture
def guard(monkeypatch):
    """One in this process, which watches; look-ups are answered by a fake."""
    fake = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: fake)
    one = GuardPlugin()
    try:
        yield one
    finally:
        one.lift()


def test_hosts_that_are_let_through(guard):
    """Archal's own, in a hosted run: by name, and by what their names resolve to."""
    resolve = socket.getaddrinfo
    guard.allow(["Archal.test", ""])
    guard._watching = True
    with socket.socket() as sock:
        guard.heard("socket.getaddrinfo", ("archal.test", 443))
        with pytest.raises(PublicAddressError, match=re.escape("192.0.2.7:443")):
            guard.heard("socket.connect", (sock, ("192.0.2.7", 443)))
        socket.getaddrinfo("other.test", 443)
        with pytest.raises(PublicAddressError):
            guard.heard("socket.connect", (sock, ("192.0.2.7", 443)))
        socket.getaddrinfo(b"archal.test", 443)
        guard.heard("socket.connect", (sock, ("192.0.2.7", 443)))
        with pytest.raises(PublicAddressError):
            guard.heard("socket.getaddrinfo", ("archal.test.example.com", 443))
    guard.lift()
    assert socket.getaddrinfo is resolve
    sys.audit("socket.getaddrinfo", "example.com", 443)


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.getaddrinfo", ("localhost", 80)),
        ("socket.getaddrinfo", (None, 80)),
        ("socket.getaddrinfo", (b"app.LOCALHOST.", 80)),
        ("socket.getaddrinfo", ("192.0.2.1", 80)),
        ("socket.gethostbyname", (socket.gethostname(),)),
        ("socket.gethostbyaddr", ("127.0.0.1",)),
        ("socket.connect", ("127.1", 80)),
        ("socket.connect", ("::1%lo", 80, 0, 0)),
        ("socket.connect", ("::ffff:127.0.0.1", 80, 0, 0)),
        ("socket.connect", ("0.0.0.0", 80)),  # noqa: S104 - connected to, not listened on
        ("socket.sendmsg", None),
    ],
)
def test_what_is_this_machine(guard, event, arguments):
    guard._watching = True
    with socket.socket() as sock:
        to_socket = event in {"socket.connect", "socket.sendmsg"}
        guard.heard(event, (sock, arguments) if to_socket else arguments)


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "3221225985", "2001:db8::1", "fee.example", "10.0.0.1"]
)
def test_what_is_not(guard, host):
    guard._watching = True
    with socket.socket() as sock, pytest.raises(PublicAddressError):
        guard.heard("socket.connect", (sock, (host, 80)))
    with pytest.raises(PublicAddressError):
        guard.heard("socket.gethostbyaddr", (host,))
    guard._watching = False
    guard.heard("socket.gethostbyaddr", (host,))


HOSTED = """
import socket
from contextlib import suppress

def test_one(archal_clones):
    assert archal_clones["github"].get("/user", token="t").status_code == 200

def test_beyond(archal):
    with suppress(OSError):
        socket.getaddrinfo("example.com", 1)
"""


def test_a_hosted_run_with_the_guard(project, hosted):
    """Archal is reached, and nothing else."""
    project.write(HOSTED)
    project.run("--archal", "hosted", "--archal-guard").assert_outcomes(passed=1, failed=1)
