"""`gather()` inside `gather()`, as in a signal handler, wherever the outer one is."""

from __future__ import annotations

import pytest
from support.programs import outcome_of

from archal_lambda.testing.faulty_server import FaultServer, good


@pytest.mark.parametrize("kind", ["sockets", "threads"])
def test_a_handler_gathers_at_any_instruction_of_the_gather_that_it_interrupts(kind):
    """Whatever that one holds, neither hangs."""
    with FaultServer(good) as server:
        outcome = outcome_of("gathered_inside.py", kind, server.origin)
    assert outcome["times"] > 50
    assert outcome["wrong"] == []
