"""One socket under one deadline, without a network."""

from __future__ import annotations

import pytest

from archal_lambda import Deadline
from archal_lambda.transports._connection import Connection


def test_a_closed_wire_neither_reads_nor_writes():
    """Nothing counts as sent. Closing again does nothing."""
    wire = Connection(Deadline.after(1))
    wire.close()
    wire.close()
    with pytest.raises(ConnectionError, match="closed"):
        wire.write(memoryview(b"x"))
    with pytest.raises(ConnectionError, match="closed"):
        wire.receive(memoryview(bytearray(1)))
    assert not wire.sent
    assert not wire.leftover()


def test_a_deadline_that_has_passed_resolves_no_name():
    """No socket is made either."""
    wire = Connection(Deadline.after(-1))
    with pytest.raises(TimeoutError):
        wire.dial("nowhere.invalid", 443)
    assert (wire.phase, wire.sock) == ("resolve", None)
