"""The life of one call, stepped by hand: every moment the generator reads is in a list."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import Deadline, Request, Response, RetryPolicy, Timeout, errors
from archal_lambda.core.flow import Authorize, ClientOptions, Send, Sleep, exchange
from archal_lambda.core.headers import Headers
from archal_lambda.core.url import BaseUrl

LIMITS = Timeout(1e9)  # the deadline is what counts here
BASE = BaseUrl("https://clone.test/github/api")
ROUTE = Headers({"x-route-authorization": "Bearer r"})


def options(retry=None, statuses=(), **more):
    return ClientOptions(
        timeout=LIMITS, retry=retry or RetryPolicy(), retry_statuses=frozenset(statuses), **more
    )


ONCE, TWICE = options(RetryPolicy(attempts=1)), options()
CONTROL = options(RetryPolicy(attempts=3, backoff=0.5), {429, 503}, direct=True)
GET, POST = Request("GET", "/a?q=1"), Request("POST", "/a")
KEYED = Request("POST", "/a", headers={"Idempotency-Key": "k"})


def lost(*, sent=True):
    return errors.ConnectionLost("gone", sent=sent)


def refused():
    return errors.ProtocolError("malformed", sent=True)


def busy(after=None, status=503):
    return Response(status, headers={} if after is None else {"Retry-After": after})


def play(request, options_, outcomes, *, times=None, until=100.0, jitter=1.0, authorized=None):
    """Step through a call.

    Args:
        request: The request.
        options_: The client's options.
        outcomes: What comes of each Send, in order.
        times: Every reading of the clock, the last one repeated.
        until: The deadline.
        jitter: What the source of jitter returns.
        authorized: What comes of each Authorize, in order; None gives the route's headers whenever asked.

    Returns:
        The steps, as "send", seconds to sleep, and "renew" for the headers asked for again, and the response or error.
    """
    left = list(times or [0.0])
    deadline = Deadline(until, clock=lambda: left.pop(0) if len(left) > 1 else left[0])
    steps = exchange(request, BASE, options_.capped(deadline), jitter=lambda: jitter)
    seen, responses, headers, outcome = [], iter(outcomes), iter(authorized or [ROUTE] * 2), None
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Send):
                assert (step.request.path, step.timeout) == (request.path, LIMITS)
                seen.append("send")
                outcome = next(responses)
            elif isinstance(step, Authorize):
                seen += ["renew"] if step.refused is not None else []
                outcome = next(headers)
            else:
                assert isinstance(step, Sleep)
                seen.append(step.seconds)
                outcome = None
    except StopIteration as stop:
        result = stop.value
    except errors.TransportError as error:
        result = error
    assert next(responses, None) is None, "an outcome was not asked for"
    return seen, result


@pytest.mark.parametrize(
    ("request_", "options_", "outcomes", "steps", "last"),
    [
        # A status of a clone is data, whatever it says.
        (GET, TWICE, [Response(200)], ["send"], 200),
        (GET, TWICE, [busy()], ["send"], 503),
        (GET, TWICE, [busy("0", 429)], ["send"], 429),
        # A transport failure: once more at most, if nothing was sent or sending twice does no harm.
        (GET, TWICE, [lost(), Response(200)], ["send", "send"], 200),
        (GET, TWICE, [lost(), lost()], ["send", "send"], errors.ConnectionLost),
        (KEYED, TWICE, [lost(), Response(201)], ["send", "send"], 201),
        (POST, TWICE, [lost()], ["send"], errors.ConnectionLost),
        (POST, TWICE, [lost(sent=False), Response(201)], ["send", "send"], 201),
        (POST, TWICE, [lost(sent=False), lost()], ["send", "send"], errors.ConnectionLost),
        (POST, TWICE, [errors.ConnectError("no"), errors.ConnectError("no")], ["send", "send"], errors.ConnectError),
        (GET, TWICE, [errors.RequestTimeout("slow", phase="headers", sent=True), Response(200)], ["send", "send"], 200),
        (GET, TWICE, [errors.ResponseTooLarge(limit=9, sent=True)], ["send"], errors.ResponseTooLarge),
        # What is refused would come again, whatever the method and however often tries are allowed.
        (GET, TWICE, [refused()], ["send"], errors.ProtocolError),
        (KEYED, TWICE, [refused()], ["send"], errors.ProtocolError),
        (GET, CONTROL, [refused()], ["send"], errors.ProtocolError),
        (GET, CONTROL, [lost(), refused()], ["send", 0.5, "send"], errors.ProtocolError),
        (GET, TWICE, [errors.CertificateError("no")], ["send"], errors.CertificateError),
        (POST, CONTROL, [errors.CertificateError("no")], ["send"], errors.CertificateError),
        (GET, ONCE, [lost(sent=False)], ["send"], errors.ConnectionLost),
        # The control plane: some statuses too, with growing waits.
        (GET, CONTROL, [busy(), busy(), busy()], ["send", 0.5, "send", 1.0, "send"], 503),
        (GET, CONTROL, [busy(), Response(200)], ["send", 0.5, "send"], 200),
        (GET, CONTROL, [lost(), busy(), Response(200)], ["send", 0.5, "send", 1.0, "send"], 200),
        (GET, CONTROL, [Response(500)], ["send"], 500),
        (GET, CONTROL, [Response(404)], ["send"], 404),
        (POST, CONTROL, [busy()], ["send"], 503),
        (KEYED, CONTROL, [busy(), Response(201)], ["send", 0.5, "send"], 201),
        # Retry-After goes before our own wait, if it fits.
        (GET, CONTROL, [busy("7"), Response(200)], ["send", 7.0, "send"], 200),
        (GET, CONTROL, [busy("0"), Response(200)], ["send", "send"], 200),
        (GET, CONTROL, [busy("100")], ["send"], 503),
        (GET, CONTROL, [busy("99"), Response(200)], ["send", 99.0, "send"], 200),
        (GET, CONTROL, [busy("9" * 400)], ["send"], 503),
        (GET, CONTROL, [busy("soon"), Response(200)], ["send", 0.5, "send"], 200),
    ],
)  # fmt: skip
def test_the_exchange_decides_when_to_send_wait_and_give_up(
    request_, options_, outcomes, steps, last
):
    """The result knows how often the request was sent."""
    seen, result = play(request_, options_, outcomes)
    assert seen == steps
    assert (result.status_code if isinstance(result, Response) else type(result)) == last
    assert result.attempts == steps.count("send")


@pytest.mark.parametrize(
    ("times", "until", "outcomes", "steps"),
    [
        # limits, started, expired?, then one reading after each outcome, and one at the end
        ([0, 0, 0, 9.6, 9.6], 10, [busy()], ["send"]),
        ([0, 0, 0, 9.5, 9.5], 10, [busy()], ["send"]),
        ([0, 0, 0, 9.4, 9.9, 9.9], 10, [busy(), busy()], ["send", 0.5, "send"]),
        ([0, 0, 0, 10, 10], 10, [busy("0")], ["send"]),
        ([0, 0, 0, 3, 3], 10, [busy("7")], ["send"]),
        ([0, 0, 0, 12, 12], 10, [lost()], ["send"]),
    ],
)
def test_a_wait_fits_the_deadline_or_is_left_out(times, until, outcomes, steps):
    """It is never shortened, because the server asked not to be tried early."""
    seen, result = play(GET, CONTROL, outcomes, times=times, until=until)
    assert seen == steps
    assert result.elapsed == times[-1]


@pytest.mark.parametrize("until", [-1.0, 0.0, math.nan])
def test_nothing_is_sent_with_no_time_left(until):
    """The error says so."""
    seen, error = play(GET, TWICE, [], until=until)
    assert seen == []
    assert isinstance(error, errors.RequestTimeout)
    assert (error.sent, error.attempts, error.phase) == (False, 0, "connect")
    assert error.url == f"{BASE}/a"


def test_what_was_sent_stays_sent():
    """The last attempt may have sent nothing, but the call has."""
    _, error = play(GET, TWICE, [lost(), errors.ConnectError("refused")])
    assert isinstance(error, errors.ConnectError)
    assert (error.sent, error.attempts) == (True, 2)
    _, error = play(GET, CONTROL, [busy(), errors.ConnectError("no"), errors.ConnectError("no")])
    assert (error.sent, error.attempts) == (True, 3)


def test_elapsed_covers_every_attempt():
    """It counts from the start of the call, on success and on failure."""
    for last in (Response(200), lost()):
        _, result = play(GET, TWICE, [lost(), last], times=[5.0, 5.0, 5.0, 6.0, 8.5])
        assert result.elapsed == 3.5


@pytest.mark.parametrize(
    ("jitter", "waits"), [(0.0, [0.25, 0.5]), (0.5, [0.375, 0.75]), (1.0, [0.5, 1.0])]
)
def test_jitter_spreads_waits(jitter, waits):
    """A wait is between half and all of the back-off."""
    seen, _ = play(GET, CONTROL, [busy(), busy(), busy()], jitter=jitter)
    assert [step for step in seen if step != "send"] == waits


def test_back_off_has_a_ceiling():
    """Many attempts do not overflow it."""
    slow = options(RetryPolicy(attempts=2000, backoff=1.0, max_backoff=3.0))
    seen, _ = play(GET, slow, [lost() for _ in range(2000)], until=math.inf)
    assert [step for step in seen if step != "send"] == [1.0, 2.0] + [3.0] * 1997
    seen, _ = play(GET, options(RetryPolicy(attempts=2000)), [lost() for _ in range(2000)])
    assert seen == ["send"] * 2000


def test_a_driver_that_answers_a_step_with_something_else_is_refused():
    steps = exchange(GET, BASE, TWICE, jitter=float)
    next(steps)
    with pytest.raises(TypeError, match="a driver must answer Authorize"):
        next(steps)
    steps = exchange(GET, BASE, TWICE, jitter=float)
    next(steps)
    steps.send(ROUTE)
    with pytest.raises(TypeError, match="a driver must answer Send"):
        next(steps)


REFUSED = Response(401, json={"error": "unauthorized", "message": "expired"})
OF_THE_CLONE = Response(401, json={"message": "Bad credentials", "documentation_url": "x"})
NEWER = Headers({"x-route-authorization": "Bearer n"})


@pytest.mark.parametrize(
    ("options_", "outcomes", "authorized", "steps", "status"),
    [
        # Refused at the route: once more with newer headers, whatever the method, and then no more.
        (TWICE, [REFUSED, Response(200)], [ROUTE, NEWER], ["send", "renew", "send"], 200),
        (TWICE, [REFUSED, REFUSED], [ROUTE, NEWER], ["send", "renew", "send"], 401),
        (TWICE, [REFUSED], [ROUTE, ROUTE], ["send", "renew"], 401),
        (TWICE, [REFUSED], [ROUTE, errors.RequestTimeout("late", phase="connect")], ["send", "renew"], 401),
        # A clone has 401s of its own; the control plane has not.
        (TWICE, [OF_THE_CLONE], [ROUTE], ["send"], 401),
        (CONTROL, [OF_THE_CLONE, Response(200)], [ROUTE, NEWER], ["send", "renew", "send"], 200),
        # Attempts are counted anew with the newer headers.
        (CONTROL, [busy(), REFUSED, busy(), busy(), Response(200)], [ROUTE, NEWER],
         ["send", 0.5, "send", "renew", "send", 0.5, "send", 1.0, "send"], 200),
    ],
)  # fmt: skip
def test_headers_that_the_route_refused_are_renewed_once(
    options_, outcomes, authorized, steps, status
):
    """The result tells of all attempts."""
    request = KEYED if options_ is CONTROL else POST
    seen, result = play(request, options_, outcomes, authorized=authorized)
    assert seen == steps
    assert (result.status_code, result.attempts) == (status, steps.count("send"))
    assert result.maybe_processed == (busy().status_code in [one.status_code for one in outcomes])


def test_headers_that_were_not_there_in_time_end_the_call():
    """Nothing was sent, and the error has the facts of the whole call."""
    late = errors.RequestTimeout("the secret was not read in time", phase="connect")
    seen, error = play(GET, TWICE, [], authorized=[late], times=[5.0, 5.0, 7.0])
    assert seen == []
    assert (type(error), error.attempts, error.elapsed) == (errors.RequestTimeout, 0, 2.0)


def test_what_a_call_ends_with_is_made_complete_and_changed_by_nobody():
    """The transport's own response and error stay as they were."""
    own, failure = Response(200), lost()
    _, response = play(GET, TWICE, [lost(), own])
    assert (response.attempts, own.attempts) == (2, 1)
    assert (response.maybe_processed, own.maybe_processed) == (True, False)
    failure.__cause__ = OSError("why")
    _, error = play(GET, ONCE, [failure], times=[0.0, 0.0, 0.0, 3.0])
    assert (error.elapsed, failure.elapsed) == (3.0, 0.0)
    assert error.__cause__ is failure.__cause__


@pytest.mark.parametrize(
    "fields",
    [
        {"attempts": 0},
        {"attempts": -1},
        {"backoff": -0.1},
        {"backoff": math.nan},
        {"backoff": 9.0},
        {"max_backoff": -1.0},
    ],
)
def test_a_bad_policy_is_refused(fields):
    """A policy has at least one attempt, and waits that make sense."""
    with pytest.raises(ValueError, match="must be"):
        RetryPolicy(**fields)


OUTCOMES = st.sampled_from(
    [
        lambda: Response(200),
        busy,
        lambda: busy("3"),
        lost,
        lambda: lost(sent=False),
        lambda: errors.ResponseTooLarge(limit=1, sent=True),
    ]
)


@given(
    st.sampled_from([GET, POST, KEYED]),
    st.builds(RetryPolicy, st.integers(1, 6), st.floats(0, 8)),
    st.lists(OUTCOMES, min_size=6, max_size=6),
    st.lists(st.floats(0, 4), min_size=6, max_size=6),
    st.floats(0, 1),
)
def test_a_call_never_outlives_its_deadline(request_, policy, outcomes, took, jitter):
    """No wait ends at or after the deadline, and a POST is never sent twice."""
    now = 0.0
    deadline = Deadline(10.0, clock=lambda: now)
    limited = options(policy, {503}).capped(deadline)
    steps = exchange(request_, BASE, limited, jitter=lambda: jitter)
    sent, count, outcome = 0, 0, None
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Authorize):
                outcome = ROUTE
                continue
            if isinstance(step, Sleep):
                now += step.seconds
                assert now < 10.0
                outcome = None
                continue
            outcome = outcomes[count]()
            now = min(10.0, now + took[count])  # a transport keeps the deadline
            count += 1
            sent += isinstance(outcome, Response) or outcome.sent
    except (StopIteration, errors.TransportError):
        pass
    assert 1 <= count <= policy.attempts
    assert request_ is not POST or sent <= 1
