"""Servers that close idle connections: no POST is lost in the moment in which they do, and none is sent twice."""

from __future__ import annotations

import collections
import contextlib
import threading
import time

import pytest
from support.distant import Distance, node_server
from support.faults.client import clones_at, open_sockets

from archal_lambda import Clones, Settings
from archal_lambda.errors import TransportError
from archal_lambda.local import LocalArchal
from archal_lambda.testing.faulty_server import FaultServer, answer, good
from archal_lambda.transports._pool import MAX_IDLE
from archal_lambda.transports._urllib3 import UrllibTransport

ROUND_TRIP = 0.06  # seconds, as to another continent's edge


def twice(post, pauses):
    """Make a POST, and another after a pause, all pairs side by side; return the pauses after which one failed."""
    failures = []

    def work(number, seconds):
        try:
            post(number, "before")
            time.sleep(seconds)
            post(number, "after")
        except TransportError:
            failures.append(seconds)

    threads = [threading.Thread(target=work, args=each) for each in enumerate(pauses)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_a_hint_of_nodes_server_is_obeyed():
    """It says `timeout=2`, and closes as those two seconds end."""
    with node_server(2000) as port, Distance(port, ROUND_TRIP) as far:
        clients = [
            clones_at(f"http://127.0.0.1:{far.port}", UrllibTransport())["svc"] for _ in range(24)
        ]
        # Around the second after which a connection is not used, and the two after which Node closes it; newer ones
        # wait another second, for clients that take it at its word.
        pauses = [start + 0.015 * step for start in (0.93, 1.88, 2.88) for step in range(8)]
        failures = twice(
            lambda number, name: clients[number].post(f"/{name}-{number}", json={}), pauses
        )
        seen = collections.Counter(clients[0].get("/").json())
    assert not failures
    assert set(seen.values()) == {1}
    assert len(seen) == 48


def test_a_hint_of_no_time_at_all_is_obeyed():
    """The connection is closed by us, as the next request would meet its end."""
    with node_server(1000) as port:
        transport = UrllibTransport()
        client = clones_at(f"http://127.0.0.1:{port}", transport)["svc"]
        before = open_sockets()
        assert client.post("/", json={}).headers["keep-alive"] == "timeout=1"
        if before is not None:
            assert open_sockets() == before


def test_a_server_that_says_nothing_is_not_outwaited():
    """Such as uvicorn, which closes after 5 s without a hint, which is longer than a connection is kept."""
    with LocalArchal(clones=["github"], keep_alive=5.0) as archal:
        port = int(archal.runtime_url.rpartition(":")[2])
        with Distance(port, ROUND_TRIP) as far:
            base = archal.base_url("github").replace(f":{port}", f":{far.port}")
            settings = Settings(clone_urls={"github": base}, token=archal.token)
            clients = [Clones(settings, transport=UrllibTransport())["github"] for _ in range(24)]

            def post(number, name):
                client = clients[number]
                client.post(
                    "/user/repos", json={"name": f"{name}-{number}"}, token="ghp_" + "a" * 36
                )

            failures = twice(post, [4.87 + 0.008 * step for step in range(24)])
        posts = [one for one in archal.requests if one.method == "POST"]
    assert not failures
    assert len(posts) == 48


def test_a_connection_that_ended_meanwhile_is_not_used():
    """The stand-in closes after a tenth of a second. Whatever the pause, each POST arrives once."""
    with LocalArchal(clones=["github"], keep_alive=0.1) as archal:
        with Clones.from_env(archal.environ) as clones:
            for number in range(4):
                response = clones["github"].post(
                    "/user/repos", json={"name": f"r{number}"}, token="ghp_" + "a" * 36
                )
                assert (response.status_code, response.attempts) == (201, 1)
                time.sleep(0.15)
        assert len([one for one in archal.requests if one.method == "POST"]) == 4


@pytest.mark.parametrize(
    ("hint", "passed", "connections"),
    [
        ("timeout=10", 8.9, 1),
        ("timeout=10", 9.0, 2),
        ("timeout=3, max=50", 1.9, 1),
        ("timeout=3, max=50", 2.0, 2),
        ("timeout=300", 14.9, 1),
        ("timeout=300", 15.0, 2),
        ("timeout=1", 0.0, 2),
        ("timeout=0", 0.0, 2),
        ("max=50", 3.9, 1),
        ("max=50", 4.0, 2),
    ],
)
def test_the_servers_word_counts_for_its_connection(site, hint, passed, connections):
    now = [1_800_000_000.0]

    def script(conn, _index):
        while True:
            conn.read_request()
            conn.send(answer(b"{}", headers=[f"Keep-Alive: {hint}"]))

    here = site(script, transport={"wall_clock": lambda: now[0]})
    here.call()
    now[0] += passed
    here.call()
    assert here.server.connections == connections


def test_sessions_one_after_the_other_leave_no_sockets():
    """Each has an origin of its own, and nobody calls it again once the session has ended."""
    now = [1_800_000_000.0]
    transport = UrllibTransport(wall_clock=lambda: now[0])
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(FaultServer(good)) for _ in range(MAX_IDLE + 8)]
        before = open_sockets()
        for server in servers:
            clones_at(server.origin, transport)["svc"].get("/")
        if before is not None:
            assert open_sockets() - before <= 2 * MAX_IDLE + 8  # our ends, and those of the servers
        now[0] += 4.0
        clones_at(servers[0].origin, transport)["svc"].get("/")
        # What our ends' closing leaves of the servers' goes when they notice.
        assert servers[0].wait_for(lambda _: before is None or open_sockets() - before <= 2)
        transport.close()
