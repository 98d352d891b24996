"""The transport for users' tests: a function responds, and everything else is real."""

from __future__ import annotations

import asyncio

import pytest

from archal_lambda import Clones, NotFoundError, Request, Response, Settings
from archal_lambda.errors import ConnectError, ConnectionLost
from archal_lambda.transports.mock import MockTransport


def clone_on(handler):
    mock = MockTransport(handler)
    settings = Settings(clone_urls={"svc": "https://clone.test/svc/api"}, token="t")
    return mock, Clones(settings, transport=mock)["svc"]


def test_the_handler_sees_the_complete_request():
    """Base, query and all headers are there, the route's included."""
    mock, clone = clone_on(lambda request: Response(201, json={"path": request.path}))
    response = clone.post("/a", params={"b": 1}, json={"c": 2}, token="s")
    assert response.json() == {"path": "/a"}
    (request,) = mock.requests
    assert (request.url, request.query) == ("https://clone.test/svc/api/a", "b=1")
    assert request.headers["x-route-authorization"] == "Bearer t"
    assert request.headers["authorization"] == "Bearer s"
    assert request.content == b'{"c":2}'


def test_a_response_knows_its_request():
    """Its errors name method and address, as real ones do."""
    _, clone = clone_on(lambda _: Response(404, json={"message": "Not Found", "status": "404"}))
    with pytest.raises(NotFoundError, match=r"GET https://clone\.test/svc/api/a: status 404"):
        clone.get("/a").raise_for_status()


def test_one_response_may_serve_many_calls():
    """It is copied, so that a call does not change a constant one."""
    constant = Response(200, content=b"{}")
    _, clone = clone_on(lambda _: constant)
    first, second = clone.get("/a"), clone.get("/b")
    assert first is not constant
    assert first is not second
    assert constant.elapsed == 0.0


def test_a_network_that_fails_is_retried_as_a_real_one():
    """A handler that raises stands for the network, so the retry rules apply."""
    errors = [ConnectError("refused"), ConnectionLost("lost", sent=True)]

    def fails(_request):
        raise errors.pop(0)

    mock, clone = clone_on(fails)
    with pytest.raises(ConnectionLost) as caught:
        clone.post("/a")
    assert (caught.value.attempts, caught.value.sent, len(mock.requests)) == (2, True, 2)


def test_a_closed_mock_still_responds():
    mock, clone = clone_on(lambda _: Response(204))
    mock.close()
    assert clone.delete("/a").status_code == 204


@pytest.mark.parametrize("made", [None, {}, 200])
def test_a_handler_that_returns_something_else_is_refused(made):
    mock = MockTransport(lambda _request: made)
    with pytest.raises(TypeError, match="the handler must return a Response, not"):
        mock.send(Request("GET", "/"), None, None)
    with pytest.raises(TypeError, match="the handler must return a Response, not"):
        asyncio.run(mock.asend(Request("GET", "/"), None, None))
