"""A hook that fails never breaks a call, and its failure is never lost."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import warnings

import pytest
from support.fakes import script, session

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClones,
    Clones,
    ConnectionLost,
    Deadline,
    Request,
    Response,
    Settings,
)
from archal_lambda.transports.mock import MockTransport

SECRET = "sentinel" + "-of-a-hook-d34db33f"
SETTINGS = Settings(
    clone_urls={"github": "https://clone.test/github/api"}, token="t", api_url="https://archal.test"
)


def fail(*_):
    raise LookupError(SECRET)


async def value(outcome):
    return await outcome if inspect.isawaitable(outcome) else outcome


def run(outcome):
    """What a call gives, awaited or not."""
    return asyncio.run(value(outcome)) if inspect.isawaitable(outcome) else outcome


@pytest.fixture(params=[Clones, AsyncClones])
def clones(request):
    """Makes clients of both kinds."""

    def make(*outcomes, **options):
        return request.param(SETTINGS, transport=script(*outcomes), **options)

    return make


@pytest.fixture
def reports(caplog):
    """The warnings of the package's logger."""
    return lambda: [
        record.getMessage()
        for record in caplog.records
        if (record.name, record.levelname) == ("archal_lambda", "WARNING")
    ]


def test_the_response_is_returned_when_the_hook_fails(clones, reports):
    """What the call did is done; the failure is reported once, without the error's own text."""
    made = clones(*[201] * 5, on_call=fail)
    view = made.with_deadline(Deadline.after(5.0))

    async def calls():
        return [await value(one["github"].post("/user/repos")) for one in (made, view, made)]

    assert [response.status_code for response in asyncio.run(calls())] == [201] * 3
    (report,) = reports()
    assert "on_call hook failed: LookupError in fail (test_hooks.py, line " in report
    assert SECRET not in report


def test_the_error_of_the_call_is_raised_and_not_the_hooks(clones, reports):
    """A lost response stays a lost response."""
    with pytest.raises(ConnectionLost) as caught:
        run(clones(ConnectionLost("gone", sent=True), on_call=fail)["github"].post("/a"))

    assert caught.value.__context__ is None
    assert len(reports()) == 1


def test_a_call_goes_on_without_the_trace_of_a_hook_that_fails(clones, reports):
    """It is sent, with the caller's own headers; `on_call` works on and is reported by itself."""
    told = []
    made = clones(200, 200, 200, trace=fail, on_call=told.append)

    async def calls():
        for _ in range(3):
            await value(made["github"].get("/a", headers={"X-Mine": "1"}))

    asyncio.run(calls())
    sent = made._driver.transport.requests
    assert [request.headers["x-mine"] for request in sent] == ["1"] * 3
    assert len(told) == 3
    assert ["trace hook" in report for report in reports()] == [True]


@pytest.mark.parametrize(
    "given", [5, {"traceparent": 5}, {"traceparent": "a\n"}, {"x-route-authorization": "x"}]
)
def test_a_trace_that_gives_no_headers_is_one_that_fails(clones, reports, given):
    """Nothing of it is sent."""
    made = clones(200, trace=lambda: given)

    assert run(made["github"].get("/a")).status_code == 200
    (sent,) = made._driver.transport.requests
    assert "traceparent" not in sent.headers
    assert sent.headers["x-route-authorization"] == "Bearer t"
    assert len(reports()) == 1


@pytest.mark.parametrize("error", [StopIteration, RecursionError, AssertionError, Exception])
def test_no_error_of_a_hook_gets_through(clones, reports, error):
    """Not even those that mean something to a generator."""

    def raises(_):
        raise error

    assert run(clones(200, on_call=raises)["github"].get("/a")).status_code == 200
    assert len(reports()) == 1


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("hook", ["on_call", "trace"])
def test_an_interruption_passes(interruption, hook, reports):
    """Ctrl-C is not an error of the hook that happened to run."""

    def interrupted(*_):
        raise interruption

    made = Clones(SETTINGS, transport=script(200), **{hook: interrupted})
    with pytest.raises(interruption):
        made["github"].get("/a")
    assert reports() == []


def test_calls_side_by_side_report_once(clones, reports):
    """Whichever is first."""
    made = clones(*[200] * 16, on_call=fail)

    outcomes = run(made.gather([("github", Request("GET", "/a"))] * 16, max_concurrency=8))

    assert all(isinstance(outcome, Response) for outcome in outcomes)
    assert len(reports()) == 1


def test_each_client_reports_for_itself(clones, reports):
    """A new client is a new hook."""
    for _ in range(2):
        run(clones(200, on_call=fail)["github"].get("/a"))

    assert len(reports()) == 2


def test_warnings_that_are_errors_break_no_call(clones, reports):
    """Programs run with -W error, too."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert run(clones(200, on_call=fail)["github"].get("/a")).status_code == 200
    assert len(reports()) == 1


@pytest.mark.parametrize("client", [ArchalClient, AsyncArchalClient])
def test_a_session_is_made_used_and_stopped_while_its_hook_fails(client, reports):
    """The client's own calls and those to its clones share the one report."""
    calls = []

    def answer(request):
        calls.append(request.method)
        return Response(204) if request.method == "DELETE" else session()

    made = client(SETTINGS, transport=MockTransport(answer), on_call=fail, trace=fail)

    async def use():
        opened = made.sessions.open(clones=["github"])
        if client is ArchalClient:
            opened = contextlib.nullcontext(stack.enter_context(opened))
        async with opened as hosted:
            return (await value(hosted.clones["github"].post("/a"))).status_code

    with contextlib.ExitStack() as stack:
        assert asyncio.run(use()) == 201
    assert calls == ["POST", "GET", "POST", "DELETE"]
    assert sorted(report.split()[1] for report in reports()) == ["on_call", "trace"]
