"""Mutations of valid responses, under the invariants of `fuzz_response`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fuzz_response import SEEDS, TOKENS, Target


@pytest.fixture(scope="module")
def target():
    with Target() as target:
        yield target


@st.composite
def mutated(draw):
    """Change a valid response in a few places."""
    data = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        data = draw(
            st.sampled_from([
                data[:start] + draw(st.sampled_from(TOKENS)) + data[end:],
                data[:start] + draw(st.binary(max_size=3)) + data[end:],
                data[:start] + data[end:],
                data[:end] + data[start:],
                data[:start],
                data + draw(st.sampled_from(SEEDS)),
            ])
        )  # fmt: skip
    return bytes([draw(st.integers(0, 3))]) + data


@settings(deadline=None, max_examples=200, suppress_health_check=list(HealthCheck))
@given(data=mutated() | st.binary(max_size=60))
def test_any_bytes_are_a_response_or_a_transport_error(target, data):
    """In time, within the limits, and never another call's response."""
    target.check(data)


@pytest.mark.parametrize("flags", range(4))
def test_the_seeds_are_what_they_should_be(target, flags):
    """Whole responses are taken, so that the mutations start from something."""
    before = dict(target.seen)
    for seed in SEEDS:
        target.check(bytes([flags]) + seed)
    assert target.seen.get(200, 0) - before.get(200, 0) >= 10
