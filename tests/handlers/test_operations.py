"""What an operator sees: log lines, their levels and metrics, of calls to the local Archal and to servers that fail."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import json
import re
import socket
from pathlib import Path

import pytest
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClones,
    Clones,
    Response,
    RetryPolicy,
    Settings,
    errors,
    handlers,
)
from archal_lambda.edge import log_call
from archal_lambda.handlers import session_lifecycle, session_sweeper
from archal_lambda.local import LocalArchal
from archal_lambda.powertools import log_calls
from archal_lambda.testing import LocalContext
from archal_lambda.transports.mock import MockTransport

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
GITHUB_TOKEN = "any"
NUMBERS = itertools.count()


class Log:
    """A Powertools logger and metrics, and what they wrote."""

    def __init__(self):
        self.stream = io.StringIO()
        self.metrics = EphemeralMetrics(namespace="Test", service="svc")
        # A logger of a known name keeps the stream that it had first.
        logger = Logger(service=f"svc-{next(NUMBERS)}", stream=self.stream)
        self.hook = log_calls(logger, self.metrics)

    def lines(self):
        """The lines, as a log's reader finds them."""
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def sums(self):
        """What each metric comes to."""
        written = self.metrics.serialize_metric_set()
        names = [one["Name"] for one in written["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
        return {name: sum(written[name]) for name in names if name != "CloneCallDuration"}

    def dimensions(self):
        """The dimensions under which they are counted."""
        written = self.metrics.serialize_metric_set()
        return written["_aws"]["CloudWatchMetrics"][0]["Dimensions"]


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def archal():
    with LocalArchal() as local:
        yield local


def clones_of(archal, hook, *, token=None, **environ):
    """Clones of the ready session, called with this token."""
    route = {"x-route-authorization": f"Bearer {token or archal.token}"}
    changed = archal.environ | {"AGENT_ROUTE_HEADERS": json.dumps(route)} | environ
    return Clones.from_env(changed, on_call=hook, timeout=5.0)


def refuse(archal, hook):
    """Calls that the route refuses: an unknown token, another user's session, one that has ended."""
    clones_of(archal, hook, token="expired")["github"].get("/user", token=GITHUB_TOKEN)
    clones_of(archal, hook, token=archal.other_token)["github"].get("/user", token=GITHUB_TOKEN)
    with ArchalClient.from_env(archal.environ) as client:
        session = client.sessions.create(clones=["github"])
        client.sessions.delete(session.session_id)
    urls = json.dumps({"github": session.api_base_urls["github"]})
    ended = clones_of(archal, hook, AGENT_CLONE_URLS=urls)
    ended["github"].get("/user", token=GITHUB_TOKEN)
    return session.session_id


def test_what_the_route_refuses_is_an_error_that_says_so(archal, log):
    """Who, of which session, and with which code; the metric of route rejections counts it."""
    ended = refuse(archal, log.hook)

    found = [
        [line.get(name) for name in ("level", "status", "rejected_by", "session_id", "code")]
        for line in log.lines()
    ]
    assert found == [
        ["ERROR", 401, "route", archal.session_id, "unauthorized"],
        ["ERROR", 403, "route", archal.session_id, "forbidden"],
        ["ERROR", 404, "route", ended, "session_ended"],
    ]
    assert log.sums() == {"CloneCalls": 3, "CloneCallFailures": 3, "RouteRejections": 3}
    assert log.dimensions() == [["service"]]
    assert archal.token not in log.stream.getvalue()


def test_what_the_clone_refuses_is_no_failure(archal, log):
    """It is the behaviour under test."""
    github = clones_of(archal, log.hook)["github"]
    github.get("/user")
    github.get("/repos/a/b", token=GITHUB_TOKEN)
    github.get("/user", token=GITHUB_TOKEN)

    assert [(line["level"], line["status"]) for line in log.lines()] == [
        ("INFO", 401),
        ("INFO", 404),
        ("INFO", 200),
    ]
    assert log.sums() == {"CloneCalls": 3, "CloneCallFailures": 0, "RouteRejections": 0}


def answering(*statuses, hook, **options):
    """A clone that answers so, with an id for each request."""
    left = iter(statuses)

    def answer(_):
        status = next(left)
        if isinstance(status, Exception):
            raise status
        body = {"message": "x", "documentation_url": "https://docs.test"}
        return Response(status, json=body, headers={"X-GitHub-Request-Id": "AB:12"})

    settings = Settings(
        clone_urls={"github": "https://clone.test/github/api"}, token="t", session_id="ses-1"
    )
    return Clones(settings, transport=MockTransport(answer), on_call=hook, **options)["github"]


@pytest.mark.parametrize(
    ("outcomes", "level", "failures"),
    [
        ([201], "INFO", 0),
        ([422], "INFO", 0),
        ([429], "WARNING", 0),
        ([500], "WARNING", 1),
        ([errors.ConnectError("no"), 200], "WARNING", 0),
        ([errors.ConnectError("no")] * 2, "ERROR", 1),
        ([errors.RequestTimeout("slow", phase="headers", sent=True)] * 2, "ERROR", 1),
    ],
)
def test_the_level_follows_from_the_outcome(log, capsys, outcomes, level, failures):
    """In a Worker as on Lambda."""
    for hook in (log.hook, log_call):
        with contextlib.suppress(errors.TransportError):
            answering(*outcomes, hook=hook).get("/user")

    (line,) = log.lines()
    in_a_worker = json.loads(capsys.readouterr().out)
    assert line["level"] == in_a_worker["level"] == level
    assert line["message"] == in_a_worker["message"] == "clone call"
    assert line["session_id"] == in_a_worker["session_id"] == "ses-1"
    last = outcomes[-1]
    if isinstance(last, int):
        assert line["request_id"] == in_a_worker["request_id"] == "AB:12"
    assert log.sums()["CloneCallFailures"] == failures


def test_sessions_are_seen_like_clones(archal, log):
    """Each call of the client, and each to the clones of its session."""
    with (
        ArchalClient.from_env(archal.environ, on_call=log.hook) as client,
        client.sessions.open(clones=["github"]) as hosted,
    ):
        session_id = hosted.session.session_id
        hosted.clones["github"].get("/user", token=GITHUB_TOKEN)
        with pytest.raises(errors.NotFoundError):
            client.sessions.get("ses-none")

    lines = log.lines()
    assert [(one["message"], one["method"], one["level"]) for one in lines] == [
        ("session call", "POST", "INFO"),
        ("session call", "GET", "INFO"),
        ("clone call", "GET", "INFO"),
        ("session call", "GET", "ERROR"),
        ("session call", "DELETE", "INFO"),
    ]
    assert [one.get("session_id") for one in lines[1:]] == [
        *[session_id] * 2,
        "ses-none",
        session_id,
    ]
    assert ["clone" in one for one in lines] == [False, False, True, False, False]
    sums = log.sums()
    assert (sums["SessionCalls"], sums["SessionCallFailures"]) == (4, 1)
    assert (sums["CloneCalls"], sums["CloneCallFailures"]) == (1, 0)


def test_the_same_awaited(archal, log):
    """By the asynchronous client."""

    async def main():
        async with (
            AsyncArchalClient.from_env(archal.environ, on_call=log.hook) as client,
            client.sessions.open(clones=["github"]) as hosted,
        ):
            await hosted.clones["github"].get("/user", token=GITHUB_TOKEN)

    asyncio.run(main())
    assert [one["message"] for one in log.lines()].count("session call") == 3


def test_metrics_without_a_namespace_cost_no_call_and_no_line(caplog, monkeypatch):
    """They raise at the hundredth value; the repository is there, and the line as well."""
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE", raising=False)
    stream = io.StringIO()
    metrics = EphemeralMetrics(service="svc")
    hook = log_calls(Logger(service="unnamed", stream=stream), metrics)
    github = answering(*[201] * 205, hook=hook)

    assert {github.post("/user/repos").status_code for _ in range(205)} == {201}

    assert len(stream.getvalue().splitlines()) == 205
    reports = [one.getMessage() for one in caplog.records if one.name == "archal_lambda"]
    assert ["SchemaValidationError" in report for report in reports] == [True]


@contextlib.contextmanager
def written(module):
    """What a handler logs."""
    handler = module.logger.registered_handler
    stream = io.StringIO()
    before = handler.setStream(stream)
    try:
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    finally:
        handler.setStream(before)


@pytest.fixture
def pointed(archal, monkeypatch):
    """The environment points at the local Archal."""
    for name, value in archal.environ.items():
        monkeypatch.setenv(name, value)
    return archal


def emf(printed):
    """The metrics that a handler wrote."""
    (line,) = [json.loads(line) for line in printed.splitlines() if '"_aws"' in line]
    return line


def test_handlers_of_sessions_are_observed(pointed, capsys):
    """The one that opens a session, and the one that sweeps."""
    with written(session_lifecycle) as lines:
        session_lifecycle.handler({}, LocalContext(timeout=60.0))
    assert [one["message"] for one in lines()].count("session call") == 3
    assert emf(capsys.readouterr().out)["SessionCalls"] == [1.0] * 3

    with written(session_sweeper) as lines:
        session_sweeper.handler({"max_age_seconds": 0}, LocalContext(timeout=60.0))
    assert [one["message"] for one in lines()] == ["session call", "sessions swept"]
    counted = emf(capsys.readouterr().out)
    assert (counted["SessionCalls"], counted["SessionCallFailures"]) == ([1.0], [0.0])


def queries():
    """The queries of README's Operations."""
    (section,) = re.findall(r"## Operations\n(.*?)\n## ", README, re.DOTALL)
    return re.findall(r"```\n(.*?)```", section, re.DOTALL)


def fields_of(query):
    """The fields that a query of Logs Insights reads; those that it names itself are not of the log."""
    plain = re.sub(r'"[^"]*"', "", query)
    named = set(re.findall(r"\bas (\w+)", plain))
    keywords = {"fields", "filter", "sort", "stats", "desc", "as", "by", "count", "pct", "max"}
    keywords |= {"and", "or"}
    return set(re.findall(r"(?<!@)\b[a-z]\w*", plain)) - named - keywords


def test_the_readmes_queries_read_fields_that_there_are(pointed, log, monkeypatch):
    """Each field of the first is in every line of a rejection; those of the others are in some."""
    with written(session_lifecycle) as lines:
        monkeypatch.setenv("ARCHAL_LAMBDA_API_URL", pointed.api_url)
        session_lifecycle.handler({}, LocalContext(timeout=60.0))
    of_sessions = lines()
    refuse(pointed, log.hook)
    rejections = log.lines()
    answering(201, hook=log.hook).get("/user")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base = f"http://127.0.0.1:{silent.getsockname()[1]}/github/api"
        once = RetryPolicy(attempts=1)
        settings = Settings(clone_urls={"github": base}, token="t")
        with (
            Clones(settings, on_call=log.hook, timeout=0.2, retry=once) as clones,
            pytest.raises(errors.RequestTimeout),
        ):
            clones["github"].get("/user")
    everything = [*of_sessions, *log.lines()]
    refused, slow, story = map(fields_of, queries())

    assert refused >= {"rejected_by", "session_id", "code"}
    assert {name for one in rejections for name in refused - one.keys()} == {"function_name"}
    assert all("function_name" in one for one in of_sessions)
    known = {name for one in everything for name in one}
    assert slow - known == set()
    assert story - known == set()
    assert any(one["message"] == "clone call" for one in of_sessions)


def test_the_readmes_metrics_are_those_that_are_counted(pointed, log, capsys):
    """No more and no less; those of other handlers than the sweeper are looked for in their source."""
    refuse(pointed, log.hook)
    with ArchalClient.from_env(pointed.environ, on_call=log.hook) as client:
        client.sessions.list()
    session_sweeper.handler({}, LocalContext(timeout=60.0))
    swept = {name for name in emf(capsys.readouterr().out) if name.startswith("Sessions")}
    (section,) = re.findall(r"## Operations\n(.*?)\n## ", README, re.DOTALL)
    (table,) = re.findall(r"\| metric \|.*?\n\n", section, re.DOTALL)
    named = set(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)) - {"metric", "---"}

    listed = {name for cell in named for name in re.findall(r"`(\w+)`", cell)}
    seen = {*log.sums(), "CloneCallDuration", *swept}
    source = "".join(path.read_text() for path in Path(handlers.__file__).parent.glob("*.py"))
    assert listed == seen | set(re.findall(r'add_metric\(\s*"(\w+)"', source))


def test_a_worker_observes_sessions_too(archal, capsys):
    """With the line of its own."""

    async def main():
        async with AsyncArchalClient.from_env(archal.environ, on_call=log_call) as client:
            await client.sessions.list()
        async with AsyncClones.from_env(archal.environ, on_call=log_call) as clones:
            await clones["github"].get("/user", token=GITHUB_TOKEN)

    asyncio.run(main())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["message"], one["level"]) for one in lines] == [
        ("session call", "INFO"),
        ("clone call", "INFO"),
    ]


def failing(_base):
    """A clone that fails, and names the request as GitHub does."""

    async def app(_scope, _receive, send):
        headers = [(b"x-github-request-id", b"F2F3:1C9A"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        body = b'{"message": "Server Error", "documentation_url": "https://docs.test"}'
        await send({"type": "http.response.body", "body": body})

    return app


def test_a_clone_that_fails_or_has_enough_is_a_warning(log):
    """It is the clone's doing, and the line has what its service needs to find the request."""
    with (
        LocalArchal(extra_clones={"svc": failing}) as archal,
        ArchalClient.from_env(archal.environ, on_call=log.hook) as client,
        client.sessions.open(clones=["github", "svc"], rate_limit=2) as hosted,
    ):
        hosted.clones["svc"].get("/a", token=GITHUB_TOKEN)
        for _ in range(2):
            hosted.clones["github"].get("/user", token=GITHUB_TOKEN)

    lines = [one for one in log.lines() if one["message"] == "clone call"]
    assert [(one["clone"], one["status"], one["level"]) for one in lines] == [
        ("svc", 500, "WARNING"),
        ("github", 200, "INFO"),
        ("github", 429, "WARNING"),
    ]
    assert lines[0]["request_id"] == "F2F3:1C9A"
    assert {one.get("rejected_by") for one in lines} <= {"clone", None}
    sums = log.sums()
    assert (sums["CloneCallFailures"], sums["RouteRejections"]) == (1, 0)
