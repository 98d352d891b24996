"""Idle connections: the freshest usable one, by the wall clock."""

from __future__ import annotations

import gc

import pytest

from archal_lambda.transports import _pool
from archal_lambda.transports._pool import ConnectionPool

ORIGIN = "https://clone.test"


class Connection:
    """A connection that knows whether it is closed."""

    def __init__(self, name, *, usable=True):
        self.name = name
        self.usable = usable
        self.closed = False

    def close(self):
        self.closed = True


class Clock:
    """A wall clock that is set by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def idle(clock):
    return ConnectionPool(
        usable=lambda connection: connection.usable, max_seconds=15.0, wall_clock=clock
    )


@pytest.mark.parametrize(
    ("puts", "now", "taken", "closed"),
    [
        ("", 0, None, ""),
        ("a@0", 0, "a", ""),
        ("a@0", 14.9, "a", ""),
        ("a@0", 15, None, "a"),
        ("a@0", -1, None, "a"),
        ("a@0 b@1", 2, "b", ""),
        ("a@0 b@10", 20, "b", "a"),
        ("a@0 b@10", 30, None, "ab"),
        ("a@0 b!@1", 2, "a", "b"),
        ("a!@0 b!@1", 2, None, "ab"),
        ("a@50 b@0", 1, "b", "a"),  # the clock was set back between the two
        ("a@0 b@50", 1, "a", "b"),  # forth and back again
    ],
)
def test_the_freshest_usable_connection_is_taken(  # noqa: PLR0917 - a column each
    idle, clock, puts, now, taken, closed
):
    """Connections that are too old, of unknown age or out of step are closed."""
    connections = []
    for put in puts.split():
        name, _, at = put.partition("@")
        clock.now = 1000.0 + float(at)
        connections.append(Connection(name[0], usable="!" not in name))
        idle.put(ORIGIN, connections[-1])
    clock.now = 1000.0 + now
    connection = idle.take(ORIGIN)
    assert (connection.name if connection else None) == taken
    assert "".join(one.name for one in connections if one.closed) == closed


def test_a_connection_belongs_to_one_taker(idle):
    idle.put(ORIGIN, Connection("a"))
    assert idle.take(ORIGIN)
    assert idle.take(ORIGIN) is None


@pytest.mark.parametrize(
    "other", ["http://clone.test", "https://clone.test:8443", "https://b.test"]
)
def test_origins_do_not_share_connections(idle, other):
    idle.put(ORIGIN, Connection("a"))
    assert idle.take(other) is None


def test_close_closes_all_and_ends_nothing(idle):
    """The store may be filled again."""
    connections = [Connection("a"), Connection("b"), Connection("c")]
    for connection, origin in zip(connections, [ORIGIN, ORIGIN, "https://b.test"], strict=True):
        idle.put(origin, connection)
    idle.close()
    idle.close()
    assert all(connection.closed for connection in connections)
    idle.put(ORIGIN, Connection("d"))
    assert idle.take(ORIGIN).name == "d"


def test_a_store_nobody_holds_closes_its_connections(clock):
    """A client that is dropped without being closed leaves no socket behind."""
    connection = Connection("a")
    store = ConnectionPool(usable=bool, max_seconds=15.0, wall_clock=clock)
    store.put(ORIGIN, connection)
    del store
    gc.collect()
    assert connection.closed


def test_a_restored_snapshot_has_no_connections(idle):
    """SnapStart's restore empties every store, and does not make one unusable."""
    connection = Connection("a")
    idle.put(ORIGIN, connection)
    _pool._drop_all()
    assert connection.closed
    assert idle.take(ORIGIN) is None
