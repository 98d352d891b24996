"""What a stop of a session that fails says, and that no interruption leaves a session behind."""

from __future__ import annotations

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.blocking import as_async
from support.fakes import Clock, repickled, session
from support.faults.server import FaultServer, answer, hold, in_turn, read, send

from archal_lambda import ArchalClient, AsyncArchalClient, Response, Settings, errors
from archal_lambda.transports.mock import MockTransport


@pytest.fixture(autouse=True, params=["sync", "async"])
def kind(request):
    """Each test runs on the synchronous client, and on the asynchronous one behind the same face."""
    with as_async(request, ArchalClient=AsyncArchalClient):
        yield request.param


class Archal:
    """A control plane that knows which sessions run."""

    def __init__(self):
        self.running = set()
        self.requests = []

    def __call__(self, request):
        self.requests.append(request.method)
        if request.method == "POST":
            self.running.add(request.headers["idempotency-key"])
            return session(sessionId=request.headers["idempotency-key"])
        session_id = request.path.rpartition("/")[2]
        if session_id not in self.running:
            return Response(404)
        if request.method == "DELETE":
            self.running.remove(session_id)
            return Response(204)
        return session(sessionId=session_id)


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


class Interrupt(BaseException):
    """As KeyboardInterrupt, but nobody else's."""


class OrdinaryError(Exception):
    """Raised by a signal handler that does not care, such as one that calls `pytest.exit()`."""


class Interruption:
    """Raises once, at a given one of the instructions that certain files run, and counts them."""

    def __init__(self, number, files, kind=Interrupt):
        self.steps = 0
        self._kind = kind
        self._number = number
        self._files = files

    def __enter__(self):
        sys.settrace(self._entered)

    def __exit__(self, *_):
        sys.settrace(None)

    def _entered(self, frame, _event, _argument):
        if not frame.f_code.co_filename.endswith(self._files):
            return None
        # Not at the call itself: a generator that is thrown into would end without having seen either error.
        frame.f_trace_opcodes = True
        return self._stepped

    def _stepped(self, _frame, event, _argument):
        if event == "opcode":
            self.steps += 1
            if self.steps == self._number:
                raise self._kind
        return self._stepped


def opened(archal, interruption, body):
    try:
        with interruption, client_of(archal).sessions.open(clones=["a"]):
            body()
    except (Interrupt, Exception) as error:  # noqa: BLE001 - whatever it is told
        return type(error)
    return None


@pytest.mark.parametrize("kind", ["sync"], indirect=True)  # asyncio interrupts at awaits alone
@pytest.mark.parametrize("body", [lambda: None, lambda: 1 / 0], ids=["good", "failing"])
@pytest.mark.parametrize("error", [Interrupt, OrdinaryError])
@pytest.mark.skipif(sys.gettrace() is not None, reason="somebody else is tracing")
def test_an_interruption_at_any_instruction_leaves_no_session(body, error):
    """Before, in and behind the body, and while a failed body's session is stopped."""
    # On a thread of its own: an interpreter interrupted between any two instructions may forget that a thread is done
    # with an error, and shows it behind all later ones.
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(left_behind, body, error).result() == []


def left_behind(body, error):
    """At which instructions an interruption leaves a session, or is not obeyed."""
    files = ("clients/control.py", "core/control_plane.py", "contextlib.py")
    whole = Interruption(0, files)
    opened(Archal(), whole, body)
    assert whole.steps > 300
    wrong = []
    for number in range(1, whole.steps + 1):
        archal = Archal()
        outcome = opened(archal, Interruption(number, files, error), body)
        # An ordinary error may become a note, as any that comes while a session is stopped.
        if archal.running or (error is Interrupt and outcome is not Interrupt):
            wrong.append(number)
    return wrong
