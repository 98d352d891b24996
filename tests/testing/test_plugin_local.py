"""The pytest plugin against a local Archal."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET

import pytest
from support.plugged import ROOT

pytest_plugins = ["pytester"]

HANDLER = """
from archal_lambda import Clones

def handler(event, context):
    assert context.get_remaining_time_in_millis() > 0
    with Clones.from_env() as clones:
        made = clones["github"].post("/user/repos", json={"name": event["name"]}, token="t")
    return {"status": made.status_code}
"""
TEN_LINES = """
from my_handler import handler

def test_creates(archal, archal_environ, lambda_context):
    assert handler({"name": "shop"}, lambda_context) == {"status": 201}
    assert "testuser/shop" in archal.state()["github"]["repository"]

def test_creates_again(archal, archal_environ, lambda_context):
    assert handler({"name": "shop"}, lambda_context) == {"status": 201}
    assert [one.path.rpartition("/api")[2] for one in archal.requests] == ["/user/repos"]
"""


def test_a_handler_in_ten_lines(project):
    """Each test finds the state of the seed, and its own requests only."""
    project.write(HANDLER, "my_handler.py")
    project.write(TEN_LINES)
    project.environ(AGENT_CLONE_URLS='{"github": "https://ses-old.clones.archal.ai/github/api"}')
    project.environ(ARCHAL_SLACK_REST_URL="https://ses-old.clones.archal.ai/slack/api")

    result = project.run()

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["archal: local, session *"])


RESETS = """
import time
import pytest

@pytest.mark.parametrize("number", range(1000))
def test_reset(archal, archal_clones, number):
    assert len(archal.state()["github"]["issue"]) == 3
    assert abs(archal.clock("github").now - time.time()) < 600
    assert archal.requests == ()
    assert archal_clones["github"].delete("/repos/testuser/webshop", token="t").is_success
    archal.fault("github", status=503)
    archal.clock("github").forward(3600.0)
"""


def test_a_thousand_tests_with_a_reset_each(project, record_property):
    """State, clock, faults and requests are those of the start for each."""
    project.write(RESETS)

    begun = time.monotonic()
    project.run("--archal-seed", "github:small-project").assert_outcomes(passed=1000)

    record_property("seconds", time.monotonic() - begun)
    print(f"a thousand tests with a reset each: {time.monotonic() - begun:.1f} s")  # noqa: T201 - the figure is wanted
    assert time.monotonic() - begun < 60


def test_each_worker_has_its_own(project):
    """What a test does is seen by no worker but its own, and by no later test."""
    project.write(RESETS.replace("1000", "60"))
    project.run("--archal-seed", "github:small-project", "-n", "2").assert_outcomes(passed=60)


MARKED = """
import pytest

ids = set()

def test_shared(archal):
    ids.add(archal.session_id)
    assert archal.state()["github"]["repository"] == {}

@pytest.mark.archal(clones=["github"])
def test_the_same(archal):
    assert {archal.session_id} == ids

@pytest.mark.archal(fresh=True)
def test_fresh(archal):
    assert archal.session_id not in ids

@pytest.mark.archal(seeds={"github": "small-project"})
class TestSeeds:
    def test_seed(self, archal):
        assert "testuser/webshop" in archal.state()["github"]["repository"]

    @pytest.mark.archal(seeds={"github": {"users": ["octocat"], "repositories": [{"name": "mine"}]}})
    def test_nearest(self, archal):
        assert list(archal.state()["github"]["repository"]) == ["testuser/mine"]

@pytest.mark.archal(seeds={"github": "seeds/own.yaml"})
def test_file(archal, archal_clones):
    assert list(archal.state()["github"]["repository"]) == ["testuser/filed"]
    assert archal.seeds == {"github": "own.yaml"}

def test_shared_again(archal):
    assert {archal.session_id} == ids
    archal.stop()

def test_after_one_that_stopped_it(archal, archal_clones):
    assert archal.session_id not in ids
    from archal_lambda import ArchalClient
    with ArchalClient.from_env(archal.environ) as client:
        client.sessions.delete(archal.session_id)

def test_after_one_that_deleted_the_session(archal_clones):
    assert archal_clones["github"].get("/user", token="t").status_code == 200
"""


def test_markers(project):
    """Other clones or seeds, or fresh, are a session of the test's own; the nearest marker counts."""
    project.write("repositories: [{name: filed}]", "seeds/own.yaml")
    project.write(MARKED)
    project.run().assert_outcomes(passed=9)


WRONG_MARKERS = """
import pytest

@pytest.mark.archal(clone="github")
def test_keyword(): pass

@pytest.mark.archal("github")
def test_positional(archal): pass

@pytest.mark.archal(clones="github")
def test_clones(archal): pass

@pytest.mark.archal(seeds=["github"], fresh=True)
def test_seeds(archal): pass

@pytest.mark.archal(fresh=1)
def test_fresh(archal): pass

@pytest.mark.archal(clones=["nope"])
def test_unknown(archal): pass
"""


def test_a_wrong_marker_names_the_test(project):
    """Also one on a test without these fixtures."""
    project.write(WRONG_MARKERS)
    result = project.run()
    result.assert_outcomes(errors=6)
    result.stdout.fnmatch_lines_random(
        [
            "*test_it.py::test_keyword: @pytest.mark.archal has no 'clone'; it takes clones, seeds, fresh*",
            "*test_it.py::test_positional: @pytest.mark.archal takes keywords only*",
            "*test_it.py::test_clones: @pytest.mark.archal needs clones to be a list*",
            "*test_it.py::test_seeds: @pytest.mark.archal needs seeds to be a dict*",
            "*test_it.py::test_fresh: @pytest.mark.archal needs fresh to be True or False*",
            "*test_it.py::test_unknown: no local Archal: clones names the unknown clone 'nope'*",
        ]
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--archal", "remote"), "*--archal: invalid choice: 'remote'*"),
        (("--archal-clone", "nope"), "*--archal-clone (archal_clones): *'nope'*github*"),
        (("--archal-clone", "git/hub"), "*--archal-clone (archal_clones): *not 'git/hub'*"),
        (("--archal-seed", "github"), "*--archal-seed (archal_seeds): must be CLONE:SEED*"),
        (("--archal-seed", "github:nope"), "*--archal-seed (archal_seeds): *'nope'*"),
        (("--archal-seed", "slack:team"), "*--archal-seed (archal_seeds): *'slack'*"),
        (("--archal-seed", "github:no.yaml"), "*--archal-seed (archal_seeds): *no.yaml*"),
        (("--archal-seed=github:empty", "--archal-seed=github:empty"), "*github has two seeds*"),
        (("--archal", "hosted"), "*--archal hosted: ARCHAL_TOKEN*"),
    ],
)
def test_a_wrong_value_names_the_option(project, arguments, told):
    """As an error of usage, before any test."""
    project.write("def test_one(archal): pass")
    result = project.run(*arguments)
    assert result.ret == 4
    result.stderr.fnmatch_lines([told])


def test_a_wrong_value_starts_no_worker(project):
    """It is the controller that says so."""
    project.write("def test_one(archal): pass")
    result = project.run("--archal-clone", "nope", "-n", "1")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--archal-clone (archal_clones): *'nope'*"])


def test_a_hosted_run_takes_no_file(project):
    project.environ(ARCHAL_TOKEN="t")
    project.write("def test_one(archal): pass")
    result = project.run("--archal", "hosted", "--archal-seed", "github:own.yaml")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*--archal-seed (archal_seeds): *takes seeds by name*github*"])


def test_a_configuration_file(project):
    """Its seeds are relative to it, and the command line takes the place of each."""
    project.write("repositories: [{name: filed}]", "seeds/own.json.yaml")
    project.ini("archal_clones = github", "archal_seeds = github:seeds/own.json.yaml")
    project.write(
        """
def test_one(archal, request):
    wanted = "filed" if request.config.getoption("archal_seed") is None else "webshop"
    assert list(archal.state()["github"]["repository"]) == [f"testuser/{wanted}"]
""",
        "deep/test_it.py",
    )
    project.run("deep").assert_outcomes(passed=1)
    project.run("--archal-seed", "github:small-project").assert_outcomes(passed=1)


EXTRA = """
import pytest

async def answer(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})

async def refuse():
    raise RuntimeError("broken")

answer.reset = refuse

@pytest.fixture(scope="session")
def archal_options():
    return {"extra_clones": {"mine": lambda base: answer}}

@pytest.mark.parametrize("number", [1, 2])
def test_mine(archal_clones, number):
    assert archal_clones["mine"].get("/", token="t").status_code == 204
"""


def test_further_arguments_of_the_local_archal(project):
    """By a fixture that is overridden; a clone that cannot be reset is told of."""
    project.write(EXTRA.replace("raise RuntimeError", "str"))
    project.run().assert_outcomes(passed=2)
    project.write(EXTRA)
    result = project.run()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "*test_it.py::test_mine[[]2]: the local Archal cannot be reset: broken; @pytest.mark.archal(fresh=True)*"
        ]
    )


CALLS = """
import pytest

def test_fails(archal, archal_clones):
    github = archal_clones["github"]
    github.get("/user")
    github.get("/repos/no/such", params={"access_token": "sesame-query"}, token="sesame-service")
    archal.fault("github", status=503)
    github.get("/user", headers={"x-api-key": "sesame-header"}, token="sesame-service")
    assert archal_clones is None

def test_many(archal_clones):
    for number in range(60):
        archal_clones["github"].get(f"/{number}" * 100, token="t")
    assert False

def test_refused(archal):
    from archal_lambda import Clones
    with Clones.from_env(archal.environ | {"AGENT_ROUTE_HEADERS": '{"x-route-authorization": "Bearer no"}'}) as clones:
        clones["github"].get("/user")
    assert False

def test_none(archal):
    assert False

def test_fine(archal_clones, archal_environ):
    archal_clones["github"].get("/fine", token="t")
"""


@pytest.mark.parametrize("how", [(), ("-n", "2")])
def test_the_calls_of_a_failing_test(project, how):
    """Who was called, what came back, who refused and what the clone saw, without a secret."""
    project.write(CALLS)
    result = project.run("--showlocals", "--junitxml=junit.xml", *how)
    result.assert_outcomes(passed=1, failed=4)
    text = result.stdout.str()
    for line in [
        r"github: GET /api/user -> 401 \(.* ms; refused by the clone; the clone saw GET /user, without a service cr",
        r"github: GET /api/repos/no/such\?access_token=\[redacted\] -> 404 \(.*, with a service credential\)",
        r"github: GET /api/user -> 503 \(.* ms; fault status=503; ",
        r"github: GET /api/user -> 401 \(.* ms; refused by the route; the clone saw nothing\)",
        r"- Archal calls -+\nnone\n",
        r"… 20 more …",
    ]:
        assert re.search(line, text), line
    assert max(len(one) for one in text.splitlines() if one.startswith("github: ")) == 240
    assert "/api/fine" not in text
    written = (project.path / "junit.xml").read_text()
    assert "sesame" not in text.replace('"sesame-', "").replace("'sesame-", "")
    cases = ET.fromstring(written).iter("testcase")  # noqa: S314 - our own
    ids = [[one.get("value") for one in case.iter("property")] for case in cases]
    assert len(ids) == 5
    assert all(len(one) == 1 and one[0].startswith("ses") for one in ids)


def test_nothing_is_loaded_before_it_is_used(project):
    """Neither by the plugin nor by its hooks: pytest loads it in everybody's runs."""
    project.write(
        """
import sys

def test_loaded():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "archal_lambda"}
    assert loaded == {
        "archal_lambda",
        "archal_lambda._version",
        "archal_lambda.testing",
        "archal_lambda.testing.plugin",
    }
    assert not {"starlette", "urllib3", "msgspec", "asyncio"} & sys.modules.keys()

def test_fails():
    assert False
"""
    )
    result = project.run("-p", "no:xdist", "-p", "no:anyio", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.no_fnmatch_line("*rchal*calls*")
    result.stdout.no_fnmatch_line("archal:*")


def test_the_fixtures_are_listed_with_what_they_do(project):
    """By `--fixtures`, `--markers` and `--help`."""
    project.write("")
    listed = project.run("--fixtures").stdout.str()
    assert all(
        f"\n{name}" in listed for name in ["archal -- ", "archal_clones -- ", "archal_environ"]
    )
    project.run("--markers").stdout.fnmatch_lines(["@pytest.mark.archal(clones=*"])
    project.run("--help").stdout.fnmatch_lines(
        ["*--archal-seed=CLONE:SEED*", "*archal_guard (bool):*"]
    )


def test_the_readme(project):
    """Its handler, and the tests of it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    project.write(blocks[0], "my_handler.py")
    (tests,) = [block for block in blocks if "my_handler" in block]
    project.write(tests)
    project.run("--archal-guard").assert_outcomes(passed=2)
