"""The talk between xdist's controller and its workers."""

from __future__ import annotations

import threading

import pytest

from archal_lambda.testing.pytest_plugin.sharing import Counter, ask


def test_a_worker_gets_what_the_controller_makes():
    counter = Counter(lambda: b"session")
    assert ask(counter.address, 10.0) == b"session"
    counter.close()
    with pytest.raises(RuntimeError, match="is gone"):
        ask(counter.address, 10.0)


def test_an_error_arrives_in_words():
    def fail():
        raise ValueError("no session today")

    counter = Counter(fail)
    with pytest.raises(RuntimeError, match="no session today"):
        ask(counter.address, 10.0)
    counter.close()


def test_nobody_waits_for_ever():
    """And the workers behind one that has given up are served."""
    release = threading.Event()
    counter = Counter(lambda: b"session" if release.wait(10.0) else b"late")
    with pytest.raises(RuntimeError, match="no session within 0 s"):
        ask(counter.address, 0.0)
    release.set()
    assert ask(counter.address, 10.0) == b"session"
    counter.close()


def test_whoever_has_no_key_gets_nothing():
    """And keeps nobody else from it."""
    counter = Counter(lambda: b"session")
    with pytest.raises(Exception, match="digest sent was rejected"):
        ask({**counter.address, "key": b"another"}, 10.0)
    assert ask(counter.address, 10.0) == b"session"
    counter.close()
