"""The pytest plugin against the hosted Archal, whose place a second local Archal takes."""

from __future__ import annotations

import signal
import time

import pytest
from support.plugged import sessions_left

pytest_plugins = ["pytester"]

SAFETY = 60.0  # seconds
SHARED = """
import pytest

def test_one(archal, archal_clones):
    archal_clones["github"].post("/user/repos", json={"name": "one"}, token="t").raise_for_status()

@pytest.mark.parametrize("number", range(6))
def test_more(archal, archal_environ, number):
    from archal_lambda import Clones
    with Clones.from_env() as clones:
        assert clones["github"].get("/user", token="t").status_code == 200

@pytest.mark.archal(fresh=True, seeds={"github": "small-project"})
def test_own(archal_clones):
    assert archal_clones["github"].get("/repos/testuser/webshop", token="t").status_code == 200

def test_nothing():
    pass
"""


def created(archal):
    return [one for one in archal.requests if (one.method, one.path) == ("POST", "/api/sessions")]


def wait_for(condition):
    until = time.monotonic() + SAFETY
    while not (found := condition()):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


@pytest.mark.parametrize("how", [(), ("-n", "2"), ("-n", "2", "--dist", "loadscope"), ("-n0",)])
def test_the_same_tests_locally_and_hosted(project, hosted, how):
    """One session for the run, whatever the number of workers, one more for the test that wants its own."""
    project.write(SHARED)

    project.run(*how).assert_outcomes(passed=9)
    assert created(hosted) == []

    project.run("--archal", "hosted", *how).assert_outcomes(passed=9)
    assert len(created(hosted)) == 2
    assert sessions_left(hosted) == set()
    assert hosted.requests[-2].method == "DELETE"


def test_without_xdist(project, hosted):
    project.write(SHARED)
    project.run("--archal", "hosted", "-p", "no:xdist").assert_outcomes(passed=9)
    assert sessions_left(hosted) == set()


@pytest.mark.parametrize("how", [(), ("-n", "2")])
def test_a_run_that_needs_no_session_makes_none(project, hosted, how):
    project.write("def test_nothing(lambda_context): pass")
    project.run("--archal", "hosted", *how).assert_outcomes(passed=1)
    assert created(hosted) == []


FAILING = """
import pytest

def test_fails(archal_clones):
    archal_clones["github"].get("/repos/none/such?q=1", token="t")
    assert False

def test_more(archal):
    pass

@pytest.mark.archal(fresh=True)
def test_broken(archal):
    raise KeyboardInterrupt
"""


@pytest.mark.parametrize("how", [(), ("-n", "2")])
@pytest.mark.parametrize(("stop", "code"), [(("-k", "not broken"), 1), (("-x",), 1), ((), 2)])
def test_no_session_is_left(project, hosted, how, stop, code):
    """Whether tests fail, the first of them ends the run, or it is interrupted."""
    project.write(FAILING)
    result = project.run("--archal", "hosted", *how, *stop)
    assert result.ret in ({1, 2} if how else {code})
    assert created(hosted)
    assert sessions_left(hosted) == set()


KILLED = """
import os
import pytest

def test_before(archal): pass

@pytest.mark.archal(fresh=True)
def test_killed(archal):
    if os.environ.get("PYTEST_XDIST_WORKER"):
        os.kill(os.getpid(), 9)

@pytest.mark.parametrize("number", range(10))
def test_after(archal_clones, number):
    assert archal_clones["github"].get("/user", token="t").status_code == 200
"""


@pytest.mark.parametrize("mode", ["local", "hosted"])
def test_a_worker_that_is_killed(project, hosted, mode):
    """Another takes its place and uses the same session; what the dead one left is deleted."""
    project.write(KILLED)
    result = project.run("--archal", mode, "-n", "2")
    result.assert_outcomes(passed=11, failed=1)
    result.stdout.fnmatch_lines(["*worker 'gw?' crashed while running 'test_it.py::test_killed'*"])
    assert len(created(hosted)) == (2 if mode == "hosted" else 0)
    assert sessions_left(hosted) == set()


WAITING = """
import time
import pytest

@pytest.mark.parametrize("number", range(4))
def test_waits(archal, number):
    try:
        time.sleep(60)
    except Exception:
        pass

@pytest.mark.archal(fresh=True)
def test_waits_as_well(archal):
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [(), ("-n", "2")])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, 143)])
def test_a_run_that_is_cancelled(project, hosted, how, number, code):
    """As CI does; the sessions are deleted before pytest waits for anything."""
    project.write(WAITING)
    with project.running("--archal", "hosted", *how) as process:
        wait_for(lambda: sessions_left(hosted))
        process.send_signal(number)
        wait_for(lambda: not sessions_left(hosted))
        if how:
            assert process.poll() is None
        assert process.wait(SAFETY) == code, project.output
    assert sessions_left(hosted) == set()


def test_a_session_that_cannot_be_deleted_is_named(project, hosted):
    project.write("def test_one(archal): pass")
    with hosted.fault(teardown=502):
        result = project.run("--archal", "hosted")
    (left,) = sessions_left(hosted)
    result.stdout.fnmatch_lines(["*Archal sessions that may still run*", f"{left}: *502*"])
    assert result.ret == 0
