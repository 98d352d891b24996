"""How the stand-in keeps and ends connections."""

from __future__ import annotations

import asyncio
import http.client
import math
import socket
import threading
import time

import pytest
from support.standin import Control, Route

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal

FEW_MS = 0.1  # seconds, on a busy machine; it was twice as long on an idle one
REQUEST = b"GET /api/sessions HTTP/1.1\r\nHost: x\r\n\r\n"


def connected(archal):
    host, _, port = archal.api_url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=5.0)


def test_an_idle_connection_is_closed_after_its_time():
    """Without a word before, as most servers do."""
    with LocalArchal(keep_alive=0.2) as archal, connected(archal) as sock:
        sock.sendall(REQUEST)
        answer = sock.recv(65536)
        started = time.monotonic()
        while piece := sock.recv(65536):
            answer += piece
        assert 0.05 < time.monotonic() - started < 3.0
    assert b"keep-alive" not in answer.lower()


def test_it_keeps_connections_as_long_as_common_servers_do():
    """A client that keeps them longer must lose calls here, too."""
    with LocalArchal() as archal:
        assert archal._keep_alive == 5.0


@pytest.mark.parametrize("seconds", [-1.0, math.inf, math.nan])
def test_a_time_that_is_none_is_refused(seconds):
    with pytest.raises(ConfigurationError, match="keep_alive"):
        LocalArchal(keep_alive=seconds)


@pytest.mark.parametrize("use", ["unused", "used", "idle connections", "half a request"])
def test_stopping_takes_milliseconds(use):
    took = []
    for _ in range(3):
        archal = LocalArchal().start()
        socks = []
        if use == "used":
            assert Control(archal.api_url, archal.token)("GET", "/api/sessions").status == 200
        elif use != "unused":
            socks = [connected(archal) for _ in range(5)]
            for sock in socks:
                sock.sendall(REQUEST if use == "idle connections" else REQUEST[:20])
        if use == "idle connections":
            assert all(sock.recv(65536) for sock in socks)
        started = time.monotonic()
        archal.stop()
        took.append(time.monotonic() - started)
        for sock in socks:
            sock.close()
    assert min(took) < FEW_MS


def test_a_response_under_way_is_sent_before_it_stops():
    entered = threading.Event()
    answered = []

    async def slow(scope, receive, send):
        del scope, receive
        entered.set()
        await asyncio.sleep(0.2)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"whole"})

    with LocalArchal(clones=[], extra_clones={"slow": lambda _base: slow}) as archal:
        route = Route(archal.base_url("slow"), archal.token)
        asking = threading.Thread(target=lambda: answered.append(route("GET", "/")))
        asking.start()
        assert entered.wait(5.0)
    asking.join()
    assert [one.body for one in answered] == [b"whole"]


def test_it_stops_right_after_it_started():
    for _ in range(20):
        archal = LocalArchal().start()
        archal.stop()


def test_calls_that_race_the_stop_end():
    """Each is answered, reset or refused: none waits for a server that is gone."""
    ends = []

    def call(archal, address):
        route = Route(archal.base_url("github"), archal.token)
        try:
            while True:
                assert route("GET", "/user").status == 200
        except TimeoutError:
            ends.append(address)
        except (OSError, http.client.HTTPException, RuntimeError):
            pass

    for _ in range(10):
        with LocalArchal() as archal:
            callers = [
                threading.Thread(target=call, args=(archal, archal.api_url)) for _ in "123456"
            ]
            for caller in callers:
                caller.start()
            time.sleep(0.02)
        for caller in callers:
            caller.join()
    assert ends == []
