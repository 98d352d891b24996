"""The example Worker, on Cloudflare's SDK in Pyodide."""

from __future__ import annotations

import json

import pytest
from support import supply
from support.pyodide import engine

from archal_lambda.local import LocalArchal
from archal_lambda.testing.faulty_server import FaultServer

BODY = json.dumps({"name": "made-by-a-worker", "private": True})
SECRET = "nobody-knows-this-" + "token"


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What the Worker answered in each case, by name, and all that was printed."""
    with LocalArchal() as archal, FaultServer([lambda conn: conn.hold()]) as silent:
        urls = json.loads(archal.environ["AGENT_CLONE_URLS"])
        text = {"AGENT_CLONE_URLS": json.dumps(urls), "ARCHAL_TOKEN": archal.token}
        route = {"x-route-authorization": f"Bearer {archal.token}"}
        lost = {"github": f"{silent.origin}/github/api"}
        cases = [
            case("created", text),
            case("refused by the clone", text),
            case(
                "json bindings", {"AGENT_CLONE_URLS": urls, "AGENT_ROUTE_HEADERS": route}, name="b"
            ),
            case("another method", text, method="GET", body=None),
            case("no body", text, body=""),
            case("another shape", text, body='{"name": 5}'),
            case("no bindings", {}),
            case("a wrong binding", text | {"AGENT_CLONE_URLS": SECRET}),
            case("refused by the route", text | {"ARCHAL_TOKEN": SECRET}),
            case("too late", text | {"AGENT_CLONE_URLS": lost}, budget=0.4),
        ]
        pyodide = supply.obtained(engine.Engine, tmp_path_factory.mktemp("worker"))
        lines, printed = pyodide.run("on_worker.py", cases, modules="worker_host.mjs")
        seen = [one.clone_saw for one in archal.requests if one.clone_saw is not None]
    return {one["name"]: one for one in lines if "name" in one}, printed, lines, seen


def case(title, env, *, method="POST", body=BODY, name=None, budget=15.0):
    """Describe one request to the Worker."""
    if name is not None:
        body = json.dumps({"name": name})
    return {"name": title, "env": env, "method": method, "body": body, "budget": budget}


def test_a_repository_is_created(told):
    """Like `create_repo` on Lambda: 201, and what the caller needs of it; the clone sees no route."""
    one = told[0]["created"]

    assert one["status"] == 201
    assert dict(one["headers"])["content-type"] == "application/json"
    assert json.loads(one["body"])["full_name"].endswith("/made-by-a-worker")
    assert sorted(json.loads(one["body"])) == ["full_name", "html_url", "id", "private"]
    names = {name.lower() for name, _ in told[3][0].headers}
    assert "authorization" in names
    assert not [name for name in names if name.startswith("x-route-")]


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("refused by the clone", 422, "already exists"),
        ("json bindings", 201, "/b"),
        ("another method", 405, "POST"),
        ("no body", 400, "empty"),
        ("another shape", 400, "$.name"),
        ("no bindings", 502, "not set up"),
        ("a wrong binding", 502, "not set up"),
        ("refused by the route", 502, "not set up"),
        ("too late", 504, "in time"),
    ],
)
def test_error_response(told, name, status, words):
    """The clone's refusals as they are; of our own failures a status and a word."""
    one = told[0][name]

    assert one["status"] == status
    assert words in one["body"]


def test_the_log(told):
    """One line for each call, one for each failure that is not the caller's; no secret in any."""
    calls = [line for line in told[2] if line.get("message") == "clone call"]
    failures = [line for line in told[2] if line.get("message") == "clone call failed"]

    assert [line.get("status") for line in calls] == [201, 422, 201, 401, None]
    assert [line["error"] for line in failures] == [
        "ConfigurationError",
        "ConfigurationError",
        "RouteRejectedError",
        "RequestTimeout",
    ]
    assert "AGENT_ROUTE_HEADERS" in failures[0]["reason"]
    assert SECRET not in told[1]


def test_what_it_loads(told):
    """Neither urllib3 nor Powertools nor the synchronous clients."""
    assert told[0]["modules"]["loaded"] == []


def test_answers_convert_there_and_back(told):
    """Status, body and headers survive, but for those of the connection."""
    assert told[0]["converted"]["answers"] == [
        [True, [["x-a", "1"]]],
        [True, []],
        [True, []],
        [True, [["location", "/x"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]]],
    ]
    assert "200 to 599" in told[0]["refused"]["error"]
