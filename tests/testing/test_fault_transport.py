"""Faults around the transport of a client, for hosted sessions."""

from __future__ import annotations

import asyncio

import pytest
from support.fakes import Clock, script, session

from archal_lambda import (
    ArchalClient,
    AsyncClones,
    Clones,
    ConfigurationError,
    ConnectionLost,
    Deadline,
    Request,
    RequestTimeout,
    Response,
    RetryPolicy,
    Settings,
    TeardownFailedError,
    Timeout,
)
from archal_lambda.local import LocalArchal
from archal_lambda.testing import Fault, FaultTransport
from archal_lambda.transports.mock import MockTransport

SETTINGS = Settings(
    clone_urls={
        "github": "https://ses-1.test/runtime/ses-1/github/api",
        "slack": "https://ses-1.test/runtime/ses-1/slack/api",
        "odd": "https://odd.test/here",
    },
    token="t",
)


class Played:
    """Clients over a mock with faults around it, whose time a test sees pass."""

    def __init__(self, *faults, **options):
        self.clock = Clock()
        self.mock = MockTransport(lambda _: Response(200, json={"from": "the clone"}))

        async def sleep(seconds):
            self.clock.sleep(seconds)

        self.transport = FaultTransport(
            self.mock, faults, sleep=self.clock.sleep, async_sleep=sleep, **options
        )
        self.clones = Clones(SETTINGS, transport=self.transport)

    def send(self, method="GET", path="/user", *, clone="github", timeout=10.0, **options):
        """Make a call under a deadline on the clock of the test."""
        deadline = Deadline.after(timeout, clock=self.clock)
        return self.clones[clone].with_deadline(deadline).request(method, path, **options)

    @property
    def sent(self):
        return len(self.mock.requests)


def test_a_status_in_the_services_own_shape():
    """Nothing is sent; what it does not fit, is."""
    played = Played(Fault(clone="slack", path="/chat.*", status=429, retry_after=3))

    limited = played.send("POST", "/chat.postMessage", clone="slack", json={})

    assert (limited.status_code, limited.retry_after, limited.rejected_by) == (429, 3.0, "clone")
    assert limited.json() == {"ok": False, "error": "ratelimited"}
    assert played.sent == 0
    assert played.send("GET", "/users.list", clone="slack").status_code == 200
    assert played.send("POST", "/chat.postMessage", json={}).status_code == 200
    assert played.transport.hits == (1,)


def test_so_many_times_and_in_order():
    played = Played(Fault(status=503, times=2), Fault(status=500, times=1))

    assert [played.send().status_code for _ in range(4)] == [503, 503, 500, 200]
    assert played.transport.hits == (2, 1)


def test_revoked_and_route():
    played = Played(Fault(revoked=True, times=1), Fault(route=401, times=1), Fault(route=403))

    revoked, unauthorized, forbidden = (played.send(token="s") for _ in range(3))

    assert revoked.json()["message"] == "Bad credentials"
    assert (unauthorized.status_code, unauthorized.rejected_by) == (401, "route")
    assert (forbidden.status_code, forbidden.rejected_by) == (403, "route")
    assert played.sent == 0


def test_a_delay_takes_from_the_deadline():
    played = Played(Fault(delay=2.5))

    assert played.send().status_code == 200
    assert played.clock.slept == [2.5]


def test_a_delay_past_the_deadline_is_a_timeout_and_the_clone_acted():
    played = Played(Fault(delay=60.0))

    with pytest.raises(RequestTimeout) as caught:
        played.send("POST", "/user/repos", json={}, timeout=5.0)

    assert (caught.value.phase, caught.value.sent, caught.value.attempts) == ("headers", True, 1)
    assert sum(played.clock.slept) == 5.0
    assert played.sent == 1


def test_a_delay_past_the_limit_of_silence_is_a_timeout():
    played = Played(Fault(delay=3.0))

    with pytest.raises(RequestTimeout) as caught:
        played.clones["github"].request("POST", "/user", json={}, timeout=Timeout(10.0, read=1.0))

    assert caught.value.phase == "headers"
    assert played.clock.slept == [1.0]


def test_a_delay_before_a_status_sends_nothing():
    played = Played(Fault(delay=60.0, status=503))

    with pytest.raises(RequestTimeout) as caught:
        played.send("POST", json={}, timeout=5.0)

    assert (caught.value.sent, played.sent) == (False, 0)


def test_a_reset_before_anything():
    """Nothing was sent, so that even a POST is tried again."""
    played = Played(Fault(reset=True, times=1))

    assert played.send("POST", json={}).attempts == 2

    always = Played(Fault(reset="before"))
    with pytest.raises(ConnectionLost) as caught:
        always.send("POST", json={})
    assert (caught.value.sent, caught.value.url) == (
        False,
        "https://ses-1.test/runtime/ses-1/github/api/user",
    )
    assert always.sent == 0


def test_a_reset_after_the_clone_acted():
    """It was sent, so that a POST is not tried again."""
    played = Played(Fault(reset="after"))

    with pytest.raises(ConnectionLost) as caught:
        played.send("POST", json={})

    assert (caught.value.sent, caught.value.attempts, played.sent) == (True, 1, 1)


def test_a_body_that_is_cut():
    played = Played(Fault(method="POST", cut=5), Fault(cut=1000))

    with pytest.raises(ConnectionLost, match="incomplete") as caught:
        played.send("POST", json={})

    assert caught.value.sent is True
    assert played.send("GET").json() == {"from": "the clone"}


def test_a_drip_takes_its_time():
    """Of the whole body; and no more than the deadline, or the limit of silence."""
    played = Played(Fault(drip=0.1))
    length = len(played.send().content)
    assert played.clock.slept == [pytest.approx(length * 0.1)]

    with pytest.raises(RequestTimeout) as caught:
        played.send("POST", json={}, timeout=1.0)
    assert (caught.value.phase, caught.value.sent) == ("body", True)
    assert played.clock.slept[-1] == pytest.approx(1.0)

    with pytest.raises(RequestTimeout):
        played.clones["github"].post("/user", json={}, timeout=Timeout(60.0, read=0.05))
    assert played.clock.slept[-1] == pytest.approx(0.05)


def test_a_clone_whose_url_does_not_tell():
    unknown, named = (
        Played(Fault(clone="odd", status=503)),
        Played(Fault(clone="odd", status=503), clone_urls={"odd": "https://odd.test/here"}),
    )

    assert unknown.send(clone="odd").status_code == 200
    assert named.send(clone="odd").status_code == 503


def test_the_end_of_a_session_fails():
    """The client tries again; a session that cannot be stopped is an error."""
    mock = script(session(), Response(204))
    transport = FaultTransport(mock, [Fault(teardown=502, times=4)])
    retries = RetryPolicy(attempts=3, backoff=0.001)
    client = ArchalClient(Settings(token="t"), transport=transport, retry=retries)

    assert client.sessions.create(clones=["github"]).session_id == "ses-1"
    with pytest.raises(TeardownFailedError) as caught:
        client.sessions.delete("ses-1")
    client.sessions.delete("ses-1")

    assert caught.value.status_code == 502
    assert [request.method for request in mock.requests] == ["POST", "DELETE"]
    assert transport.hits == (4,)


def test_asynchronous_clients():
    async def main():
        played = Played(
            Fault(status=503, times=1), Fault(reset="after", times=1), Fault(delay=60.0)
        )
        clones = AsyncClones(SETTINGS, transport=played.transport)
        github = clones["github"]
        assert (await github.get("/user")).status_code == 503
        with pytest.raises(ConnectionLost):
            await github.post("/user", json={})
        with pytest.raises(RequestTimeout):
            await github.post("/user", json={}, timeout=2.0)
        assert played.clock.slept == [pytest.approx(2.0, abs=0.1)]
        await clones.close()

    asyncio.run(main())


def test_a_transport_for_the_other_kind_of_client_is_told():
    class Blocking:
        def send(self, request, _deadline, _timeout):
            return Response(200, request=request)

        def close(self):
            pass

    async def main():
        clones = AsyncClones(SETTINGS, transport=FaultTransport(Blocking()))
        with pytest.raises(TypeError, match="for synchronous clients only"):
            await clones["github"].get("/user")

    asyncio.run(main())
    assert Clones(SETTINGS, transport=FaultTransport(Blocking()))["github"].get("/").is_success


def test_wrong_arguments_are_named():
    with pytest.raises(
        ConfigurationError, match=r"faults must be a list of archal_lambda\.testing\.Fault"
    ):
        FaultTransport(None, [{"status": 503}])
    with pytest.raises(ConfigurationError, match="clone_urls has a URL for 'odd' that must be"):
        FaultTransport(clone_urls={"odd": "ftp://odd.test"})


def test_the_real_transport_is_made_where_none_is_given():
    """Blocking and asynchronous, over real sockets, with MCP and side by side."""
    with LocalArchal() as archal:
        transport = FaultTransport(
            faults=[
                Fault(clone="github", path="/mcp/get_me", status=503),
                Fault(clone="github", path="/user", status=500, times=10),
                Fault(method="POST", cut=3),
            ]
        )
        with Clones.from_env(archal.environ, transport=transport) as clones:
            github = clones["github"]
            results = clones.gather(
                [("github", Request("GET", "/user", token="t"))] * 32, max_concurrency=8
            )
            assert sorted(one.status_code for one in results) == [200] * 22 + [500] * 10
            with pytest.raises(ConnectionLost):
                github.post("/user/repos", json={"name": "cut"}, token="t")
            assert [one["name"] for one in github.get("/user/repos", token="t").json()] == ["cut"]

        async def main():
            faults = FaultTransport(faults=[Fault(path="/user", revoked=True, times=1)])
            clones = AsyncClones.from_env(archal.environ, transport=faults)
            try:
                answers = [await clones["github"].get("/user", token="t") for _ in range(2)]
            finally:
                await clones.close()
            return [one.status_code for one in answers]

        assert asyncio.run(main()) == [401, 200]


def test_a_tool_by_mcp():
    with LocalArchal() as archal:
        transport = FaultTransport(faults=[Fault(clone="github", path="/mcp/get_me", status=503)])
        with Clones.from_env(archal.environ, transport=transport) as clones:
            mcp = clones["github"].mcp
            assert mcp.tools()
            with pytest.raises(Exception, match="503"):
                mcp.call("get_me", {})
    assert transport.hits == (1,)


@pytest.mark.parametrize("faults", [None, Fault(status=503), [None], ["github status=503"]])
def test_what_are_no_faults_is_refused(faults):
    with pytest.raises(ConfigurationError, match=r"faults must be a list of archal_lambda.testing"):
        FaultTransport(faults=faults)
