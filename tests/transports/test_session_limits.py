"""The largest response that a client accepts, over real connections."""

from __future__ import annotations

import asyncio

import pytest

from archal_lambda import ArchalClient, AsyncArchalClient, ResponseTooLarge
from archal_lambda.local import LocalArchal


def test_the_limit_of_a_client_counts_for_its_sessions_clones_too():
    """A session's description fits; a clone's list of repositories does not."""
    with LocalArchal() as archal:
        with (
            ArchalClient.from_env(archal.environ, max_response_bytes=1_500) as client,
            client.sessions.open(clones=["github"]) as hosted,
        ):
            github = hosted.clones["github"]
            with pytest.raises(ResponseTooLarge) as caught:
                github.post("/user/repos", json={"name": "x"}, token="any")
        assert caught.value.limit == 1_500
        with (
            ArchalClient.from_env(archal.environ, max_response_bytes=50) as client,
            pytest.raises(ResponseTooLarge),
        ):
            client.sessions.list()


def test_the_same_awaited():
    """By `AsyncArchalClient`."""

    async def main(environ):
        async with (
            AsyncArchalClient.from_env(environ, max_response_bytes=1_500) as client,
            client.sessions.open(clones=["github"]) as hosted,
        ):
            github = hosted.clones["github"]
            with pytest.raises(ResponseTooLarge):
                await github.post("/user/repos", json={"name": "x"}, token="any")

    with LocalArchal() as archal:
        asyncio.run(main(archal.environ))
