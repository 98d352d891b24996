"""One stand-in for all tests of this folder; each test opens sessions of its own."""

from __future__ import annotations

import json

import openapi
import pytest
from standin import Control, route

from archal_lambda.local import LocalArchal


async def echo(scope, receive, send):
    """Answer with the request as the clone sees it; the query string may ask for more."""
    message = await receive()
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[key.decode(), value.decode("latin-1")] for key, value in scope["headers"]],
        "body": message["body"].decode("latin-1"),
    }
    extra = [
        pair.encode("latin-1").split(b": ", 1)
        for key, value in seen["headers"]
        if key == "x-answer"
        for pair in [value]
    ]
    headers = [(b"content-type", b"application/json"), *(tuple(pair) for pair in extra)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


class Clock:
    """A clock that is set by hand."""

    def __init__(self):
        self.now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture(scope="session")
def archal():
    with LocalArchal(extra_clones={"echo": lambda _base: echo}) as running:
        yield running


@pytest.fixture(scope="session")
def delayed():
    clock = Clock()
    with LocalArchal(startup_delay=30.0, clock=clock) as running:
        yield running, clock


@pytest.fixture
def control(archal):
    return Control(archal.api_url, archal.token)


@pytest.fixture
def github(archal):
    return route(archal)


@pytest.fixture
def echoing(archal):
    return route(archal, "echo")


@pytest.fixture(scope="session")
def contract():
    return openapi.Contract(openapi.description())
