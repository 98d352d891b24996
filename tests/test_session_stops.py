"""What a stop of a session that fails says, and that no interruption leaves a session behind."""

from __future__ import annotations

import contextlib

import pytest
from support.blocking import as_async
from support.fakes import Clock, repickled
from support.interrupted_sessions import Archal
from support.programs import outcome_of

from archal_lambda import ArchalClient, AsyncArchalClient, Response, Settings, errors
from archal_lambda.testing.faulty_server import FaultServer, answer, hold, in_turn, read, send
from archal_lambda.transports.mock import MockTransport


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, ArchalClient=AsyncArchalClient):
        yield request.param


def client_of(archal):
    clock = Clock()
    return ArchalClient(
        Settings(token="t"), transport=MockTransport(archal), clock=clock, sleep=clock.sleep
    )


def at(origin):
    clock = Clock()
    return ArchalClient(
        Settings(token="t", api_url=origin), timeout=0.5, sleep=clock.sleep, clock=clock
    )


@contextlib.contextmanager
def deaf_origin(how):
    """An origin that answers 500, is silent, or refuses."""
    script = in_turn([read, hold if how == "silence" else send(answer(status="500 X"))])
    with FaultServer(script) as server:
        if how == "refusal":
            server.refuse()
        yield server.origin


@pytest.mark.parametrize(
    ("how", "cause", "status"),
    [
        ("500", errors.ServerError, 500),
        ("silence", errors.RequestTimeout, 0),
        ("refusal", errors.ConnectError, 0),
    ],
)
def test_a_stop_that_fails_is_one_error_with_its_cause_behind_it(how, cause, status):
    """Whoever pays for the session asks for one type."""
    with (
        deaf_origin(how) as origin,
        at(origin) as client,
        pytest.raises(errors.TeardownFailedError) as caught,
    ):
        client.sessions.delete("ses-1")
    error = caught.value
    assert type(error.__cause__) is cause
    assert (error.status_code, error.response is None) == (status, status == 0)
    assert isinstance(error, errors.ServerError)
    again = repickled(error)
    assert (str(again), again.status_code) == (str(error), status)
    assert str(error) == f"{error.__cause__}; the session may still run"


@pytest.mark.parametrize("failure", [500, 502, errors.ConnectionLost("gone", sent=True)])
def test_a_session_that_is_not_stopped_at_the_end_says_so(failure):
    """The body went well."""
    archal = Archal()

    def failing(request):
        if request.method != "DELETE":
            return archal(request)
        if isinstance(failure, int):
            return Response(failure)
        raise failure

    with pytest.raises(errors.TeardownFailedError), client_of(failing).sessions.open(clones=["a"]):
        pass
    assert len(archal.running) == 1


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (429, errors.RateLimitError),
        (302, errors.StatusError),
    ],
)
def test_a_stop_that_is_refused_is_the_same_error(status, cause):
    """The session runs on, whosever fault it is."""
    client = client_of(lambda _request: Response(status))
    with pytest.raises(errors.TeardownFailedError) as caught:
        client.sessions.delete("ses-1")
    error = caught.value
    assert (error.status_code, error.response.status_code) == (status, status)
    assert type(error.__cause__) is cause
    assert str(error) == f"{error.__cause__}; the session may still run"


def test_a_session_that_is_not_there_has_not_failed_to_stop():
    with pytest.raises(errors.NotFoundError):
        client_of(lambda _request: Response(404)).sessions.delete("ses-1")


@pytest.mark.parametrize("kind", ["sync"], indirect=True)  # asyncio interrupts at awaits alone
@pytest.mark.parametrize("body", ["good", "failing"])
@pytest.mark.parametrize("error", ["interrupt", "ordinary"])
def test_an_interruption_at_any_instruction_leaves_no_session(body, error):
    """Before, in and behind the body, and while a failed body's session is stopped."""
    outcome = outcome_of("interrupted_sessions.py", body, error)
    assert outcome["instructions"] > 300
    assert outcome["left"] == []
    assert outcome["swallowed"] == []
