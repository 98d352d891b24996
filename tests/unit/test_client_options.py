"""Every option of a client reaches its own calls, and those to the clones of a session that it opens."""

from __future__ import annotations

import asyncio
import contextlib
import inspect

import pytest
from support.fakes import Clock, session

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClones,
    Clones,
    ConnectionLost,
    Deadline,
    Response,
    RetryPolicy,
    Timeout,
)
from archal_lambda.transports.mock import MockTransport

ENVIRON = {"ARCHAL_TOKEN": "t", "ARCHAL_LAMBDA_API_URL": "https://archal.test"}
OPTIONS = {"timeout", "retry", "max_response_bytes", "on_call", "trace", "transport"}
KINDS = [ArchalClient, AsyncArchalClient]


class Watching(MockTransport):
    """Notes the limits that each request is sent under."""

    def __init__(self, handler):
        super().__init__(handler)
        self.limits = []

    def send(self, request, deadline, timeout):
        self.limits.append((request.method, timeout, round(deadline.remaining())))
        return super().send(request, deadline, timeout)

    async def asend(self, request, deadline, timeout):
        self.limits.append((request.method, timeout, round(deadline.remaining())))
        return await super().asend(request, deadline, timeout)


def answer(request):
    """A session that runs at once, and a clone that has all."""
    return Response(204) if request.method == "DELETE" else session()


def use(kind, transport, *, path="/a", method="put", **options):
    """Open a session and call its clone once; give the outcome of that call."""
    client = kind.from_env(ENVIRON, transport=transport, **options)

    async def in_it():
        opened = client.sessions.open(clones=["github"])
        if kind is ArchalClient:
            opened = contextlib.nullcontext(stack.enter_context(opened))
        async with opened as hosted:
            outcome = getattr(hosted.clones["github"], method)(path)
            return (await outcome if inspect.isawaitable(outcome) else outcome), hosted

    with contextlib.ExitStack() as stack:
        return asyncio.run(in_it())


@pytest.mark.parametrize(
    ("client", "clones"), [(ArchalClient, Clones), (AsyncArchalClient, AsyncClones)]
)
def test_clients_have_the_same_options(client, clones):
    """By the same names and with the same defaults."""
    here, there = (inspect.signature(one).parameters for one in (client, clones))

    assert set(there) - {"settings"} == OPTIONS
    assert {name: here[name].default for name in OPTIONS} == {
        name: there[name].default for name in OPTIONS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_clients_timeout_counts_everywhere(kind):
    """For its own calls and for the clones of a session; a call may still give its own."""
    transport = Watching(answer)
    limits = Timeout(60.0, connect=7.0, read=9.0)
    use(kind, transport, timeout=limits)

    assert [(method, given) for method, given, _ in transport.limits] == [
        (method, limits) for method in ("POST", "GET", "PUT", "DELETE")
    ]
    assert [left for *_, left in transport.limits] == [60] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_hooks_are_told_of_everything(kind):
    """Of the client's own calls and of those to the clones, and asked for the headers of each."""
    records = []
    transport = MockTransport(answer)
    use(kind, transport, on_call=records.append, trace=lambda: {"traceparent": "00-a-b-01"})

    assert [(one.clone, one.method, one.path, one.session_id) for one in records] == [
        ("", "POST", "/api/sessions", None),
        ("", "GET", "/api/sessions/ses-1", "ses-1"),
        ("github", "PUT", "/a", "ses-1"),
        ("", "DELETE", "/api/sessions/ses-1", "ses-1"),
    ]
    sent = [request.headers.get("traceparent") for request in transport.requests]
    assert sent == ["00-a-b-01"] * 4


def losing(*, times):
    """Loses so many responses to each method before it answers."""
    left = {}

    def handler(request):
        left[request.method] = left.get(request.method, times) - 1
        if left[request.method] >= 0:
            raise ConnectionLost("gone", sent=True)
        return answer(request)

    return handler


@pytest.mark.parametrize("kind", KINDS)
def test_the_clients_retries_count_everywhere(kind):
    """And its waits are those of the client's own `sleep`."""
    clock = Clock()
    records = []

    async def asleep(seconds):
        clock.sleep(seconds)

    use(
        kind,
        MockTransport(losing(times=3)),
        retry=RetryPolicy(attempts=4, backoff=0.25),
        on_call=records.append,
        sleep=clock.sleep if kind is ArchalClient else asleep,
    )

    assert [one.attempts for one in records] == [4] * 4
    assert len(clock.slept) == 12


@pytest.mark.parametrize("kind", KINDS)
def test_without_retries_given_each_keeps_its_own(kind):
    """Three attempts for the control plane, two for a clone."""
    clock = Clock()
    records = []

    async def asleep(seconds):
        clock.sleep(seconds)

    sleep = clock.sleep if kind is ArchalClient else asleep
    with pytest.raises(ConnectionLost):
        use(kind, MockTransport(losing(times=2)), on_call=records.append, sleep=sleep)

    assert [(one.method, one.attempts, one.error) for one in records] == [
        ("POST", 3, None),
        ("GET", 3, None),
        ("PUT", 2, "ConnectionLost"),
        ("DELETE", 3, None),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_a_clones_status_is_data_in_a_session_too(kind):
    """Whatever the client's retries are."""
    records = []
    transport = MockTransport(
        lambda request: Response(503) if request.method == "PUT" else answer(request)
    )
    outcome, _ = use(kind, transport, retry=RetryPolicy(attempts=5), on_call=records.append)

    assert outcome.status_code == 503
    assert [one.attempts for one in records] == [1] * 4


@pytest.mark.parametrize("kind", KINDS)
def test_clones_of_a_session_can_be_capped(kind):
    """As all others."""
    transport = Watching(answer)
    _, hosted = use(kind, transport, timeout=60.0)
    clone = hosted.clones.with_deadline(Deadline.after(5.0))["github"]
    outcome = clone.get("/b")
    if inspect.isawaitable(outcome):

        async def wait():
            return await outcome

        asyncio.run(wait())

    assert transport.limits[-1][2] == 5


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), None, "5"])
def test_a_wrong_option_is_refused_at_once(timeout):
    """When the client is made, not when it calls."""
    for kind in KINDS:
        with pytest.raises((ValueError, TypeError)):
            kind.from_env(ENVIRON, timeout=timeout)
