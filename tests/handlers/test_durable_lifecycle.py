"""The durable handler on AWS's local runner: its session is stopped, whatever fails, and whenever it crashes."""

from __future__ import annotations

import io
import json
import logging
from pathlib import Path

import pytest
from aws_durable_execution_sdk_python.exceptions import CheckpointError, DurableApiErrorCategory
from aws_durable_execution_sdk_python.execution import InvocationStatus
from aws_durable_execution_sdk_python_testing.runner import DurableFunctionTestRunner
from support import durable_process

from archal_lambda import ArchalClient, Response, Settings
from archal_lambda.handlers import durable_lifecycle
from archal_lambda.handlers.durable_lifecycle import Lifecycle
from archal_lambda.local import LocalArchal
from archal_lambda.testing import LocalContext
from archal_lambda.transports.mock import MockTransport

EVENT = (Path(__file__).parents[2] / "events/durable_lifecycle.json").read_text()
TOKEN = "archal_0123456789abcdef0123"
pytestmark = pytest.mark.filterwarnings(
    # The SDK's and the runner's own.
    "ignore::DeprecationWarning:aws_durable_execution_sdk_python.*",
    "ignore:No application metrics to publish",
    "ignore::pytest.PytestUnhandledThreadExceptionWarning",
)


class Killed(BaseException):
    """The process is gone: nothing of the handler gets to run on."""


@pytest.fixture(autouse=True)
def quiet():
    """The SDK logs what fails, with tracebacks."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.fixture
def serve(monkeypatch):
    """Give a function that starts a local Archal at which the environment points."""
    started = []

    def start(**options):
        local = LocalArchal(**options).__enter__()
        started.append(local)
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        return local

    yield start
    for local in started:
        local.stop()


class Run:
    """One execution and what is left of it."""

    def __init__(self, event=EVENT, handler=durable_lifecycle.handler):
        self.invocations = 0

        def counted(event, context):
            self.invocations += 1
            try:
                return handler(event, context)
            except Killed:  # Lambda reports an invocation that failed
                raise RuntimeError("Runtime.ExitError") from None

        with DurableFunctionTestRunner(handler=counted, poll_interval=0.05) as runner:
            runner._executor.RETRY_BACKOFF_SECONDS = 0  # between invocations that fail
            arn = runner.run_async(input=event, execution_timeout=900)
            self.result = runner.wait_for_result(arn, timeout=20)
            history = runner.get_execution_history(arn, include_execution_data=True)
            loop = runner._scheduler._loop
            self.checkpoints = json.dumps(history.to_dict(), default=str)
        loop.close()  # which the runner leaves open
        self.succeeded = self.result.status is InvocationStatus.SUCCEEDED
        self.summary = json.loads(self.result.result) if self.succeeded else None
        self.steps = [one.name for one in self.result.operations]


def asked(archal):
    """List what reached the control plane, as method and end of path; repeated looks once."""
    calls = [
        (call.method, call.path.rpartition("/")[2])
        for call in archal.requests
        if call.path.startswith("/api/")
    ]
    return [call for number, call in enumerate(calls) if call != calls[number - 1] or not number]


def alive(archal):
    """Give the ids of the sessions that run, but for the one made at the start."""
    with ArchalClient.from_env(archal.environ) as client:
        ids = {session.session_id for session in client.sessions.list()}
    return ids - {archal.session_id}


def created(archal):
    """Give the ids that creations were answered with."""
    return [
        call for call in archal.requests if (call.method, call.path) == ("POST", "/api/sessions")
    ]


def kill(monkeypatch, method, *, before, times=1):
    """Let the process die once in a step, before it does its work or after."""
    whole, left = getattr(Lifecycle, method), [None] * times

    def dying(self, *arguments):
        if left and before:
            left.pop()
            raise Killed
        result = whole(self, *arguments)
        if left:
            left.pop()
            raise Killed
        return result

    monkeypatch.setattr(Lifecycle, method, dying)


def test_a_session_is_opened_tried_and_stopped(serve):
    """What is returned is what `session_lifecycle` returns."""
    archal = serve()

    run = Run()

    assert set(run.summary) == {"session_id", "clone", "status_code", "passed", "start_seconds"}
    assert (run.summary["status_code"], run.summary["passed"]) == (200, True)
    session_id = run.summary["session_id"]
    assert asked(archal) == [("POST", "sessions"), ("GET", session_id), ("DELETE", session_id)]
    assert run.steps == ["create", "wait", "try", "stop"]
    assert alive(archal) == set()


def test_while_it_waits_nothing_runs(serve, monkeypatch):
    """Each look is an invocation of its own, and in between there is none."""
    monkeypatch.setattr(durable_lifecycle, "LOOKS", 10_000)
    archal = serve(startup_delay=0.5)

    run = Run()

    assert run.succeeded
    assert run.invocations > 2
    assert len(created(archal)) == 1
    assert run.summary["start_seconds"] >= 0.4


@pytest.mark.parametrize("method", ["create", "look", "attempt", "stop"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_crash_in_a_step_loses_no_session(serve, monkeypatch, method, before):
    """The step is run again, with the same key, so that there is one session, and it is stopped."""
    archal = serve()
    kill(monkeypatch, method, before=before)

    run = Run()

    assert run.succeeded
    assert run.invocations == 2
    assert alive(archal) == set()
    requests = created(archal)
    assert len(requests) == (2 if (method, before) == ("create", False) else 1)


@pytest.mark.parametrize("method", ["create", "attempt", "stop"])
def test_a_process_that_is_killed_loses_no_session(serve, method):
    """Each invocation is a process, and the first one ends by SIGKILL when a step has done its work."""
    archal = serve()
    victims = iter([method])

    run = Run(handler=lambda event, _: durable_process.invoke(event, next(victims, None)))

    assert run.succeeded
    assert run.invocations == 2
    assert alive(archal) == set()
    assert len(created(archal)) == (2 if method == "create" else 1)


def test_executions_have_keys_of_their_own():
    """And the same one at each replay."""
    check = durable_lifecycle.Check()
    keys = [Lifecycle(check, arn).key for arn in ("arn:a", "arn:a", "arn:b")]

    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) <= 200  # what Archal takes


def test_a_session_that_never_runs_is_stopped_and_an_error(serve):
    """The looks are counted."""
    archal = serve(startup_delay=3600.0)

    run = Run()

    assert run.result.error.type == "archal_lambda.errors.RequestTimeout"
    assert "is not running yet" in run.result.error.message
    assert run.steps == ["create", "wait", "stop"]
    assert run.invocations == durable_lifecycle.LOOKS + 0
    assert alive(archal) == set()


def test_a_session_that_is_late_is_not_looked_at_for_ever(serve, monkeypatch):
    """A slow Archal does not prolong the wait."""
    monkeypatch.setattr(durable_lifecycle, "WAIT_SECONDS", -1)
    archal = serve(startup_delay=3600.0)

    run = Run()

    assert (run.invocations, run.result.error.type) == (1, "archal_lambda.errors.RequestTimeout")
    assert alive(archal) == set()


@pytest.mark.parametrize(
    "event",
    [
        '{"path": "https://other.test/"}',
        '{"ttl_seconds": 0}',
        '{"clone": 7}',
        "[]",
        '{"clone": ""}',
    ],
)
def test_an_event_that_cannot_be_used_opens_no_session(serve, event):
    """The error names the field."""
    archal = serve()

    run = Run(event)

    assert run.result.error.type == "archal_lambda.errors.DecodeError"
    assert archal.requests == ()


def test_the_clones_refusal_is_a_check_that_failed(serve):
    """As with `session_lifecycle`, it is a result."""
    archal = serve()

    run = Run('{"path": "/nowhere"}')

    assert (run.summary["status_code"], run.summary["passed"]) == (404, False)
    assert alive(archal) == set()


def test_an_unknown_clone_is_refused_once(serve):
    """Nothing was made, so nothing is looked for."""
    archal = serve()

    run = Run('{"clone": "nope"}')

    assert not run.succeeded
    assert run.steps == ["create"]
    assert len(created(archal)) == 1


def test_a_try_that_fails_stops_the_session(serve, monkeypatch):
    """With its own error as the result."""
    archal = serve()
    monkeypatch.setattr(Lifecycle, "attempt", lambda *_: 1 / 0)

    run = Run()

    assert run.result.error.message == "division by zero"
    assert run.steps == ["create", "wait", "try", "stop"]
    assert alive(archal) == set()


def scripted(monkeypatch, respond):
    """Let a function of method, path and number of calls of that method answer the control plane."""
    calls = []

    def answer(request):
        calls.append(request.method)
        return respond(request.method, calls.count(request.method))

    settings = Settings(token=TOKEN)

    def client(_):
        return ArchalClient(settings, transport=MockTransport(answer), sleep=lambda _: None)

    monkeypatch.setattr(Lifecycle, "client", client)
    return calls


def session(status="running", **more):
    """Make a response with a session."""
    moments = {"createdAt": "2026-01-01T00:00:00Z", "expiresAt": "2026-01-01T01:00:00Z"}
    return Response(200, json={"sessionId": "ses-1", "status": status, **moments, **more})


def test_a_session_that_fails_is_an_error_and_stopped(monkeypatch):
    """The control plane decides whether there is anything to stop."""
    bodies = {"POST": session("starting"), "GET": session("failed", lastError="boom")}
    calls = scripted(monkeypatch, lambda method, _: bodies.get(method, Response(404, json={})))

    run = Run()

    assert run.result.error.type == "archal_lambda.errors.SessionEndedError"
    assert run.result.error.message == "session ses-1 is failed"
    assert calls == ["POST", "GET", "DELETE"]


def test_looks_that_fail_are_repeated(monkeypatch):
    """What passes is no reason to give a session up."""

    def respond(method, number):
        if method == "GET" and number < 8:
            return Response(503, json={})
        return (
            Response(204)
            if method == "DELETE"
            else session("failed" if method == "GET" else "starting")
        )

    calls = scripted(monkeypatch, respond)

    run = Run()

    assert run.result.error.type == "archal_lambda.errors.SessionEndedError"
    assert calls.count("GET") >= 8
    assert calls[-1] == "DELETE"


def test_a_stop_that_fails_is_tried_again(serve, monkeypatch):
    """For minutes, unbilled."""
    archal = serve()
    whole, failures = Lifecycle.stop, iter([1, 2, 3])

    def failing(self, session_id):
        if next(failures, None):
            raise OSError("the runtime is down")
        whole(self, session_id)

    monkeypatch.setattr(Lifecycle, "stop", failing)

    run = Run()

    assert run.succeeded
    assert run.invocations == 4
    assert alive(archal) == set()


def test_a_stop_that_fails_to_the_end_is_the_error(monkeypatch, capsys):
    """Behind an error of the check it is logged and counted, and not the result."""

    def respond(method, _):
        if method == "DELETE":
            return Response(502, json={})
        return session("failed" if method == "GET" else "starting")

    calls = scripted(monkeypatch, respond)
    run = Run()

    assert run.result.error.type == "archal_lambda.errors.SessionEndedError"
    assert calls.count("DELETE") >= len(durable_lifecycle.STOP_DELAYS) + 1
    emf = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    assert sum(sum(one.get("SessionsNotStopped", [])) for one in emf) == 1


def test_a_creation_without_a_response_is_found_and_stopped(monkeypatch):
    """By its key, which is tried again until the control plane answers."""
    tries = len(durable_lifecycle.CREATE_DELAYS) + 1

    def respond(method, _):
        if method == "POST" and state["failed"] < tries:
            return Response(500, json={})
        return session("running") if method == "POST" else Response(204)

    state = {"failed": 0}
    whole = Lifecycle.create

    def counted(self, *arguments):
        try:
            return whole(self, *arguments)
        finally:
            state["failed"] += 1

    monkeypatch.setattr(Lifecycle, "create", counted)
    calls = scripted(monkeypatch, respond)

    run = Run()

    assert not run.succeeded
    assert run.steps == ["create", "stop"]
    assert calls[-2:] == ["POST", "DELETE"]


def unusable(*, retryable):
    """Make an error of the service that keeps the checkpoints."""
    category = (
        DurableApiErrorCategory.INVOCATION if retryable else DurableApiErrorCategory.EXECUTION
    )
    return CheckpointError("no", error_category=category)


def test_without_checkpoints_the_session_is_stopped_at_once(serve, monkeypatch):
    """Such as without the permission: Lambda does not run the execution again."""
    archal = serve()

    def run(*_):
        raise unusable(retryable=False)

    monkeypatch.setattr(durable_lifecycle, "run", run)

    done = Run()

    assert not done.succeeded
    assert done.steps == ["create"]
    assert alive(archal) == set()


def test_checkpoints_that_fail_for_a_while_stop_nothing(serve, monkeypatch):
    """Lambda runs the execution again, and the session is still there."""
    archal = serve()
    whole, failures = durable_lifecycle.run, iter([1, 2])

    def failing(context, life, made):
        if next(failures, None):
            raise unusable(retryable=True)
        return whole(context, life, made)

    monkeypatch.setattr(durable_lifecycle, "run", failing)

    done = Run()

    assert done.succeeded
    assert done.invocations == 3
    assert asked(archal)[-1][0] == "DELETE"
    assert len(created(archal)) == 1


def test_checkpoints_hold_no_secret(serve, monkeypatch):
    """Neither a token nor a header, nor a URL that a clone is reached by."""
    archal = serve()

    run = Run()

    assert run.summary["session_id"] in run.checkpoints
    for secret in (archal.token, "route-authorization", archal.api_url, "Bearer", "idempotency"):
        assert secret not in run.checkpoints


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_checkpoints_of_failures_hold_no_secret(monkeypatch, method):
    """Not even one that the control plane sends back."""
    echo = {"error": {"code": "bad", "message": f"no {TOKEN}, no Bearer {TOKEN}"}}

    def respond(asked, _):
        if asked == method:
            return Response(400, json=echo, headers={"x-echo": TOKEN})
        return Response(204) if asked == "DELETE" else session("failed")

    scripted(monkeypatch, respond)

    run = Run()

    assert not run.succeeded
    assert run.result.error.message
    for text in (run.checkpoints, repr(run.result)):
        assert TOKEN not in text


def test_a_replay_logs_nothing_twice(serve, monkeypatch):
    """The summary is logged once, though the handler is run from its top several times."""
    logging.disable(logging.NOTSET)
    serve()
    kill(monkeypatch, "stop", before=True)
    before = durable_lifecycle.logger.registered_handler.setStream(stream := io.StringIO())
    try:
        run = Run()
    finally:
        durable_lifecycle.logger.registered_handler.setStream(before)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert run.invocations == 2
    assert [line["message"] for line in lines].count("session checked") == 1
    assert sum(line.get("method") == "POST" for line in lines) == 1


def test_the_worst_case_fits_the_execution():
    """All delays and all calls together, before Lambda ends the execution."""
    handler = durable_lifecycle
    call = handler.CALL_SECONDS
    create = sum(handler.CREATE_DELAYS) + (len(handler.CREATE_DELAYS) + 1) * call
    wait = handler.WAIT_SECONDS + handler.LOOK_DELAY + call
    stop = sum(handler.STOP_DELAYS) + (len(handler.STOP_DELAYS) + 1) * call

    assert create + wait + 2 * call + stop <= 900


def test_without_the_service_it_says_so():
    """A plain invocation is no durable execution."""
    with pytest.raises(Exception, match="durability"):
        durable_lifecycle.handler({"clone": "github"}, LocalContext())
