"""What a call ends with: where it was raised, what stands behind it, and who sees it."""

from __future__ import annotations

import copy
import decimal
import pickle
import traceback

import pytest
from support.fakes import script, session

from archal_lambda import (
    ArchalClient,
    Clones,
    Headers,
    Request,
    Response,
    Settings,
    Timeout,
    errors,
)

SETTINGS = Settings(clone_urls={"github": "https://clone.test/api"}, token="t")


class Failing:
    """A transport of the caller's own, which raises."""

    def __init__(self, fail):
        self.send = lambda *_args: fail()

    def close(self):
        pass


def failure_of(fail):
    github = Clones(SETTINGS, transport=Failing(fail))["github"]
    with pytest.raises(errors.TransportError) as caught:
        github.post("/user/repos", json={})
    return caught.value


def test_a_transport_error_says_where_it_was_raised():
    """It is told of the whole call, and still comes from the transport."""

    def deep_in_the_transport():
        raise errors.ConnectError("refused")

    error = failure_of(deep_in_the_transport)
    names = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
    assert names.count("deep_in_the_transport") == 1
    assert names.index("post") < names.index("deep_in_the_transport")


def test_what_a_transport_error_was_raised_from_stays_behind_it():
    def chained():
        raise errors.ConnectionLost("gone", sent=True) from OSError("reset")

    def handled():
        try:
            {}["no such host"]
        except LookupError:
            raise errors.ConnectError("none")  # noqa: B904 - what stands behind it is the point

    assert isinstance(failure_of(chained).__cause__, OSError)
    assert isinstance(failure_of(handled).__context__, LookupError)


class Mine(errors.ConnectError):
    """An error of a caller's own transport."""

    __slots__ = ("extra",)

    def __new__(cls, reason, host):
        return super().__new__(cls, reason)

    def __init__(self, reason, host):
        super().__init__(reason)
        self.host = host
        self.extra = "slot"


def test_an_error_of_the_callers_own_class_comes_through():
    """With all that it has, however it is made."""

    def fail():
        error = Mine("refused", "h")
        error.add_note("a note")
        raise error

    error = failure_of(fail)
    assert (type(error), error.host, error.extra) == (Mine, "h", "slot")
    assert (error.attempts, error.sent, error.__notes__) == (2, False, ["a note"])
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - our own bytes
        assert (type(twin), twin.host, twin.extra, twin.attempts) == (Mine, "h", "slot", 2)


def test_what_sleeping_raises_ends_the_wait():
    """It is no outcome of a step that the wait goes on from."""

    def sleep(_seconds):
        raise errors.RequestTimeout("enough", phase="backoff")

    transport = script(*[session("starting")] * 3)
    client = ArchalClient(SETTINGS, transport=transport, sleep=sleep)
    with pytest.raises(errors.RequestTimeout, match="enough"):
        client.sessions.wait_until_running("ses-1")
    assert len(transport.requests) == 1


def test_a_creation_that_the_route_refused_has_sent_nothing():
    """So nothing is looked for that it may have made."""
    refused = Response(401, json={"error": "unauthorized", "message": "expired"})
    tokens = iter(["old", "new"])
    down = errors.ConnectError("refused")
    transport = script(refused, down, down, down)
    client = ArchalClient(SETTINGS, transport=transport, sleep=lambda _seconds: None)
    driver = client.sessions._driver
    driver.authorize = lambda *_args: Headers({"Authorization": f"Bearer {next(tokens)}"})
    with pytest.raises(errors.ConnectError) as caught, client.sessions.open(clones=["github"]):
        pytest.fail("there is no session")
    assert (caught.value.sent, caught.value.attempts) == (False, 4)
    assert [request.method for request in transport.requests] == ["POST"] * 4


def test_each_use_of_a_decorator_makes_a_session_of_its_own():
    """The key by which retries are known for the same is drawn when the session is opened."""
    outcomes = [session(), session(), Response(204)]
    transport = script(*outcomes, *outcomes)
    client = ArchalClient(SETTINGS, transport=transport)

    @client.sessions.open(clones=["github"])
    def job():
        return "done"

    assert [job(), job()] == ["done", "done"]
    keys = [one.headers["idempotency-key"] for one in transport.requests if one.method == "POST"]
    assert len(set(keys)) == 2


@pytest.mark.parametrize("limit", [decimal.Decimal(3), 3 + 0j, "3", True])
def test_a_limit_that_is_not_a_number_of_seconds_is_refused(limit):
    """Even one that equals the default."""
    with pytest.raises(ValueError, match="timeout connect must be a number of seconds"):
        Timeout(5.0, connect=limit)


def test_a_field_that_is_missing_costs_no_exception():
    """A traceback would be looked through for each."""
    headers = Headers({"A": "b"})
    assert (headers.get("a"), headers.get("x"), headers.get("x", "y")) == ("b", None, "y")
    with pytest.raises(KeyError):
        headers["x"]


def test_a_refused_trace_header_is_not_shown():
    with pytest.raises(ValueError, match="header a:") as caught:
        Request("GET", "/").completed({"a": "not-shown" + "\n"})
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert "not-shown" not in repr([frame.locals for frame in list(shown.stack)[1:]])
