"""A frozen environment: the process is stopped between two invocations while its connection dies."""

from __future__ import annotations

import time

import pytest

CREATE_REPO = "archal_lambda.handlers.create_repo.handler"


@pytest.fixture
def repo(event):
    """Make the event that asks for a repository."""
    return lambda name: {**event("create_repo"), "body": f'{{"name": "{name}"}}'}


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
def test_a_connection_closed_meanwhile_is_not_used(drive, relay, relayed, repo, reset):
    """The peer closes the idle connection during the freeze: the next POST goes out on a new one."""
    api, runtime = drive(CREATE_REPO, relayed)
    (first,) = api.invoke(repo("before"))
    runtime.freeze()
    relay.close_links(reset=reset)
    runtime.thaw()

    (second,) = api.invoke(repo("after"))

    assert [first.value["statusCode"], second.value["statusCode"]] == [201, 201]
    assert len(relay.links) == 2


def test_a_connection_forgotten_meanwhile_is_too_old_to_be_used(drive, relay, relayed):
    """A load balancer forgets the connection without a word: its age by the time of day tells."""
    api, runtime = drive("short_idle.handler", relayed)
    (first,) = api.invoke({"name": "before"})
    runtime.freeze()
    relay.forget_links()
    time.sleep(0.3)  # longer than the 0.2 s that this handler allows
    runtime.thaw()

    (second,) = api.invoke({"name": "after"})

    assert [first.value, second.value] == [201, 201]
    assert len(relay.links) == 2


def test_a_connection_forgotten_just_now_costs_the_call(drive, relay, relayed, repo):
    """What the age limit is for: within it, such a connection is used, and the POST is not repeated."""
    api, _ = drive(CREATE_REPO, relayed, timeout=2)
    api.invoke(repo("before"))
    relay.forget_links()

    (second,) = api.invoke(repo("after"))
    (third,) = api.invoke(repo("after"))

    assert [second.value["statusCode"], third.value["statusCode"]] == [504, 201]
    assert len(relay.links) == 2
