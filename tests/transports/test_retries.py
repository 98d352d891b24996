"""When a call is tried again: the rules of the flow, carried out by the driver on a scripted transport."""

from __future__ import annotations

import copy
import time

import pytest

from archal_lambda import Deadline, Request, Response, RetryPolicy, Timeout
from archal_lambda.core import flow
from archal_lambda.core.control_plane import control_options
from archal_lambda.core.flow import Authorize, ClientOptions, Send, Sleep
from archal_lambda.core.headers import Headers
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import (
    ConnectError,
    ConnectionLost,
    RequestTimeout,
    ResponseTooLarge,
    TransportError,
)
from archal_lambda.transports.base import Driver, jitter
from archal_lambda.transports.mock import MockTransport

BUDGET = 10.0
KEYED = {"Idempotency-Key": "k"}
BASE = BaseUrl("https://clone.test/svc/api")
ROUTE = Headers({"x-route-authorization": "Bearer old"})


def clone_options(*policy, **more):
    return ClientOptions(timeout=Timeout(BUDGET), retry=RetryPolicy(*policy), **more)


CLONE, CONTROL = clone_options(), control_options(Timeout(BUDGET))


class Script:
    """A transport that plays outcomes in order, and the clock and the sleep that go with it.

    Args:
        outcomes: Words: a status with an optional `/Retry-After`, or the name of an error of `ERRORS`; each
            with an optional `+seconds` that it takes.
    """

    def __init__(self, outcomes):
        self.now = 100.0
        self.sleeps = []
        self.outcomes = outcomes.split()
        self.sent = 0

    def send(self, request, deadline, timeout):
        word, _, seconds = self.outcomes[self.sent].partition("+")
        self.sent += 1
        self.now += float(seconds or 0)
        if word in ERRORS:
            raise copy.copy(ERRORS[word])
        status, _, retry_after = word.partition("/")
        headers = {"Retry-After": retry_after} if retry_after else {}
        return Response(int(status), headers=headers, request=request)

    def sleep(self, seconds):
        self.sleeps.append(seconds)
        self.now += seconds


ERRORS = {
    "refused": ConnectError("refused"),
    "lost": ConnectionLost("lost", sent=True),
    "lost-unsent": ConnectionLost("lost", sent=False),
    "silent": RequestTimeout("silent", phase="headers", sent=True),
    "no-connect": RequestTimeout("silent", phase="connect", sent=False),
    "large": ResponseTooLarge(limit=1, sent=True),
}


def run(script, request, options, *, jitter=1.0):
    deadline = Deadline(100.0 + BUDGET, clock=lambda: script.now)
    steps = flow.exchange(request, BASE, options.capped(deadline), jitter=lambda: jitter)
    return Driver(script, lambda _deadline, _refused: ROUTE, script.sleep).run(steps)


def call(
    transport, request, options, *, sleep=time.sleep, authorize=lambda _deadline, _refused: ROUTE
):
    return Driver(transport, authorize, sleep).run(
        flow.exchange(request, BASE, options, jitter=jitter)
    )


TABLE = [
    # method, key?, options, outcomes, result, attempts, sleeps
    ("GET", {}, CLONE, "200", 200, 1, []),
    ("GET", {}, CLONE, "503/1", 503, 1, []),
    ("GET", {}, CLONE, "429", 429, 1, []),
    ("GET", {}, CLONE, "lost 200", 200, 2, []),
    ("GET", {}, CLONE, "lost lost", ConnectionLost, 2, []),
    ("GET", {}, CLONE, "silent 200", 200, 2, []),
    ("GET", {}, CLONE, "large", ResponseTooLarge, 1, []),
    ("HEAD", {}, CLONE, "lost 200", 200, 2, []),
    ("PUT", {}, CLONE, "lost 200", 200, 2, []),
    ("DELETE", {}, CLONE, "lost 204", 204, 2, []),
    ("OPTIONS", {}, CLONE, "lost 204", 204, 2, []),
    ("POST", {}, CLONE, "lost", ConnectionLost, 1, []),
    ("PATCH", {}, CLONE, "lost", ConnectionLost, 1, []),
    ("POST", {}, CLONE, "silent", RequestTimeout, 1, []),
    ("POST", KEYED, CLONE, "lost 201", 201, 2, []),
    ("POST", {}, CLONE, "refused 201", 201, 2, []),
    ("POST", {}, CLONE, "no-connect 201", 201, 2, []),
    ("POST", {}, CLONE, "lost-unsent 201", 201, 2, []),
    ("POST", {}, CLONE, "refused refused", ConnectError, 2, []),
    ("POST", {}, CLONE, "refused lost", ConnectionLost, 2, []),
    ("GET", {}, CLONE, "lost+10", ConnectionLost, 1, []),
    ("GET", {}, CLONE, "lost+11", ConnectionLost, 1, []),
    ("GET", {}, CLONE, "lost+9.9 200", 200, 2, []),
    ("GET", {}, clone_options(1), "lost", ConnectionLost, 1, []),
    ("GET", {}, clone_options(5), "lost lost lost lost 200", 200, 5, []),
    ("GET", {}, clone_options(5, 1.0), "lost lost lost 200", 200, 4, [1.0, 2.0, 4.0]),
    ("GET", {}, clone_options(5, 1.0, 1.5), "lost lost lost 200", 200, 4, [1.0, 1.5, 1.5]),
    ("GET", {}, clone_options(5, 4.0), "lost lost", ConnectionLost, 2, [4.0]),
    ("GET", {}, CONTROL, "503 503 200", 200, 3, [0.5, 1.0]),
    ("GET", {}, CONTROL, "429 502 504", 504, 3, [0.5, 1.0]),
    ("GET", {}, CONTROL, "500", 500, 1, []),
    ("GET", {}, CONTROL, "404", 404, 1, []),
    ("GET", {}, CONTROL, "302", 302, 1, []),
    ("GET", {}, CONTROL, "lost 503 200", 200, 3, [0.5, 1.0]),
    ("DELETE", {}, CONTROL, "lost 404", 404, 2, [0.5]),
    ("DELETE", {}, CONTROL, "502 502 502", 502, 3, [0.5, 1.0]),
    ("POST", {}, CONTROL, "503", 503, 1, []),
    ("POST", KEYED, CONTROL, "503 lost 201", 201, 3, [0.5, 1.0]),
    ("POST", KEYED, CONTROL, "refused 429 201", 201, 3, [0.5, 1.0]),
    ("GET", {}, CONTROL, "503/3 200", 200, 2, [3.0]),
    ("GET", {}, CONTROL, "429/0 200", 200, 2, []),
    ("GET", {}, CONTROL, "503/9 200", 200, 2, [9.0]),
    ("GET", {}, CONTROL, "503/10", 503, 1, []),
    ("GET", {}, CONTROL, "503/3600", 503, 1, []),
    ("GET", {}, CONTROL, "503/6 503/6", 503, 2, [6.0]),
    ("GET", {}, CONTROL, "503/3+7.5", 503, 1, []),
    ("GET", {}, CONTROL, "503/soon 200", 200, 2, [0.5]),
    ("GET", {}, CONTROL, "503/-1 200", 200, 2, [0.5]),
]


@pytest.mark.parametrize(
    ("method", "headers", "options", "outcomes", "result", "attempts", "sleeps"),
    TABLE,
    ids=[
        f"{row[0]}{'-keyed' * bool(row[1])}-{row[3]}-{number}" for number, row in enumerate(TABLE)
    ],
)
def test_attempts_waits_and_outcomes_follow_the_table(  # noqa: PLR0917 - a column each
    method, headers, options, outcomes, result, attempts, sleeps
):
    script = Script(outcomes)
    request = Request(method, "/x", headers=headers)
    if isinstance(result, int):
        response = run(script, request, options)
        assert (response.status_code, response.attempts) == (result, attempts)
        assert response.elapsed == pytest.approx(script.now - 100.0)
    else:
        with pytest.raises(TransportError) as caught:
            run(script, request, options)
        assert (caught.type, caught.value.attempts) == (result, attempts)
        assert caught.value.elapsed == pytest.approx(script.now - 100.0)
    assert script.sleeps == sleeps
    assert script.sent == attempts == len(script.outcomes)


@pytest.mark.parametrize(
    ("outcomes", "sent"),
    [
        ("refused refused", False),
        ("lost refused", True),
        ("refused lost", True),
        ("no-connect refused", False),
        ("silent no-connect", True),
    ],
)
def test_sent_is_true_if_any_attempt_may_have_arrived(outcomes, sent):
    with pytest.raises(TransportError) as caught:
        run(Script(outcomes), Request("GET", "/x"), CLONE)
    assert caught.value.sent is sent


def test_a_response_followed_by_an_error_counts_as_sent():
    """A 503 shows that the request arrived, even if the retry could not connect."""
    with pytest.raises(ConnectError) as caught:
        run(Script("503 refused refused"), Request("GET", "/x"), CONTROL)
    assert caught.value.sent


@pytest.mark.parametrize(
    ("jitter", "sleeps"), [(0.0, [0.25, 0.5]), (0.5, [0.375, 0.75]), (1.0, [0.5, 1.0])]
)
def test_waits_are_spread_out(jitter, sleeps):
    """A wait is between half and all of the back-off."""
    script = Script("503 503 200")
    run(script, Request("GET", "/x"), CONTROL, jitter=jitter)
    assert script.sleeps == sleeps


def test_retry_after_is_not_spread_out():
    script = Script("503/2 200")
    run(script, Request("GET", "/x"), CONTROL, jitter=0.0)
    assert script.sleeps == [2.0]


def test_a_deadline_that_has_passed_sends_nothing():
    script = Script("200")
    script.now = 100.0 + BUDGET
    with pytest.raises(RequestTimeout) as caught:
        run(script, Request("GET", "/x"), CLONE)
    assert (caught.value.attempts, caught.value.sent, script.sent) == (0, False, 0)


def test_the_steps_carry_what_was_given():
    """A driver gets the request, the deadline and the limits of each attempt."""
    request, deadline, timeout = Request("GET", "/x"), Deadline.after(9), Timeout(9, read=1)
    options = ClientOptions(timeout=timeout, retry=RetryPolicy(backoff=1.0), deadline=deadline)
    steps = flow.exchange(request, BASE, options, jitter=lambda: 1.0)
    asked = next(steps)
    assert isinstance(asked, Authorize)
    assert (asked.deadline, asked.refused) == (deadline, None)
    first = steps.send(ROUTE)
    assert isinstance(first, Send)
    assert (first.request.url, first.deadline, first.timeout) == (f"{BASE}/x", deadline, timeout)
    assert first.request.headers["x-route-authorization"] == "Bearer old"
    second = steps.send(ConnectionLost("lost", sent=True))
    assert isinstance(second, Sleep)
    assert second.seconds == 1.0
    assert isinstance(steps.send(None), Send)
    with pytest.raises(TypeError, match="must answer Send"):
        steps.send(None)


def test_a_call_sleeps_and_spreads_by_itself():
    """It makes the deadline from the timeout and adds jitter to the waits."""
    sleeps = []
    response = call(Script("503 200"), Request("GET", "/x"), CONTROL, sleep=sleeps.append)
    assert response.attempts == 2
    assert len(sleeps) == 1
    assert 0.25 <= sleeps[0] <= 0.5


@pytest.mark.parametrize(
    ("own", "deadline", "expected"),
    [
        ({}, None, 5.0),
        ({"timeout": 2.0}, None, 2.0),
        ({"timeout": 9.0}, 3.0, 3.0),
        ({"timeout": 2.0}, 3.0, 2.0),
    ],
)
def test_the_earliest_limit_counts(own, deadline, expected):
    """A request's timeout replaces the client's, and a deadline caps both."""
    seen = []

    class Watching(MockTransport):
        def send(self, request, deadline, timeout):
            seen.append(deadline.remaining())
            return super().send(request, deadline, timeout)

    options = ClientOptions(
        timeout=Timeout(5.0),
        retry=RetryPolicy(),
        deadline=None if deadline is None else Deadline.after(deadline),
    )
    call(Watching(lambda _: Response(200)), Request("GET", "/x", **own), options)
    assert seen == [pytest.approx(expected, abs=0.5)]


def test_other_errors_of_a_transport_pass_through():
    """An error that is not a TransportError ends the exchange at once."""

    def fails(_request):
        raise LookupError("a bug")

    mock = MockTransport(fails)
    with pytest.raises(LookupError):
        call(mock, Request("GET", "/x"), CLONE)
    assert len(mock.requests) == 1


def renewable(*, newer):
    """Make what authorizes, with newer headers behind the refused ones, or not."""

    def authorize(_deadline, refused):
        if refused is None or not newer:
            return ROUTE
        assert refused.pairs == ROUTE.pairs
        return Headers({"x-route-authorization": "Bearer new"})

    return authorize


ROUTE_REFUSAL = {"error": "unauthorized", "message": "the route token has expired"}
CLONE_REFUSAL = {"message": "Bad credentials", "documentation_url": "https://docs.test"}


@pytest.mark.parametrize(
    ("status", "body", "newer", "tokens"),
    [
        (401, ROUTE_REFUSAL, True, ["Bearer old", "Bearer new"]),
        (401, ROUTE_REFUSAL, False, ["Bearer old"]),
        (401, CLONE_REFUSAL, True, ["Bearer old"]),
        (403, ROUTE_REFUSAL, True, ["Bearer old"]),
        (200, ROUTE_REFUSAL, True, ["Bearer old"]),
    ],
)
def test_a_refused_route_is_tried_once_with_newer_credentials(status, body, newer, tokens):
    """Only a 401 of the route itself, and only newer credentials, cause a second request. POST is included."""
    mock = MockTransport(lambda _: Response(status, json=body))
    response = call(mock, Request("POST", "/x"), CLONE, authorize=renewable(newer=newer))
    assert response.status_code == status
    assert [request.headers["x-route-authorization"] for request in mock.requests] == tokens


@pytest.mark.parametrize(
    ("outcomes", "maybe_processed"),
    [
        ([200], False),
        ([503, 200], True),
        ([429, 200], False),
        ([ConnectionLost("gone", sent=True), 400], True),
        ([ConnectError("none", sent=False), 400], False),
        ([503, 401, 400], True),
        ([401, 503, 400], True),
        ([401, 400], False),
    ],
)
def test_a_response_says_what_came_before_it(outcomes, maybe_processed):
    """An earlier attempt may have done the work if it was lost or the server failed, but not if it was refused."""
    left = iter(outcomes)

    def answer(_request):
        outcome = next(left)
        if isinstance(outcome, Exception):
            raise outcome
        return Response(outcome)

    response = call(
        MockTransport(answer),
        Request("POST", "/x", headers=KEYED),
        CONTROL,
        sleep=lambda _: None,
        authorize=renewable(newer=True),
    )
    assert (response.status_code, response.attempts) == (outcomes[-1], len(outcomes))
    assert response.maybe_processed is maybe_processed
