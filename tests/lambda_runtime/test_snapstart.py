"""SnapStart: the runtime client goes through snapshot and restore with the package loaded."""

from __future__ import annotations

import time

import pytest

SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@pytest.mark.parametrize("ending", ["end", "reset", "silence"])
def test_the_first_call_after_a_restore_succeeds(drive, relay, relayed, ending):
    """A connection opened before the snapshot is dropped, whether its end is seen or not."""
    api, runtime = drive("prewarmed.handler", relayed | SNAP_START)
    api.wait_for_snapshot()
    runtime.freeze()
    if ending == "silence":
        relay.forget_links()
    else:
        relay.close_links(reset=ending == "reset")
    runtime.thaw()
    api.restore()

    (outcome,) = api.invoke({"name": "restored"})

    assert (outcome.kind, outcome.value) == ("response", 201)
    assert len(relay.links) == 2
    assert api.failures.empty()


def test_nothing_random_is_fixed_in_a_snapshot(drive):
    """Two processes restored from one snapshot make different keys, and wait for different times."""
    api, _ = drive("twins.handler", SNAP_START)
    api.wait_for_snapshot(processes=2)
    api.restore()

    outcomes = api.invoke({}, {})

    assert [outcome.kind for outcome in outcomes] == ["response"] * 2
    one, other = (outcome.value for outcome in outcomes)
    assert one["pid"] != other["pid"]
    # One key for all tries of a call, another one for the other call.
    assert (len(one["keys"]), len(set(one["keys"]))) == (3, 1)
    assert set(one["keys"]).isdisjoint(other["keys"])
    assert set(one["waits"]).isdisjoint(other["waits"])


def test_time_goes_on_after_a_restore(drive, relay, relayed):
    """A client made before the snapshot counts its time from each call, not from when it was made."""
    api, runtime = drive("prewarmed.handler", relayed | SNAP_START)
    api.wait_for_snapshot()
    runtime.freeze()
    relay.close_links()
    time.sleep(2.5)  # longer than the client's whole budget of 2 seconds
    runtime.thaw()
    api.restore()

    (outcome,) = api.invoke({"name": "restored"})

    assert (outcome.kind, outcome.value) == ("response", 201)
