"""What unmodified SDKs make of faults: their own retries, and their own errors."""

from __future__ import annotations

import asyncio

import github
import httpx
import pytest
import requests
from mcp.shared.exceptions import MCPError
from support.mcp_peer import endpoint, official
from support.pygithub import RoutedToken
from support.standin import GITHUB_TOKEN, route

from archal_lambda.local import LocalArchal


@pytest.fixture(scope="module")
def running():
    with LocalArchal() as archal:
        yield archal


@pytest.fixture
def archal(running):
    yield running
    running.faults_clear()


def hub(archal, **options):
    way = route(archal)
    auth = RoutedToken(GITHUB_TOKEN, {"x-route-authorization": f"Bearer {way.token}"})
    return github.Github(
        base_url=way.base,
        auth=auth,
        seconds_between_writes=0,
        seconds_between_requests=0,
        **options,
    )


def test_pygithub_tries_a_503_again(archal):
    """With its own retry policy, which is on unless it is turned off."""
    fault = archal.fault("github", path="/user", status=503, retry_after=0, times=2)

    with hub(archal, retry=github.GithubRetry(total=3, backoff_factor=0)) as client:
        assert client.get_user().login == "testuser"

    assert fault.hits == 2


def test_pygithub_waits_out_the_secondary_rate_limit(archal):
    """It knows it by its 403, its words and Retry-After."""
    fault = archal.fault("github", path="/user", status=403, retry_after=0, times=1)

    retry = github.GithubRetry(total=2, backoff_factor=0, secondary_rate_wait=0)
    with hub(archal, retry=retry) as client:
        assert client.get_user().login == "testuser"

    assert fault.hits == 1


def test_pygithub_raises_its_own_errors(archal):
    with hub(archal, retry=None) as client:
        with archal.fault("github", revoked=True), pytest.raises(github.BadCredentialsException):
            _ = client.get_user().login
        limited = archal.fault("github", status=403, retry_after=0)
        with limited, pytest.raises(github.RateLimitExceededException):
            _ = client.get_user().login
        with archal.fault("github", route=403), pytest.raises(github.GithubException) as caught:
            _ = client.get_user().login
        assert caught.value.data["code"] == "forbidden"
        with archal.fault("github", reset=True), pytest.raises(requests.ConnectionError):
            _ = client.get_user().login


def test_httpx_sees_the_connection_as_it_is(archal):
    way = route(archal)
    headers = {
        "x-route-authorization": f"Bearer {way.token}",
        "authorization": f"Bearer {GITHUB_TOKEN}",
    }
    with httpx.Client(base_url=way.base, headers=headers, timeout=0.3) as client:
        with archal.fault("github", reset=True), pytest.raises(httpx.ReadError):
            client.get("/user")
        with archal.fault("github", cut=10), pytest.raises(httpx.RemoteProtocolError):
            client.get("/user")
        with archal.fault("github", delay=30.0), pytest.raises(httpx.ReadTimeout):
            client.get("/user")
        with archal.fault("github", drip=0.0001):  # no silence of 0.3 s, whatever it takes
            assert client.get("/user").json()["login"] == "testuser"
        assert client.get("/user").status_code == 200


def test_the_official_mcp_client_meets_a_tool_that_fails_once(archal):
    """Only the call of that tool, and only once."""
    peer = endpoint(archal)
    fault = archal.fault("github", path="/mcp/get_me", status=503, times=1)

    async def main():
        async with (
            asyncio.timeout(20),
            official(peer.url, archal.token, mode="legacy") as client,
        ):
            assert (await client.list_tools()).tools
            with pytest.raises(MCPError):
                await client.call_tool("get_me", {})
            return await client.call_tool("get_me", {})

    me = asyncio.run(main())

    assert me.structured_content["login"] == "testuser"
    assert fault.hits == 1
