"""The client of the control plane, over a mock transport, with a clock of its own."""

from __future__ import annotations

import contextlib
import json

import pytest
from support.blocking import as_async
from support.fakes import Clock, script, session

from archal_lambda import ArchalClient, AsyncArchalClient, Response, Settings, errors
from archal_lambda.transports.mock import MockTransport

URL = "https://archal.ai/api/sessions"


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, ArchalClient=AsyncArchalClient):
        yield request.param


def failed(status, code="some_code"):
    return Response(status, json={"error": "e", "code": code, "detail": "why"})


def lost(*, sent=True):
    return errors.ConnectionLost("gone", sent=sent)


def make(*outcomes, **settings):
    transport = script(*outcomes)
    clock = Clock()
    client = ArchalClient(
        Settings(token="archal-token", **settings),
        transport=transport,
        clock=clock,
        sleep=clock.sleep,
    )
    return client.sessions, transport.requests, clock


def still_starting(request):
    return Response(204) if request.method == "DELETE" else session("starting")


@contextlib.contextmanager
def raising(error):
    yield
    raise error


def calls(requests):
    return [f"{sent.method} {sent.url.removeprefix('https://archal.ai/api')}" for sent in requests]


def keys(requests):
    return [sent.headers["idempotency-key"] for sent in requests if sent.method == "POST"]


def test_create_sends_fields_token_and_a_new_key():
    """The fields have Archal's names."""
    sessions, requests, _ = make(session(), session())
    created = sessions.create(
        clones=["github"], ttl_seconds=1800, seeds={"github": "small-project"}
    )
    sessions.create(clones=("github",))
    assert (created.session_id, created.status) == ("ses-1", "running")
    assert (requests[0].method, requests[0].url) == ("POST", URL)
    assert json.loads(requests[0].content) == {
        "clones": ["github"],
        "ttlSeconds": 1800,
        "seeds": {"github": "small-project"},
    }
    assert requests[0].headers["authorization"] == "Bearer archal-token"
    assert "x-route-authorization" not in requests[0].headers
    first, second = keys(requests)
    assert first != second
    assert 1 <= len(first) <= 200


@pytest.mark.parametrize(
    "outcome", [lost(), lost(sent=False), failed(429), failed(502), failed(503), failed(504)]
)
def test_create_is_retried_with_one_key(outcome):
    """It is retried after a lost connection or a passing status. One call never creates two sessions."""
    sessions, requests, clock = make(outcome, outcome, session())
    assert sessions.create(clones=["github"]).session_id == "ses-1"
    assert len(set(keys(requests))) == 1
    assert len(requests) == 3
    assert 0.25 <= clock.slept[0] <= 0.5 <= clock.slept[1] <= 1.0


def test_create_sends_the_callers_key():
    sessions, requests, _ = make(session())
    sessions.create(clones=["github"], idempotency_key="mine")
    assert keys(requests) == ["mine"]


@pytest.mark.parametrize(
    ("fields", "error", "named"),
    [
        ({"clones": []}, ValueError, "clones"),
        ({"clones": "github"}, TypeError, "clones"),
        ({"clones": ["github"], "ttl_seconds": 86_401}, ValueError, "ttl_seconds"),
        ({"clones": ["github"], "rate_limit": 0}, ValueError, "rate_limit"),
        ({"clones": ["github"], "scenario_run_count": True}, TypeError, "scenario_run_count"),
        ({"clones": ["github"], "idempotency_key": "k" * 201}, ValueError, "idempotency_key"),
        ({"clones": ["github"], "idempotency_key": ""}, ValueError, "idempotency_key"),
        ({"clones": ["github"], "ttl": 5}, TypeError, "ttl is not a field"),
    ],
)
def test_a_wrong_field_sends_nothing(fields, error, named):
    """The error names it. `open` does the same."""
    sessions, requests, _ = make()
    with pytest.raises(error, match=named):
        sessions.create(**fields)
    with pytest.raises(error, match=named), sessions.open(**fields):
        pass
    assert requests == []


@pytest.mark.parametrize(
    ("status", "cls", "sent"),
    [
        (400, errors.BadRequestError, 1),
        (401, errors.AuthenticationError, 1),
        (403, errors.PermissionDeniedError, 1),
        (404, errors.NotFoundError, 1),
        (409, errors.StatusError, 1),
        (426, errors.UpgradeRequiredError, 1),
        (429, errors.RateLimitError, 3),
        (500, errors.ServerError, 1),
        (502, errors.ServerError, 3),
        (503, errors.ServerError, 3),
        (504, errors.ServerError, 3),
    ],
)
@pytest.mark.parametrize(
    "operation",
    [
        lambda sessions: sessions.create(clones=["github"]),
        lambda sessions: sessions.get("ses-1"),
        lambda sessions: sessions.list(),
        lambda sessions: sessions.wait_until_running("ses-1"),
    ],
)
def test_failures_have_the_type_of_their_status(operation, status, cls, sent):
    """They have code and detail, and are retried where they may pass. None is a route rejection."""
    sessions, requests, _ = make(*[failed(status)] * sent)
    with pytest.raises(errors.StatusError) as caught:
        operation(sessions)
    assert type(caught.value) is cls
    assert (caught.value.code, caught.value.detail) == ("some_code", "why")
    assert str(caught.value).endswith(f": status {status} (some_code)")
    assert len(requests) == sent


def test_retry_after_is_kept_or_the_call_ends():
    """A wait that does not fit is left to the caller."""
    answer = Response(429, headers={"Retry-After": "7"})
    sessions, _, clock = make(answer, session())
    sessions.get("ses-1")
    assert clock.slept == [7.0]
    sessions, requests, clock = make(Response(429, headers={"Retry-After": "60"}))
    with pytest.raises(errors.RateLimitError) as caught:
        sessions.get("ses-1")
    assert (caught.value.retry_after, clock.slept, len(requests)) == (60.0, [], 1)


def test_get_and_list_are_plain_reads():
    """The session id is one segment."""
    sessions, requests, _ = make(session("starting"), Response(200, json={"sessions": []}))
    assert sessions.get("a/b").status == "starting"
    assert sessions.list() == []
    assert calls(requests) == ["GET /sessions/a%2Fb", "GET /sessions"]
    for operation in (sessions.get, sessions.delete, sessions.wait_until_running):
        with pytest.raises(ValueError, match="session_id must not be empty"):
            operation("")


@pytest.mark.parametrize(
    ("outcomes", "error"),
    [
        ([204], None),
        ([200], None),
        ([lost(), 404], None),
        ([503, 404], None),
        ([lost(), lost(), 204], None),
        ([502, 404], None),
        ([404], errors.NotFoundError),
        ([lost(sent=False), 204], None),
        ([502, 502, 502], errors.TeardownFailedError),
        ([503, 503, 502], errors.TeardownFailedError),
        ([500], errors.TeardownFailedError),
        ([503, 503, 503], errors.TeardownFailedError),
        ([403], errors.TeardownFailedError),
        ([lost(), lost(), lost()], errors.TeardownFailedError),
        ([errors.ConnectError("refused")] * 3, errors.TeardownFailedError),
        ([errors.RequestTimeout("silence", phase="headers")] * 3, errors.TeardownFailedError),
    ],
)
def test_delete_says_what_became_of_the_session(outcomes, error):
    """A retried DELETE that gets 404 has done its work. A failure means that the session may still run."""
    sessions, requests, _ = make(*outcomes)
    if error is None:
        assert sessions.delete("ses-1") is None
    else:
        with pytest.raises(errors.ArchalError) as caught:
            sessions.delete("ses-1")
        assert type(caught.value) is error
    assert calls(requests) == ["DELETE /sessions/ses-1"] * len(outcomes)


def test_waiting_polls_at_growing_intervals():
    """It reports each poll, and returns the running session."""
    sessions, requests, clock = make(
        *[session("starting")] * 12, session("running", alive=False), session()
    )
    looks = []
    running = sessions.wait_until_running("ses-1", on_progress=lambda *look: looks.append(look))
    assert running.status == "running"
    assert len(requests) == len(looks) == 14
    assert [seen.status for seen, _ in looks] == ["starting"] * 12 + ["running"] * 2
    assert looks[0][1] == 0.0
    assert looks[-1][1] == pytest.approx(sum(clock.slept))
    pauses = [min(0.5 * 1.5**n, 3.0) for n in range(13)]
    assert all(
        pause / 2 <= slept <= pause for pause, slept in zip(pauses, clock.slept, strict=True)
    )


@pytest.mark.parametrize("status", ["provisioning", "queued", ""])
def test_an_unknown_status_is_waited_for(status):
    """The status is an open string."""
    sessions, _, _ = make(session(status), session())
    assert sessions.wait_until_running("ses-1").status == "running"


@pytest.mark.parametrize(
    ("answer", "status", "last_error"),
    [
        (session("failed", lastError="no capacity"), "failed", "no capacity"),
        (session("ended"), "ended", None),
        (session("stopping", endedAt="2026-01-02T03:05:05Z"), "stopping", None),
    ],
)
def test_a_session_that_ends_is_not_waited_for(answer, status, last_error):
    """The error says how it ended, and why where Archal says so."""
    sessions, _, _ = make(session("starting"), answer)
    with pytest.raises(errors.SessionEndedError, match=f"session ses-1 is {status}") as caught:
        sessions.wait_until_running("ses-1")
    assert (caught.value.status, caught.value.last_error) == (status, last_error)


def test_waiting_ends_with_a_timeout_at_its_limit():
    sessions, requests, clock = make(*[session("starting")] * 100)
    with pytest.raises(errors.RequestTimeout, match="not running yet") as caught:
        sessions.wait_until_running("ses-1", timeout=20)
    assert isinstance(caught.value, TimeoutError)
    assert 17 < caught.value.elapsed <= 20
    assert clock.now <= 1020
    assert len(requests) < 20


def test_a_poll_is_under_the_same_limit():
    """A Retry-After beyond the time left is not waited for."""
    sessions, _, clock = make(session("starting"), Response(503, headers={"Retry-After": "14"}))
    with pytest.raises(errors.ServerError):
        sessions.wait_until_running("ses-1", timeout=10)
    assert clock.now < 1001


@pytest.mark.parametrize("timeout", [0, -1, None, True, float("nan"), float("inf")])
def test_a_bad_limit_of_waiting_is_refused(timeout):
    sessions, requests, _ = make()
    with pytest.raises(ValueError, match="timeout total"):
        sessions.wait_until_running("ses-1", timeout=timeout)
    assert requests == []


def test_open_creates_waits_and_stops():
    """The clones use the session's own route."""
    sessions, requests, _ = make(session("starting"), session("starting"), session(), 200, 204)
    with sessions.open(clones=iter(["github"]), ttl_seconds=60) as hosted:
        assert hosted.session.status == "running"
        assert list(hosted.clones) == ["github"]
        hosted.clones["github"].get("/user", token="service")
    assert calls(requests) == [
        "POST /sessions",
        "GET /sessions/ses-1",
        "GET /sessions/ses-1",
        "GET https://ses-1.test/github/api/user",
        "DELETE /sessions/ses-1",
    ]
    assert requests[3].headers["x-route-authorization"] == "Bearer archal-token"
    assert requests[3].headers["authorization"] == "Bearer service"


@pytest.mark.parametrize(
    ("fields", "base"),
    [
        ({}, "https://ses-1.test/github/api"),
        ({"apiBaseUrls": {}}, "https://ses-1.test/github"),
        ({"apiBaseUrls": {}, "endpoints": {}}, "http://localhost:4010/runtime/ses-1/github/api"),
    ],
)
def test_clones_of_a_session_are_found(fields, base):
    """First by the REST base, then by the general URL. Otherwise the address is composed from the session id."""
    answer = session(**fields)
    sessions, _, _ = make(answer, answer, 204, runtime_url="http://localhost:4010")
    with sessions.open(clones=["github"]) as hosted:
        assert hosted.clones["github"].base_url == base


@pytest.mark.parametrize(
    "error",
    [ZeroDivisionError("mine"), KeyboardInterrupt(), SystemExit(3), errors.DecodeError("mine")],
)
def test_open_stops_the_session_when_the_body_fails(error):
    """The error comes out as it was raised."""
    sessions, requests, _ = make(session(), session(), 204)
    with pytest.raises(type(error)) as caught, sessions.open(clones=["github"]):
        raise error
    assert caught.value is error
    assert not hasattr(error, "__notes__")
    assert calls(requests)[-1] == "DELETE /sessions/ses-1"


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        ([502, 502, 502], "status 502"),
        ([lost(), lost(), lost()], "gone (request sent, 3 attempts"),
        ([403], "status 403"),
        ([RuntimeError("a transport's own")] * 2, "RuntimeError"),
    ],
)
def test_open_never_masks_the_bodys_error(outcomes, told):
    """A failed stop is a note on it."""
    sessions, _, _ = make(session(), session(), *outcomes)
    error = ZeroDivisionError("mine")
    with pytest.raises(ZeroDivisionError) as caught, sessions.open(clones=["github"]):
        raise error
    assert caught.value is error
    (note,) = error.__notes__
    assert note.startswith("The session could not be stopped and may still be billed: ")
    assert told in note


def test_open_raises_a_failed_stop():
    """This holds if the body raised nothing."""
    sessions, _, _ = make(session(), session(), 502, 502, 502)
    with pytest.raises(errors.TeardownFailedError), sessions.open(clones=["github"]):
        pass


@pytest.mark.parametrize(
    ("answer", "cls"),
    [
        (session("failed", lastError="x"), errors.SessionEndedError),
        (failed(401), errors.AuthenticationError),
        (Response(200, json={}), errors.DecodeError),
        (session(apiBaseUrls={"github": "http://evil.test"}), errors.ConfigurationError),
        (session(sessionId="../x"), errors.ConfigurationError),
    ],
)
def test_open_stops_a_session_that_does_not_run(answer, cls):
    """It was created, so it may be billed."""
    sessions, requests, _ = make(session("starting"), answer, 204)
    with pytest.raises(cls) as caught, sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert calls(requests)[-1] == "DELETE /sessions/ses-1"
    assert not hasattr(caught.value, "__notes__")


def test_open_stops_a_session_that_takes_too_long():
    """The RequestTimeout comes after the stop."""
    sessions, requests, _ = make(*[still_starting] * 9)
    looks = []
    with (
        pytest.raises(errors.RequestTimeout),
        sessions.open(clones=["github"], timeout=1.2, on_progress=lambda *look: looks.append(look)),
    ):
        pytest.fail("the body must not run")
    assert calls(requests)[-1] == "DELETE /sessions/ses-1"
    assert looks


@pytest.mark.parametrize(
    ("first", "last", "error"),
    [
        (lost(), failed(429), errors.RateLimitError),
        (lost(), failed(400), errors.BadRequestError),
        (failed(502), failed(401), errors.AuthenticationError),
        (failed(504), failed(409), errors.StatusError),
    ],
)
def test_open_doubts_the_attempt_before_the_last(first, last, error):
    """The first attempt may have made a session, whatever the response to the next one."""
    tries = [first, last, last] if last.status_code == 429 else [first, last]
    sessions, requests, _ = make(*tries, session(), 204)
    with pytest.raises(error), sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert len(set(keys(requests))) == 1
    assert calls(requests)[len(tries) :] == ["POST /sessions", "DELETE /sessions/ses-1"]


def test_open_looks_for_no_session_after_refusals_only():
    sessions, requests, _ = make(*[failed(429)] * 3)
    with pytest.raises(errors.RateLimitError) as caught, sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert len(requests) == 3
    assert not hasattr(caught.value, "__notes__")


def test_open_stops_a_session_that_it_cannot_read():
    """The id is enough for that."""
    odd = session(createdAt="yesterday")
    sessions, requests, _ = make(odd, odd, 204)
    with pytest.raises(errors.DecodeError) as caught, sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert calls(requests) == ["POST /sessions"] * 2 + ["DELETE /sessions/ses-1"]
    assert not hasattr(caught.value, "__notes__")


@pytest.mark.parametrize("timeout", [0, None, float("nan")])
def test_open_checks_its_limit_first(timeout):
    """Nothing is created if the limit is wrong."""
    sessions, requests, _ = make()
    with (
        pytest.raises(ValueError, match="timeout total"),
        sessions.open(clones=["a"], timeout=timeout),
    ):
        pytest.fail("the body must not run")
    assert requests == []


def test_open_subtracts_the_creation_from_the_wait():
    def slowly(_request):
        clock.now += 8
        return session("starting")

    sessions, requests, clock = make(slowly, *[still_starting] * 99)
    with pytest.raises(errors.RequestTimeout), sessions.open(clones=["github"], timeout=10):
        pytest.fail("the body must not run")
    assert clock.now <= 1010
    assert calls(requests)[-1] == "DELETE /sessions/ses-1"


def test_open_does_not_poll_if_the_creation_took_all_the_time():
    """The session is stopped."""

    def slowly(_request):
        clock.now += 10
        return session("starting")

    sessions, requests, clock = make(slowly, 204)
    with pytest.raises(errors.RequestTimeout), sessions.open(clones=["github"], timeout=10):
        pytest.fail("the body must not run")
    assert calls(requests) == ["POST /sessions", "DELETE /sessions/ses-1"]


def test_a_session_that_is_over_does_not_run():
    """Its status does not matter. A key that was used before gets the session it made then."""
    sessions, requests, _ = make(session(), session(endedAt="2026-01-02T03:05:05Z"), 404)
    with pytest.raises(errors.SessionEndedError), sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert calls(requests)[-1] == "DELETE /sessions/ses-1"


@pytest.mark.parametrize(
    "kind", ["sync"], indirect=True
)  # asyncio turns an interruption into a cancellation
@pytest.mark.parametrize("failure", [None, ZeroDivisionError("mine")])
@pytest.mark.parametrize(("second", "notes"), [(204, 0), (404, 0), (lost(), 1), (failed(403), 1)])
def test_an_interrupted_stop_is_begun_again(failure, second, notes):
    """The interruption is raised after the session is stopped. A failure is a note."""
    interruption = KeyboardInterrupt()
    again = [second] * 3 if isinstance(second, Exception) else [second]
    sessions, requests, _ = make(session(), session(), interruption, *again)
    body = contextlib.nullcontext() if failure is None else raising(failure)
    with pytest.raises(KeyboardInterrupt) as caught, sessions.open(clones=["github"]), body:
        pass
    assert caught.value is interruption
    assert calls(requests)[2:] == ["DELETE /sessions/ses-1"] * (1 + len(again))
    assert len(getattr(interruption, "__notes__", [])) == notes


def test_a_session_that_ended_by_itself_needs_no_note():
    """404 on the stop is expected then."""
    sessions, _, _ = make(session("starting"), session("ended"), 404)
    with pytest.raises(errors.SessionEndedError) as caught, sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert not hasattr(caught.value, "__notes__")


def test_open_finds_a_session_whose_response_was_lost():
    """The same creation with the same key gets that session, and it is stopped."""
    sessions, requests, _ = make(lost(), lost(), lost(), session(), 204)
    with pytest.raises(errors.ConnectionLost), sessions.open(clones=iter(["github"]), seeds={}):
        pytest.fail("the body must not run")
    assert calls(requests) == ["POST /sessions"] * 4 + ["DELETE /sessions/ses-1"]
    assert len(set(keys(requests))) == 1
    assert len({sent.content for sent in requests[:4]}) == 1


@pytest.mark.parametrize(
    ("outcomes", "cls"),
    [
        ((504, 504, 504), errors.ServerError),
        ((Response(200, content=b"{"),), errors.DecodeError),
    ],
)
def test_open_looks_for_a_session_that_a_failing_server_may_have_made(outcomes, cls):
    """After a 5xx, or a response that cannot be read, the same key finds the session."""
    sessions, requests, _ = make(*outcomes, session(), 204)
    with pytest.raises(cls), sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert calls(requests)[-2:] == ["POST /sessions", "DELETE /sessions/ses-1"]
    assert len(set(keys(requests))) == 1


def test_open_is_content_with_a_session_that_ended_by_itself():
    """A 404 at the end means there is nothing left to stop."""
    sessions, requests, _ = make(session(), session(), 404)
    with sessions.open(clones=["github"]):
        pass
    assert calls(requests)[-1] == "DELETE /sessions/ses-1"


def test_open_interrupted_while_creating_leaves_no_session():
    sessions, requests, _ = make(KeyboardInterrupt(), session(), 204)
    with pytest.raises(KeyboardInterrupt), sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert calls(requests) == ["POST /sessions"] * 2 + ["DELETE /sessions/ses-1"]
    assert len(set(keys(requests))) == 1


@pytest.mark.parametrize(
    "outcomes",
    [[lost(sent=False)] * 3, [failed(400)], [failed(401)], [errors.ConnectError("no")] * 3],
)
def test_open_stops_nothing_that_was_never_created(outcomes):
    """The creation was refused or never sent."""
    sessions, requests, _ = make(*outcomes)
    with pytest.raises(errors.ArchalError) as caught, sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert set(calls(requests)) == {"POST /sessions"}
    assert not hasattr(caught.value, "__notes__")


def test_open_says_when_a_lost_session_could_not_be_found():
    """It is a note on the error that matters."""
    sessions, _, _ = make(*[lost()] * 6)
    with pytest.raises(errors.ConnectionLost) as caught, sessions.open(clones=["github"]):
        pytest.fail("the body must not run")
    assert "may still be billed" in caught.value.__notes__[0]


def test_the_client_is_made_from_variables_without_io():
    """Closing it closes its connections."""
    closed = []

    class Closing(MockTransport):
        def close(self):
            closed.append(self)

    transport = Closing(lambda _request: Response(200, json={"sessions": []}))
    env = {"ARCHAL_TOKEN": "t", "ARCHAL_LAMBDA_API_URL": "http://localhost:4010"}
    with ArchalClient.from_env(env, transport=transport, timeout=5) as client:
        assert client.sessions.list() == []
    assert closed == [transport]
    assert transport.requests[0].url == "http://localhost:4010/api/sessions"
    assert ArchalClient.from_env(env).close() is None


@pytest.mark.parametrize(
    "env", [{}, {"AGENT_ROUTE_HEADERS": '{"x-route-authorization": "Bearer r"}'}]
)
def test_the_client_needs_a_token(env):
    """Route headers do not open the control plane."""
    with pytest.raises(errors.ConfigurationError) as caught:
        ArchalClient.from_env(env)
    assert caught.value.variable == "ARCHAL_TOKEN"
