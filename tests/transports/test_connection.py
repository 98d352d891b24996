"""One socket under one deadline, without a network."""

from __future__ import annotations

import pytest

from archal_lambda import Deadline
from archal_lambda.transports._connection import Connection
from archal_lambda.transports._steps import run


def test_a_closed_connection_neither_reads_nor_writes():
    """Nothing counts as sent. Closing again does nothing."""
    connection = Connection(Deadline.after(1))
    connection.close()
    connection.close()
    with pytest.raises(ConnectionError, match="closed"):
        run(connection.write(b"x"))
    with pytest.raises(ConnectionError, match="closed"):
        run(connection.receive(1))
    assert not connection.sent
    assert not connection.leftover()


def test_a_deadline_that_has_passed_resolves_no_name():
    """No socket is made either."""
    connection = Connection(Deadline.after(-1))
    with pytest.raises(TimeoutError):
        run(connection.open("nowhere.invalid", 443))
    assert (connection.phase, connection.sock) == ("resolve", None)
