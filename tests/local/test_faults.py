"""Faults that the local Archal plays, over real sockets, as the clients meet them."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest
from support.standin import echo

from archal_lambda import (
    ArchalClient,
    AsyncClones,
    Clones,
    ConfigurationError,
    ConnectionLost,
    RateLimitError,
    Request,
    RequestTimeout,
    RetryPolicy,
    RouteRejectedError,
    TeardownFailedError,
    Timeout,
)
from archal_lambda.local import LocalArchal
from archal_lambda.testing import Fault


@pytest.fixture(scope="module")
def running():
    with LocalArchal(extra_clones={"slack": lambda _base: echo}) as archal:
        yield archal


@pytest.fixture
def archal(running):
    yield running
    running.faults_clear()


@pytest.fixture
def clones(archal):
    with Clones.from_env(archal.environ) as made:
        yield made


@pytest.fixture
def github(clones):
    return clones["github"]


def new_repo(github, name, **options):
    return github.post("/user/repos", json={"name": name}, token="t", **options)


def names(github):
    repos = github.get("/user/repos", params={"per_page": 100}, token="t").json()
    return {repo["name"] for repo in repos}


def test_a_status_in_the_services_own_shape(archal, clones):
    """The clone is not asked; each service words it its own way."""
    with archal.fault(status=429, retry_after=7) as fault:
        github, slack = clones["github"].get("/user", token="t"), clones["slack"].get("/x")

    assert fault.hits == 2
    assert github.retry_after == slack.retry_after == 7.0
    assert github.rejected_by == slack.rejected_by == "clone"
    assert "secondary rate limit" in github.json()["message"]
    assert slack.json() == {"ok": False, "error": "ratelimited"}
    with pytest.raises(RateLimitError):
        github.raise_for_status()
    assert {record.fault for record in archal.requests[-2:]} == {"status=429 retry_after=7"}
    assert all(record.clone_saw is None for record in archal.requests[-2:])


def test_only_so_many_times_and_only_what_it_fits(archal, github):
    """By clone, method and path; then everything is as before."""
    fault = archal.fault("github", method="POST", path="/user/*", status=503, times=2)

    statuses = [new_repo(github, "twice").status_code for _ in range(3)]

    assert statuses == [503, 503, 201]
    assert github.get("/user/repos", token="t").status_code == 200
    assert fault.hits == 2
    assert [record.fault for record in archal.requests[-4:]] == ["status=503"] * 2 + [None] * 2


def test_the_first_rule_that_fits_wins(archal, clones):
    archal.fault("github", path="/user", status=500)
    archal.fault(status=503)

    statuses = [
        clones[clone].get(path, token="t").status_code
        for clone, path in (("github", "/user"), ("github", "/user/repos"), ("slack", "/user"))
    ]

    assert statuses == [500, 503, 503]


def test_a_fault_that_is_removed_is_over(archal, github):
    with archal.fault("github", status=503) as first:
        assert github.get("/user", token="t").status_code == 503
    second = archal.fault("github", status=500)
    second.remove()
    second.remove()

    assert github.get("/user", token="t").status_code == 200
    assert (first.hits, second.hits) == (1, 0)


def test_a_token_is_revoked(archal, clones):
    archal.fault(revoked=True)

    github, slack = clones["github"].get("/user", token="t"), clones["slack"].get("/x")

    assert (github.status_code, github.json()["message"]) == (401, "Bad credentials")
    assert (slack.status_code, slack.json()["error"]) == (200, "token_revoked")


@pytest.mark.parametrize("status", [401, 403])
def test_the_route_refuses(archal, github, status):
    """In Archal's own envelope, before the clone."""
    archal.fault("github", route=status)

    response = github.get("/user", token="t")

    assert (response.status_code, response.rejected_by) == (status, "route")
    assert archal.requests[-1].clone_saw is None
    with pytest.raises(RouteRejectedError):
        response.raise_for_status()


def test_a_delay_holds_the_response_back(archal, github):
    """The clone acts at once."""
    archal.fault("github", delay=0.2)

    response = new_repo(github, "delayed")

    assert response.status_code == 201
    assert response.elapsed >= 0.2
    assert archal.requests[-1].duration_ms >= 200


def test_a_delay_past_the_deadline(archal, github):
    """The call is over in time, and yet the clone has done what was asked."""
    fault = archal.fault("github", method="POST", delay=60.0)

    with pytest.raises(RequestTimeout) as caught:
        new_repo(github, "too-late", timeout=0.3)

    assert (caught.value.phase, caught.value.sent, caught.value.attempts) == ("headers", True, 1)
    assert fault.hits == 1
    assert "too-late" in names(github)
    # The wait ends with the caller, so that the record need not be waited for.
    until = time.monotonic() + 10
    while not any(record.fault == "delay=60.0" for record in archal.requests):
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_delay_goes_with_an_effect(archal, github):
    archal.fault("github", delay=0.1, status=503)

    response = github.get("/user", token="t")

    assert (response.status_code, response.elapsed >= 0.1) == (503, True)
    assert archal.requests[-1].fault == "status=503 delay=0.1"


def test_a_drip_is_no_silence(archal, github):
    """It passes any limit of silence, and ends with the deadline alone."""
    archal.fault("github", drip=0.02)

    with pytest.raises(RequestTimeout) as caught:
        github.get("/user", token="t", timeout=Timeout(0.5, read=0.4))

    assert caught.value.elapsed >= 0.45


def test_a_drip_that_is_quick_enough_is_the_response(archal, github):
    """Byte for byte, its headers included."""
    plain = github.get("/user", token="t")
    archal.fault("github", drip=0.00001)

    dripped = github.get("/user", token="t")

    assert (dripped.status_code, dripped.content) == (200, plain.content)
    assert dripped.headers["x-github-media-type"] == plain.headers["x-github-media-type"]


def test_a_drip_with_a_silence_longer_than_the_limit(archal, github):
    archal.fault("github", drip=30.0)

    with pytest.raises(RequestTimeout) as caught:
        github.get("/user", token="t", timeout=Timeout(20.0, read=0.2))

    assert caught.value.elapsed < 10


def test_a_reset_before_the_clone_acts(archal, github):
    """The record has no status."""
    archal.fault("github", method="POST", reset=True)

    with pytest.raises(ConnectionLost) as caught:
        new_repo(github, "reset-before")

    assert (caught.value.sent, caught.value.attempts) == (True, 1)
    assert isinstance(caught.value.__cause__, ConnectionResetError)
    record = archal.requests[-1]
    assert (record.status, record.fault, record.clone_saw) == (0, "reset=before", None)
    assert "reset-before" not in names(github)


def test_a_reset_after_the_clone_acted(archal, github):
    archal.fault("github", method="POST", reset="after")

    with pytest.raises(ConnectionLost):
        new_repo(github, "reset-after")

    record = archal.requests[-1]
    assert (record.status, record.fault) == (201, "reset=after")
    assert record.clone_saw is not None
    assert "reset-after" in names(github)


def test_a_call_that_may_be_repeated_is(archal, github):
    """A GET that loses its connection once succeeds."""
    archal.fault("github", reset=True, times=1)

    response = github.get("/user", token="t")

    assert (response.status_code, response.attempts) == (200, 2)
    assert response.maybe_processed


@pytest.mark.parametrize("length", [0, 10])
def test_a_body_that_is_cut(archal, github, length):
    """The clone has acted; a POST is not repeated."""
    archal.fault("github", method="POST", cut=length)

    with pytest.raises(ConnectionLost) as caught:
        new_repo(github, f"cut-{length}")

    assert (caught.value.sent, caught.value.attempts) == (True, 1)
    assert f"cut-{length}" in names(github)
    assert archal.requests[-2].fault == f"cut={length}"


def test_a_body_that_is_too_short_to_be_cut_comes_whole(archal, github):
    archal.fault("github", cut=100_000)

    response = github.get("/user", token="t")

    assert response.json()["login"] == "testuser"
    assert github.head("/user", token="t").status_code == 200


def test_the_end_of_a_session_fails_so_many_times(archal):
    """The client tries again; when it gives up, the session still runs."""
    retries = RetryPolicy(attempts=2, backoff=0.001)
    with ArchalClient.from_env(archal.environ, retry=retries) as client:
        session = client.sessions.create(clones=["github"])
        fault = archal.fault(teardown=502)

        with pytest.raises(TeardownFailedError) as caught:
            client.sessions.delete(session.session_id)

        assert caught.value.status_code == 502
        assert fault.hits >= 1
        assert client.sessions.get(session.session_id).status == "running"
        assert "teardown=502" in {record.fault for record in archal.requests}
        fault.remove()
        once = archal.fault("*", teardown=503, times=1)
        client.sessions.delete(session.session_id)
        assert once.hits == 1


def test_the_mcp_door(archal, github):
    """It is `/mcp`, and a tool below it."""
    tool = archal.fault("github", path="/mcp/get_me", status=503)

    assert github.mcp.tools()
    with pytest.raises(Exception, match="503"):
        github.mcp.call("get_me", {})
    door = archal.fault("github", path="/mcp", status=500)
    with pytest.raises(Exception, match="500"):
        github.mcp.tools()
    assert (tool.hits, door.hits >= 1) == (1, True)
    assert github.get("/user", token="t").status_code == 200


def test_a_probability_hits_the_same_calls_again(archal, github):
    def statuses():
        with archal.fault("github", status=503, probability=0.5, seed=3):
            return [github.get("/user", token="t").status_code for _ in range(30)]

    once, again = statuses(), statuses()

    assert once == again
    assert set(once) == {200, 503}


def test_counts_hold_side_by_side(archal, clones):
    """Of 64 calls at once, exactly so many fail."""
    fault = archal.fault("github", status=503, times=10)

    results = clones.gather(
        [("github", Request("GET", "/user", token="t"))] * 64, max_concurrency=16
    )

    assert sorted(one.status_code for one in results) == [200] * 54 + [503] * 10
    assert fault.hits == 10


def test_asynchronous_clients_meet_the_same(archal):
    async def main():
        clones = AsyncClones.from_env(archal.environ)
        try:
            github = clones["github"]
            archal.fault("github", method="POST", reset="after", times=1)
            with pytest.raises(ConnectionLost):
                await github.post("/user/repos", json={"name": "async"}, token="t")
            archal.fault("github", delay=30.0)
            with pytest.raises(RequestTimeout):
                await github.get("/user", token="t", timeout=0.2)
        finally:
            await clones.close()

    asyncio.run(main())


def test_a_rule_of_the_type_that_hosted_sessions_take(archal, github):
    """The same `Fault` goes into both."""
    handle = archal.fault(Fault(clone="github", status=503))

    assert github.get("/user", token="t").status_code == 503
    assert repr(handle) == f"<FaultHandle {handle.id}: github status=503, hits: 1>"
    with pytest.raises(ConfigurationError, match="status is to be a field"):
        archal.fault(Fault(status=503), status=500)


def test_wrong_arguments_are_named(archal):
    with pytest.raises(ConfigurationError, match="clone is the unknown 'gitlab'; available here"):
        archal.fault("gitlab", status=503)
    with pytest.raises(ConfigurationError, match="status must be a status from 400 to 599"):
        archal.fault("github", status=99)
    with pytest.raises(TypeError, match="statsu"):
        archal.fault("github", statsu=503)


def test_a_fault_may_be_made_before_the_start_and_lasts_over_a_stop():
    archal = LocalArchal()
    fault = archal.fault("github", status=503)
    for _ in range(2):
        with archal, Clones.from_env(archal.environ) as clones:
            assert clones["github"].get("/user", token="t").status_code == 503
    assert fault.hits == 2


def test_stopping_does_not_wait_for_a_fault():
    """A response that is held back, or drips, is let go."""
    with LocalArchal() as archal, Clones.from_env(archal.environ) as clones:
        faults = [
            archal.fault("github", path="/user", delay=600.0),
            archal.fault("github", path="/user/repos", drip=600.0),
        ]
        results = []

        def ask(path):
            results.append(clones["github"].get(path, token="t", timeout=30.0))

        threads = [threading.Thread(target=ask, args=(path,)) for path in ("/user", "/user/repos")]
        for thread in threads:
            thread.start()
        while not all(fault.hits for fault in faults):
            time.sleep(0.002)
    for thread in threads:
        thread.join(20)

    assert [one.status_code for one in results] == [200, 200]
