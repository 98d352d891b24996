"""Time budgets."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import Context

from archal_lambda import Deadline, Timeout
from archal_lambda.core.timeouts import DEFAULT_TIMEOUT

BAD = [0, 0.0, -1, -0.5, math.nan, math.inf, -math.inf, True, False, "1", b"1", [1], 10**400, 1e300]


@pytest.mark.parametrize("value", [*BAD, None])
def test_a_bad_total_is_refused(value):
    """A total is a finite number above 0. None means unlimited."""
    with pytest.raises(ValueError, match="timeout total must be a"):
        Timeout(value)
    with pytest.raises(ValueError, match="timeout total must be a"):
        Timeout.of(value)


@pytest.mark.parametrize("limit", ["connect", "read"])
@pytest.mark.parametrize("value", BAD)
def test_a_bad_limit_is_refused(limit, value):
    """The other limits are numbers of the same kind, and the error names the wrong one."""
    with pytest.raises(ValueError, match=f"timeout {limit} must be a"):
        Timeout(1, **{limit: value})


def test_a_timeout_keeps_its_limits():
    """Limits are floats. Connect and read may be None."""
    timeout = Timeout(2, connect=1, read=None)
    assert (timeout.total, timeout.connect, timeout.read) == (2.0, 1.0, None)
    assert Timeout(2, connect=None).connect is None
    assert repr(timeout) == "Timeout(total=2.0, connect=1.0, read=None)"


def test_the_default_is_archals_advice():
    """15 seconds for a call, 3 of them to connect."""
    assert Timeout(15.0, connect=3.0, read=None) == DEFAULT_TIMEOUT


def test_timeouts_are_values():
    """Equal limits make equal timeouts. A timeout is passed through."""
    assert Timeout(1) == Timeout(1.0)
    assert hash(Timeout(1)) == hash(Timeout(1.0))
    assert Timeout(1) != Timeout(1, read=1)
    assert Timeout(1) != 1
    assert Timeout.of(given := Timeout(3)) is given


def test_a_deadline_counts_down(clock):
    """Time left falls with the clock and never below 0."""
    deadline = Deadline.after(5, clock=clock)
    assert (deadline.remaining(), deadline.expired) == (5, False)
    clock.now += 4
    assert (deadline.remaining(), deadline.expired) == (1, False)
    assert repr(deadline) == "<Deadline in 1.000 s>"
    clock.now += 1
    assert (deadline.remaining(), deadline.expired) == (0, True)
    clock.now += 9
    assert (deadline.remaining(), deadline.expired) == (0, True)


@pytest.mark.parametrize("seconds", [0, -1, -1e9, math.nan, -math.inf])
def test_a_deadline_may_be_over_at_once(clock, seconds):
    """With no time, negative time or a value that is not a number, it is over."""
    deadline = Deadline.after(seconds, clock=clock)
    assert (deadline.remaining(), deadline.expired) == (0, True)


@pytest.mark.parametrize(("seconds", "left"), [(1, 1), (5, 5), (9, 5), (None, 5), (0, 0), (-1, 0)])
def test_within_takes_the_earlier_deadline(clock, seconds, left):
    tightened = Deadline.after(5, clock=clock).within(seconds)
    assert tightened.remaining() == left
    assert tightened.clock is clock


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6)))
def test_within_never_loosens(limits):
    """However often a deadline is tightened, the earliest limit holds."""
    deadline = Deadline.after(100, clock=lambda: 0.0)
    for seconds in limits:
        deadline = deadline.within(seconds)
    assert deadline.at == min([100.0, *limits])


@pytest.mark.parametrize(
    ("left", "reserve", "expected"),
    [(30, 1.0, 29), (30, 0, 30), (30, 2.5, 27.5), (0.5, 1.0, 0), (0, 0, 0)],
)
def test_a_deadline_from_lambda_keeps_a_reserve(clock, left, reserve, expected):
    """It is over if less than the reserve is left."""
    deadline = Deadline.from_context(Context(clock, left), reserve=reserve, clock=clock)
    assert deadline.remaining() == pytest.approx(expected)
    assert deadline.expired is (expected == 0)


def test_a_deadline_from_lambda_counts_down(clock, lambda_context):
    """It is a moment, so it stays the same as time passes."""
    before = Deadline.from_context(lambda_context, clock=clock)
    clock.now += 10
    after = Deadline.from_context(lambda_context, clock=clock)
    assert before.at == pytest.approx(after.at)


@pytest.mark.parametrize("reserve", [-0.1, math.nan, math.inf])
def test_a_bad_reserve_is_refused(clock, lambda_context, reserve):
    """A reserve is a number of seconds, 0 or more."""
    with pytest.raises(ValueError, match="reserve must be"):
        Deadline.from_context(lambda_context, reserve=reserve, clock=clock)


def test_the_default_clock_is_monotonic():
    """Wall clocks jump."""
    assert Deadline.after(1).clock is time.monotonic
    assert 0 < Deadline.after(1).remaining() <= 1
