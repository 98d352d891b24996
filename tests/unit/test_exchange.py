"""The life of one call, stepped by hand: every moment the generator reads is in a list."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archal_lambda import Deadline, Request, Response, RetryPolicy, Timeout, errors
from archal_lambda.core.exchange import Plan, Send, Sleep, exchange

ONCE, TWICE = Plan(RetryPolicy(attempts=1)), Plan(RetryPolicy())
CONTROL = Plan(RetryPolicy(attempts=3, backoff=0.5), frozenset({429, 503}))
LIMITS = Timeout(15.0)
GET, POST = Request("GET", "/a?q=1"), Request("POST", "/a")
KEYED = Request("POST", "/a", headers={"Idempotency-Key": "k"})


def lost(*, sent=True):
    return errors.ConnectionLost("gone", sent=sent)


def busy(after=None, status=503):
    return Response(status, headers={} if after is None else {"Retry-After": after})


def play(request, plan, outcomes, *, times=None, until=100.0, jitter=1.0):
    """Step through an exchange.

    Args:
        request: The request.
        plan: The plan.
        outcomes: What comes of each Send, in order.
        times: Every reading of the clock, the last one repeated.
        until: The deadline.
        jitter: What the source of jitter returns.

    Returns:
        The steps, as "send" and seconds to sleep, and the response or error.
    """
    left = list(times or [0.0])
    deadline = Deadline(until, clock=lambda: left.pop(0) if len(left) > 1 else left[0])
    steps = exchange(request, deadline=deadline, timeout=LIMITS, plan=plan, jitter=lambda: jitter)
    seen, answers, outcome = [], iter(outcomes), None
    try:
        while True:
            step = steps.send(outcome)
            if isinstance(step, Send):
                assert (step.request, step.deadline, step.timeout) == (request, deadline, LIMITS)
                seen.append("send")
                outcome = next(answers)
            else:
                assert isinstance(step, Sleep)
                seen.append(step.seconds)
                outcome = None
    except StopIteration as stop:
        result = stop.value
    except errors.TransportError as error:
        result = error
    assert next(answers, None) is None, "an outcome was not asked for"
    return seen, result


@pytest.mark.parametrize(
    ("request_", "plan", "outcomes", "steps", "last"),
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
def test_the_exchange_decides_when_to_send_wait_and_give_up(request_, plan, outcomes, steps, last):
    """The result knows how often the request was sent."""
    seen, result = play(request_, plan, outcomes)
    assert seen == steps
    assert (result.status_code if isinstance(result, Response) else type(result)) == last
    assert result.attempts == steps.count("send")


@pytest.mark.parametrize(
    ("times", "until", "outcomes", "steps"),
    [
        # started, expired?, then one reading after each outcome, and one at the end
        ([0, 0, 9.6, 9.6], 10, [busy()], ["send"]),
        ([0, 0, 9.5, 9.5], 10, [busy()], ["send"]),
        ([0, 0, 9.4, 9.9, 9.9], 10, [busy(), busy()], ["send", 0.5, "send"]),
        ([0, 0, 10, 10], 10, [busy("0")], ["send"]),
        ([0, 0, 3, 3], 10, [busy("7")], ["send"]),
        ([0, 0, 12, 12], 10, [lost()], ["send"]),
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
    assert (error.sent, error.attempts, error.phase, error.url) == (False, 0, "connect", "/a")


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
        _, result = play(GET, TWICE, [lost(), last], times=[5.0, 5.0, 6.0, 8.5])
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
    plan = Plan(RetryPolicy(attempts=2000, backoff=1.0, max_backoff=3.0))
    seen, _ = play(GET, plan, [lost() for _ in range(2000)], until=math.inf)
    assert [step for step in seen if step != "send"] == [1.0, 2.0] + [3.0] * 1997
    seen, _ = play(GET, Plan(RetryPolicy(attempts=2000)), [lost() for _ in range(2000)])
    assert seen == ["send"] * 2000


def test_a_driver_that_answers_a_send_with_nothing_is_refused():
    steps = exchange(
        GET, deadline=Deadline(9, clock=lambda: 0.0), timeout=LIMITS, plan=TWICE, jitter=float
    )
    next(steps)
    with pytest.raises(TypeError, match="a driver must answer Send"):
        next(steps)


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
    plan = Plan(policy, frozenset({503}))
    steps = exchange(request_, deadline=deadline, timeout=LIMITS, plan=plan, jitter=lambda: jitter)
    sent, count, outcome = 0, 0, None
    try:
        while True:
            step = steps.send(outcome)
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
