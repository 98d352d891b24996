"""Idle connections: the freshest usable one, by the wall clock."""

from __future__ import annotations

import gc

import pytest

from archal_lambda.transports import _pool
from archal_lambda.transports._pool import MAX_IDLE, ConnectionPool, idle_seconds

ORIGIN = "https://clone.test"
OTHER = "https://other.test"


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
def make(clock):
    return lambda: ConnectionPool(usable=lambda connection: connection.usable, wall_clock=clock)


@pytest.fixture
def idle(make):
    return make()


@pytest.mark.parametrize(
    ("puts", "now", "taken", "closed"),
    [
        ("", 0, None, ""),
        ("a@0", 0, "a", ""),
        ("a@0", 3.9, "a", ""),
        ("a@0", 4, None, "a"),
        ("a@0", -1, None, "a"),
        ("a@0 b@1", 2, "b", ""),
        ("a@0 b@3", 5, "b", "a"),
        ("a@0 b@3", 30, None, "ab"),
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
        idle.put(ORIGIN, connections[-1], 4.0)
    clock.now = 1000.0 + now
    connection = idle.take(ORIGIN)
    assert (connection.name if connection else None) == taken
    assert "".join(one.name for one in connections if one.closed) == closed


@pytest.mark.parametrize(
    ("hint", "seconds"),
    [
        ("timeout=5", 4.0),
        ("timeout=5, max=100", 4.0),
        ("max=100,timeout=3", 2.0),
        ("max=100; timeout=3", 2.0),
        ("Timeout = 10", 9.0),
        ('timeout="10"', 9.0),
        ("timeout=2", 1.0),
        ("timeout=1", 0.0),
        ("timeout=0", 0.0),
        ("timeout=120", 15.0),
        ("timeout=999999999", 15.0),
        ("timeout=5, timeout=3", 2.0),
        ("timeout=-5", 0.5),
        ("timeout=", 0.5),
        ("max=100", 0.5),
        ("x-timeout=9", 0.5),
        ("", 0.5),
    ],
)
def test_the_servers_hint_less_a_margin_is_obeyed(hint, seconds):
    """The shortest that it says, never longer than the network on the way can be trusted to remember."""
    assert idle_seconds(hint, 0.5) == seconds


def test_every_connection_has_its_own_time(idle, clock):
    long, short = Connection("long"), Connection("short")
    idle.put(ORIGIN, long, 15.0)
    idle.put(ORIGIN, short, 1.0)
    clock.now += 2.0
    assert idle.take(ORIGIN) is long
    assert short.closed


def test_all_origins_and_clients_age_whoever_asks(make, clock):
    """Those of an ended session do not wait for a call to it."""
    ended, asking = make(), make()
    connections = [Connection("a"), Connection("b"), Connection("c")]
    ended.put("https://session-1.test", connections[0], 4.0)
    ended.put("https://session-2.test", connections[1], 4.0)
    clock.now += 3.0
    asking.put(ORIGIN, connections[2], 4.0)
    clock.now += 1.0
    assert asking.take(OTHER) is None
    assert [connection.closed for connection in connections] == [True, True, False]


def test_idle_connections_are_capped_in_number(make):
    """The one used longest ago goes first, whichever client it is of."""
    first, second = make(), make()
    connections = [Connection(str(number)) for number in range(MAX_IDLE + 3)]
    for number, connection in enumerate(connections):
        (first, second)[number % 2].put(f"https://session-{number}.test", connection, 4.0)
    assert [connection.closed for connection in connections] == [True] * 3 + [False] * MAX_IDLE


def test_a_connection_belongs_to_one_taker(idle):
    idle.put(ORIGIN, Connection("a"), 4.0)
    assert idle.take(ORIGIN)
    assert idle.take(ORIGIN) is None


def test_clients_do_not_share_connections(make):
    """Each may trust other certificates."""
    one, another = make(), make()
    one.put(ORIGIN, Connection("a"), 4.0)
    assert another.take(ORIGIN) is None
    another.close()
    assert one.take(ORIGIN).name == "a"


@pytest.mark.parametrize(
    "other", ["http://clone.test", "https://clone.test:8443", "https://b.test"]
)
def test_origins_do_not_share_connections(idle, other):
    idle.put(ORIGIN, Connection("a"), 4.0)
    assert idle.take(other) is None


def test_close_closes_all_and_ends_nothing(idle):
    """The store may be filled again."""
    connections = [Connection("a"), Connection("b"), Connection("c")]
    for connection, origin in zip(connections, [ORIGIN, ORIGIN, "https://b.test"], strict=True):
        idle.put(origin, connection, 4.0)
    idle.close()
    idle.close()
    assert all(connection.closed for connection in connections)
    idle.put(ORIGIN, Connection("d"), 4.0)
    assert idle.take(ORIGIN).name == "d"


def test_a_store_nobody_holds_closes_its_connections(clock):
    """A client that is dropped without being closed leaves no socket behind."""
    connection = Connection("a")
    store = ConnectionPool(usable=bool, wall_clock=clock)
    store.put(ORIGIN, connection, 4.0)
    del store
    gc.collect()
    assert connection.closed


def test_a_restored_snapshot_has_no_connections(idle):
    """SnapStart's restore empties every store, and does not make one unusable."""
    connection = Connection("a")
    idle.put(ORIGIN, connection, 4.0)
    _pool._drop_all()
    assert connection.closed
    assert idle.take(ORIGIN) is None


def test_a_call_that_interrupts_another_takes_and_keeps_like_any(make):
    """A signal handler may run between any two steps of the call on its own thread."""

    def usable(connection):
        if connection is asked:
            # As a handler would, that makes a call of its own while this one looks at a connection.
            taken.append(idle.take(ORIGIN))
            idle.put(ORIGIN, taken[0], 4.0)
        return True

    idle = ConnectionPool(usable=usable, wall_clock=Clock())
    asked, other, taken = Connection("asked"), Connection("other"), []
    idle.put(ORIGIN, other, 4.0)
    idle.put(ORIGIN, asked, 4.0)
    assert idle.take(ORIGIN) is asked
    assert taken == [other]
    assert idle.take(ORIGIN) is other
