"""A transport for tests, ours and yours: a function responds instead of a network.

This module owns nothing but the call of that function. It must not open a socket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.timeouts import Deadline, Timeout

__all__ = ["MockTransport"]


class MockTransport:
    """Answers requests with a function and keeps what it was sent.

    Args:
        handler: Gets the complete `Request` and returns a `Response`, or raises a `TransportError` to play a
            network that fails. Under an asynchronous client it may be a coroutine function.

    Example:
        >>> from archal_lambda import Clones, Response, Settings
        >>> from archal_lambda.transports.mock import MockTransport
        >>> settings = Settings(clone_urls={"github": "https://clone.test/github/api"}, token="t")
        >>> mock = MockTransport(lambda request: Response(201, json={"name": "x"}))
        >>> clones = Clones(settings, transport=mock)
        >>> clones["github"].post("/user/repos", json={"name": "x"}).status_code
        201
        >>> mock.requests[0].url
        'https://clone.test/github/api/user/repos'
    """

    def __init__(self, handler: Callable[[Request], Response | Awaitable[Response]]) -> None:
        self._handler = handler
        self.requests: list[Request] = []

    def send(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Hand the request to the handler.

        Args:
            request: A request with its base and all its headers.
            deadline: Unused; the handler decides how long it takes.
            timeout: Unused, as well.

        Returns:
            What the handler returns, as a response to this request.

        Raises:
            TransportError: Whatever the handler raises.
            TypeError: If the handler returns something else, or is asynchronous.
        """
        del deadline, timeout
        self.requests.append(request)
        made = self._handler(request)
        if isinstance(made, Awaitable):
            raise TypeError("an asynchronous handler is for asynchronous clients only")
        return _response_to(request, made)

    async def asend(self, request: Request, deadline: Deadline, timeout: Timeout) -> Response:
        """Hand the request to the handler; for asynchronous clients.

        Args:
            request: A request with its base and all its headers.
            deadline: Unused; the handler decides how long it takes.
            timeout: Unused, as well.

        Returns:
            What the handler returns, as a response to this request.

        Raises:
            TransportError: Whatever the handler raises.
            TypeError: If the handler returns something else.
        """
        del deadline, timeout
        self.requests.append(request)
        made = self._handler(request)
        return _response_to(request, await made if isinstance(made, Awaitable) else made)

    def close(self) -> None:
        """Do nothing; there is no connection."""

    async def aclose(self) -> None:
        """Do nothing; there is no connection."""


def _response_to(request: Request, made: object) -> Response:
    if not isinstance(made, Response):
        raise TypeError(f"the handler must return a Response, not {type(made).__name__}")
    return Response(made.status_code, headers=made.headers, content=made.content, request=request)
