"""The HTTP verbs of a clone, the same for every kind of client.

This module owns the names of the calls. It must not know what a client returns: a response, or one to await.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar, Unpack

from archal_lambda.core.request import CallOptions, Request

__all__ = ["Verbs"]

R = TypeVar("R")


class Verbs(ABC, Generic[R]):
    """Calls by verb, on top of `send`."""

    @abstractmethod
    def send(self, request: Request) -> R:
        """Make one route-authorized call from a ready request.

        Args:
            request: A request relative to the clone's base.

        Returns:
            The answer, whatever its status; awaitable from an asynchronous client.

        Raises:
            ValueError: If the request has a header that is the settings' to give; nothing is sent.
            TransportError: If no complete answer came within the time.
        """

    def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> R:
        """Make one route-authorized call.

        Args:
            method: DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT.
            path: Path below the clone's base, such as `/user/repos`.
            **options: `params`, one of `json`, `form` and `content`, `headers`, `token`, `timeout`; see `Request`.

        Returns:
            The answer, whatever its status; awaitable from an asynchronous client.

        Raises:
            ValueError: If the path, a header or another argument is not allowed; nothing is sent.
            TransportError: If no complete answer came within the time.
        """
        request = Request(method, path, **options)
        # What is left in a frame is in every traceback that shows locals: here, the token, the body and the query.
        del path, options
        return self.send(request)

    def get(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with GET; see `request`."""
        request = Request("GET", path, **options)
        del path, options
        return self.send(request)

    def head(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with HEAD; see `request`."""
        request = Request("HEAD", path, **options)
        del path, options
        return self.send(request)

    def post(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with POST; see `request`."""
        request = Request("POST", path, **options)
        del path, options
        return self.send(request)

    def put(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with PUT; see `request`."""
        request = Request("PUT", path, **options)
        del path, options
        return self.send(request)

    def patch(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with PATCH; see `request`."""
        request = Request("PATCH", path, **options)
        del path, options
        return self.send(request)

    def delete(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with DELETE; see `request`."""
        request = Request("DELETE", path, **options)
        del path, options
        return self.send(request)
