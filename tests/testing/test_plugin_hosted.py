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


OPENED = """
import time
from archal_lambda import ArchalClient

def test_a_session():
    with ArchalClient.from_env() as client, client.sessions.open(clones=["github"]):
        time.sleep(60)
"""


def test_a_session_that_a_test_has_opened_is_stopped_at_sigterm(project, hosted):
    """The plugin makes SIGTERM an interruption, which `sessions.open()` obeys."""
    project.write(OPENED)
    with project.running("--archal", "hosted") as process:
        wait_for(lambda: sessions_left(hosted))
        process.send_signal(signal.SIGTERM)
        assert process.wait(SAFETY) == 143, project.output
    assert sessions_left(hosted) == set()


HANDLED = """
import os
import signal

def test_handler():
    assert (signal.getsignal(signal.SIGTERM) is signal.SIG_DFL) == (MODE == "local")

def pytest_unconfigure():
    pass
"""
OWN = """
import signal

def pytest_configure():
    signal.signal(signal.SIGTERM, own)

def own(*_):
    pass

def pytest_unconfigure():
    print("own handler kept:", signal.getsignal(signal.SIGTERM) is own)
"""
WATCHED = """
import atexit
import signal

def tell():
    print("restored:", signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)

atexit.register(tell)
"""


def test_the_handler_of_sigterm_comes_and_goes(project, hosted):
    """It is there in a hosted run only, and not where somebody has one already."""
    project.write(WATCHED, "conftest.py")
    project.write(HANDLED.replace("MODE", "'local'"))
    project.run().assert_outcomes(passed=1)
    project.write(HANDLED.replace("MODE", "'hosted'"))
    result = project.run("--archal", "hosted")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["restored: True"])
    project.write(OWN, "conftest.py")
    result = project.run("--archal", "hosted", "-s")
    result.stdout.fnmatch_lines(["*own handler kept: True*"])


NAMES = """
import pytest
from archal_lambda.local import UnsupportedError

def test_names(archal):
    assert archal.base_url("github") == archal_url(archal)
    assert archal.mcp_url("github").endswith("/github/mcp")
    assert archal.seeds["github"] == "small-project"
    assert archal.session_id in repr(archal)
    assert archal.token == archal.environ["ARCHAL_TOKEN"]
    assert archal.api_url.startswith("http://127.0.0.1:")
    assert not hasattr(archal, "reset")
    assert not hasattr(archal, "nonsense")
    with pytest.raises(UnsupportedError, match="fresh=True"):
        archal.reset()
    with pytest.raises(UnsupportedError, match="FaultTransport"):
        archal.fault("github", status=503)
    with pytest.raises(UnsupportedError, match="on_call"):
        archal.requests
    with pytest.raises(UnsupportedError, match="--archal local"):
        archal.routes
    with pytest.raises(ValueError, match="slack"):
        archal.base_url("slack")
    with pytest.raises(ValueError, match="slack"):
        archal.mcp_url("slack")

def archal_url(archal):
    import json
    return json.loads(archal.environ["AGENT_CLONE_URLS"])["github"]
"""


def test_what_archal_cannot_do_says_what_to_do(project, hosted):
    """And what it can has the names that the local one has."""
    project.write(NAMES)
    arguments = ("--archal", "hosted", "--archal-seed", "github:small-project")
    project.run(*arguments).assert_outcomes(passed=1)


FAILED = """
def test_fails(archal, archal_environ, archal_clones):
    github = archal_clones["github"]
    github.get("/user")
    github.get("/user", params={"access_token": "sesame-query"}, token="sesame-service")
    github.with_deadline
    assert github is archal_environ

def test_large(archal_environ):
    assert archal_environ == 1
"""


@pytest.mark.parametrize("how", [(), ("-n", "1")])
def test_the_report_of_a_failing_test(project, hosted, how):
    """The calls as the clients were told of them, and no token, whatever pytest shows of the test's variables."""
    project.write(FAILED)
    result = project.run("--archal", "hosted", "-vv", "--showlocals", "--junitxml=junit.xml", *how)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        [
            "*- Archal calls -*",
            "github: GET /user -> 401 (* ms; refused by the clone*)",
            "github: GET /user -> 200 (* ms*)",
            "archal: hosted, session ses-*",
        ]
    )
    written = result.stdout.str() + (project.path / "junit.xml").read_text()
    assert hosted.token not in written
    assert "archal_session_id" in written


def test_a_session_that_cannot_be_made_fails_the_tests_that_use_it(project, hosted):
    """It is asked for once, and the others pass."""
    project.environ(ARCHAL_TOKEN="wrong")
    project.write(SHARED)
    for how in [(), ("-n", "2")]:
        asked = len(created(hosted))
        result = project.run("--archal", "hosted", *how, "-k", "not own")
        result.assert_outcomes(passed=1, errors=7)
        result.stdout.fnmatch_lines(["*test_it.py::test_one: no hosted session: *401*"])
        assert len(created(hosted)) - asked <= 2
    result = project.run("--archal", "hosted", "-k", "own")
    result.stdout.fnmatch_lines(["*test_it.py::test_own: no hosted session: *401*"])


def test_a_seed_that_is_no_name_fails_its_test(project, hosted):
    project.write(
        """
import pytest

@pytest.mark.archal(seeds={"github": {"users": []}})
def test_one(archal): pass
"""
    )
    result = project.run("--archal", "hosted")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*test_one: @pytest.mark.archal: the hosted Archal takes seeds by name*"]
    )


IMPATIENT = """
import os
import signal
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish():
    yield
    os.kill(os.getpid(), signal.SIGINT)

def test_one(archal):
    os.kill(os.getpid(), signal.SIGINT)
"""


def test_a_second_interruption(project, hosted):
    """Also one that comes while pytest ends the run."""
    project.write(IMPATIENT.replace("def test_one", "def _one"), "conftest.py")
    project.write(IMPATIENT.replace("def pytest_sessionfinish", "def _sessionfinish"))
    project.run("--archal", "hosted")
    assert created(hosted)
    assert sessions_left(hosted) == set()
