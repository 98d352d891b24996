"""A secret that is read slowly holds up no call beyond its budget."""

from __future__ import annotations

import threading
import time

import pytest
from support.faults.client import LATE, SAFETY_SECONDS

from archal_lambda import Deadline, Headers, RequestTimeout
from archal_lambda.core.auth import ExtensionCredentials
from archal_lambda.core.environment import TokenSecret
from archal_lambda.core.secrets import Secret
from archal_lambda.testing.faulty_server import FaultServer, answer
from archal_lambda.transports._urllib3 import UrllibTransport

BUDGET = 0.1


class Extension:
    """An extension that answers with a new token each time, once it is let."""

    def __init__(self):
        self.open = threading.Event()
        self.asked = threading.Semaphore(0)
        self.server = FaultServer(self._script)
        self._count = 0

    def _script(self, conn, _index):
        while True:
            conn.read_request()
            self.asked.release()
            self.open.wait(SAFETY_SECONDS)
            self._count += 1
            conn.send(answer(b'{"SecretString": "token-%d"}' % self._count))


@pytest.fixture
def extension():
    extension = Extension()
    with extension.server:
        yield extension
        extension.open.set()


@pytest.fixture
def reading(extension):
    """Credentials of which a thread is reading the secret, and that thread."""
    now = [1000.0]
    transport = UrllibTransport()
    secret = TokenSecret("archal", Secret("s"), str(extension.server.port))
    credentials = ExtensionCredentials(
        "X-A", secret, transport.send, lock=threading.Lock(), wall_clock=lambda: now[0]
    )
    credentials.now = now
    threads = []

    def begin():
        thread = threading.Thread(
            target=lambda: credentials.headers(Deadline.after(SAFETY_SECONDS))
        )
        thread.start()
        threads.append(thread)
        assert extension.asked.acquire(timeout=SAFETY_SECONDS)
        return credentials

    yield begin
    extension.open.set()
    for thread in threads:
        thread.join()
    transport.close()


def test_another_threads_reading_is_waited_for_in_time(reading, extension):
    """A deadline that passes meanwhile is a RequestTimeout; the reading itself goes on."""
    credentials = reading()
    started = time.monotonic()
    with pytest.raises(RequestTimeout, match="not read in time") as caught:
        credentials.headers(Deadline.after(BUDGET))
    assert caught.value.sent is False
    old = Headers({"x-a": "Bearer old"})
    assert credentials.headers(Deadline.after(BUDGET), old) is old
    assert time.monotonic() - started < 2 * BUDGET + LATE
    extension.open.set()
    assert credentials.headers(Deadline.after(SAFETY_SECONDS))["x-a"] == "Bearer token-1"


def test_a_token_read_before_serves_while_it_is_read_anew(reading, extension):
    """Nobody but the thread that reads waits for it."""
    extension.open.set()
    credentials = reading()
    assert credentials.headers(Deadline.after(SAFETY_SECONDS))["x-a"] == "Bearer token-1"
    extension.open.clear()
    credentials.now[0] += 301.0
    reading()
    started = time.monotonic()
    assert credentials.headers(Deadline.after(SAFETY_SECONDS))["x-a"] == "Bearer token-1"
    assert time.monotonic() - started < LATE
    extension.open.set()
