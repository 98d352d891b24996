"""The figures of a call: phases, bytes, reuse."""

from __future__ import annotations

import pytest

from archal_lambda import Clones, Settings, errors
from archal_lambda.core.records import Transfer
from archal_lambda.local import LocalArchal
from archal_lambda.testing.faulty_server import FaultServer, hold, in_turn, read


def test_phases_are_the_time_between_marks():
    """The last mark closes the last phase."""
    transfer = Transfer(
        reused=False,
        bytes_sent=1,
        bytes_received=2,
        marks=(("send", 1.0), ("headers", 1.5), ("body", 3.0), ("body", 3.25)),
    )

    assert transfer.phases == {"send": 0.5, "headers": 1.5, "body": 0.25}


def test_only_a_fresh_connection_resolves_and_connects():
    """Both count their bytes."""
    seen = []
    with LocalArchal() as archal, Clones.from_env(archal.environ, on_call=seen.append) as clones:
        clones["github"].get("/user", token="t")
        clones["github"].get("/user", token="t")

    first, second = (record.transfer for record in seen)
    assert list(first.phases) == ["resolve", "connect", "send", "headers", "body"]
    assert list(second.phases) == ["send", "headers", "body"]
    assert (first.reused, second.reused) == (False, True)
    assert first.bytes_sent == second.bytes_sent > 100
    assert first.bytes_received > 500
    assert all(seconds >= 0 for seconds in first.phases.values())
    assert sum(first.phases.values()) <= seen[0].elapsed


def test_a_failure_has_figures_too():
    """An attempt that timed out says how far it came."""
    with FaultServer(in_turn([read, hold])) as server:
        settings = Settings(clone_urls={"github": f"{server.origin}/api"}, token="t")
        seen = []
        with (
            Clones(settings, on_call=seen.append) as clones,
            pytest.raises(errors.RequestTimeout) as caught,
        ):
            clones["github"].post("/x", timeout=0.2)

    assert caught.value.transfer is seen[0].transfer
    assert list(caught.value.transfer.phases)[-1] == "headers"
    assert caught.value.transfer.bytes_sent > 0
    assert caught.value.transfer.bytes_received == 0
