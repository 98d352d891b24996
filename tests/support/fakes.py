"""Fakes for every test: a clock set by hand, a Lambda context, a transport that plays a script, and a session."""

from __future__ import annotations

import pickle

from archal_lambda import Response
from archal_lambda.transports.mock import MockTransport


class Clock:
    """A clock that moves only when a test moves it; sleeping on it takes no time."""

    def __init__(self, now=1000.0):
        self.now = now
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Context:
    """A Lambda context whose remaining time runs down with a clock."""

    function_name = "create-repo"
    function_version = "$LATEST"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:create-repo"
    aws_request_id = "6f747e00-6f0b-4f2c-8d0c-1f6f1f1a2b3c"
    log_group_name = "/aws/lambda/create-repo"
    log_stream_name = "2026/01/01/[$LATEST]0123456789abcdef"
    identity = None
    client_context = None

    def __init__(self, clock, seconds=30.0):
        self._clock = clock
        self._end = clock() + seconds

    def get_remaining_time_in_millis(self):
        return max(0, round((self._end - self._clock()) * 1000))


def repickled(value):
    """Send a value through pickle."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes


def script(*outcomes):
    """Make a transport that answers with one outcome after the other.

    An outcome is a response, an exception to raise, a function of the request, or a status.
    """
    left = iter(outcomes)

    def handler(request):
        outcome = next(left, None)
        assert outcome is not None, f"{request!r} is one more than the script has"
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, int):
            return Response(outcome)
        return outcome(request) if callable(outcome) else outcome

    return MockTransport(handler)


def session(status="running", **fields):
    """Make the control plane's response that describes a session."""
    body = {
        "sessionId": "ses-1",
        "status": status,
        "cloneIds": ["github"],
        "endpoints": {"github": "https://ses-1.test/github"},
        "apiBaseUrls": {"github": "https://ses-1.test/github/api"},
        "createdAt": "2026-01-02T03:04:05Z",
        "expiresAt": "2026-01-02T03:34:05Z",
    }
    return Response(201, json=body | fields)
