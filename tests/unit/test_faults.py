"""The rule of a fault: what it may say, which calls it fits, and how often it is played."""

from __future__ import annotations

import contextlib

import msgspec
import pytest

from archal_lambda import ConfigurationError
from archal_lambda.faults.rules import FaultRules, matches, mcp_paths
from archal_lambda.testing import Fault

WRONG = [
    ("clone", {"clone": "Git Hub", "status": 503}),
    ("method", {"method": "PO ST", "status": 503}),
    ("path", {"path": "repos", "status": 503}),
    ("path", {"path": "/repos?page=2", "status": 503}),
    ("path", {"path": "/a b", "status": 503}),
    ("status", {"status": 200}),
    ("status", {"status": "503"}),
    ("status", {"status": True}),
    ("retry_after", {"status": 503, "retry_after": -1}),
    ("retry_after", {"status": 503, "retry_after": 1.5}),
    ("retry_after", {"delay": 1, "retry_after": 1}),
    ("delay", {"delay": 0}),
    ("delay", {"delay": float("nan")}),
    ("delay", {"delay": 3601}),
    ("drip", {"drip": "slow"}),
    ("reset", {"reset": "sometimes"}),
    ("cut", {"cut": -1}),
    ("route", {"route": 404}),
    ("teardown", {"teardown": 404}),
    ("clone", {"clone": "github", "teardown": 502}),
    ("path", {"path": "/api/sessions/*", "teardown": 502}),
    ("revoked", {"revoked": "yes"}),
    ("times", {"status": 503, "times": 0}),
    ("probability", {"status": 503, "probability": 0}),
    ("probability", {"status": 503, "probability": 1.1}),
    ("seed", {"status": 503, "seed": 1}),
    ("seed", {"status": 503, "probability": 0.5, "seed": 1.5}),
    ("fault", {}),
    ("fault", {"clone": "github", "times": 2, "reset": False}),
    ("cut", {"status": 503, "cut": 1}),
    ("reset", {"reset": 0}),
    ("delay", {"delay": 10**400}),
    ("probability", {"status": 503, "probability": 10**400}),
    ("drip", {"drip": float("nan")}),
    ("revoked", {"reset": True, "revoked": True}),
]
FITS = [
    ("/repos/*/*/issues", "/repos/o/r/issues", True),
    ("/repos/*/*/issues", "/repos/o/r/issues/1", False),
    ("/repos/*/*/issues", "/repos/o/issues", False),
    ("/repos/*/*/issues", "/repos//r/issues", False),
    ("/repos/**", "/repos/o/r/issues/1", True),
    ("/repos/**", "/repos", True),
    ("/repos/**", "/repository", False),
    ("/**/issues", "/repos/o/r/issues", True),
    ("/**/issues", "/issues", True),
    ("/**", "/", True),
    ("/api/chat.*", "/api/chat.postMessage", True),
    ("/api/chat.*", "/api/chat.", True),
    ("/api/chat.*", "/api/conversations.list", False),
    ("/api/chat.*", "/api/chat.post/x", False),
    ("/\u00e9", "/%C3%A9", True),
    ("/a%20b", "/a%20b", True),
    ("/a/b", "/a%2Fb", False),
    ("/a%2Fb", "/a%2fb", True),
    ("/a%2Fb", "/a/b", False),
    ("/a*", "/a%2Fb", True),
    ("/%2A", "/x", False),
    ("/a*b*c", "/aXbXbXc", True),
    ("/a*b*c", "/aXbXbX", False),
    ("/**/a/**/b", "/a/x/a/b/x/b", True),
    ("/**/a/**/b", "/x/b/x/a", False),
    ("/*", "/", False),
    ("/a.c", "/abc", False),
]


def rules(*faults):
    made = FaultRules(contextlib.nullcontext())
    for fault in faults:
        made.add(fault)
    return made


def played(made, count, *, clone="github", method="GET", path="/user"):
    return [made.for_call(clone, method, [path]) is not None for _ in range(count)]


@pytest.mark.parametrize(("argument", "fields"), WRONG)
def test_a_wrong_rule_names_its_argument(argument, fields):
    with pytest.raises(ConfigurationError) as caught:
        Fault(**fields)

    assert caught.value.variable == argument


def test_a_rule_is_written_in_one_form():
    """Other spellings of the same rule are equal to it."""
    fault = Fault(clone="*", method="post", reset=True)

    assert fault == Fault(method="POST", reset="before")
    assert str(fault) == "* POST reset=before"
    assert str(Fault(clone="github", path="/user", revoked=True)) == "github /user revoked"


def test_a_rule_survives_json():
    """In camel case, with what it says and nothing else."""
    fault = Fault(clone="github", path="/user", status=503, retry_after=0, times=2)
    written = msgspec.json.encode(fault)

    assert msgspec.json.decode(written) == {
        "clone": "github",
        "path": "/user",
        "status": 503,
        "retryAfter": 0,
        "times": 2,
    }
    assert msgspec.json.decode(written, type=Fault) == fault


@pytest.mark.parametrize(("pattern", "path", "fits"), FITS)
def test_which_paths_a_pattern_fits(pattern, path, fits):
    assert matches(Fault(path=pattern, status=503), "github", "GET", path) is fits


def test_a_long_pattern_takes_no_longer_than_its_path():
    """Else a request of that many segments would hold the server for minutes."""
    fault = Fault(path="/**/a" * 20 + "*a" * 50, status=503)

    assert not matches(fault, "github", "GET", "/a" * 200 + "a" * 200 + "b")


@pytest.mark.parametrize("pattern", ["/chat.postMessage", "/api/chat.postMessage"])
@pytest.mark.parametrize("path", ["/chat.postMessage", "/api/chat.postMessage"])
def test_both_spellings_of_a_path_are_one(pattern, path):
    found = rules(Fault(path=pattern, status=503))

    assert found.for_call("slack", "POST", [path]) is not None
    assert found.for_call("github", "POST", ["/api"]) is None


def test_the_rest_of_what_is_matched():
    fault = Fault(clone="github", method="POST", status=503)

    assert matches(fault, "github", "POST", "/")
    assert not matches(fault, "github", "GET", "/")
    assert not matches(fault, "slack", "POST", "/")
    assert not matches(Fault(teardown=502), "github", "DELETE", "/")


def test_the_first_rule_that_fits_is_played():
    """One that is spent lets the next one be."""
    first, second = Fault(path="/user", status=503, times=2), Fault(status=500)
    made = rules(first, second)

    met = [made.for_call("github", "GET", ["/user"]) for _ in range(3)]

    assert met == [first, first, second]
    assert made.for_call("github", "GET", ["/repos"]) is second
    assert [rule.hits for rule in made.listed()] == [2, 2]


def test_a_probability_is_repeated_by_its_seed():
    """Another seed hits others; about as many are hit as it says."""
    fault = Fault(status=503, probability=0.3, seed=7)

    once, again = played(rules(fault), 1000), played(rules(fault), 1000)
    other = played(rules(Fault(status=503, probability=0.3, seed=8)), 1000)

    assert once == again != other
    assert 250 < sum(once) < 350
    assert once[:10] == [False, False, True, False, False, False, True, True, False, False]
    assert all(played(rules(Fault(status=503, probability=1.0)), 100))


def test_draws_count_the_requests_that_a_rule_fits_alone():
    """So that other traffic does not change which are hit."""
    fault = Fault(path="/user", status=503, probability=0.5, times=3)
    alone, mixed = rules(fault), rules(fault)
    expected = played(alone, 20)

    met = []
    for _ in range(20):
        assert not any(played(mixed, 3, path="/repos"))
        met += played(mixed, 1)

    assert met == expected
    assert sum(met) == 3


def test_a_call_of_a_tool_goes_by_two_paths():
    call = {"method": "tools/call", "params": {"name": "issue_write"}}

    assert mcp_paths(call) == ("/mcp", "/mcp/issue_write")
    assert mcp_paths({"method": "tools/list"}) == ("/mcp",)
    assert mcp_paths([]) == mcp_paths(None) == ("/mcp",)


def test_a_rule_can_be_removed_and_all_of_them():
    made = rules(Fault(status=503), Fault(status=500), Fault(teardown=502))

    assert made.remove("f1")
    assert not made.remove("f1")
    assert [rule.id for rule in made.listed()] == ["f2", "f3"]
    made.clear()
    assert made.for_call("github", "GET", ["/"]) is None
    assert made.for_teardown() is None
