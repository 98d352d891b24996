"""What the synchronous and the asynchronous clients share: calls by verb, and clones by name.

This module owns the names of the calls and the lookup of a clone. It must not know what a client returns, a response or
one to await, and must not send anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Generic, Self, TypedDict, TypeVar, Unpack

import msgspec

from archal_lambda.core.flow import ClientOptions
from archal_lambda.core.headers import HeaderInput
from archal_lambda.core.request import Request
from archal_lambda.core.secrets import Secret, guarded, inside
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.core.url import BaseUrl, ParamsInput
from archal_lambda.errors import UnknownCloneError

__all__ = ["CallOptions", "CloneCollection", "Verbs"]

C = TypeVar("C")
R = TypeVar("R")

_request = inside(Request.__new__)


class CallOptions(TypedDict, total=False):
    """The keyword arguments of a call; `Request` says what each means."""

    params: ParamsInput | None
    json: object
    form: ParamsInput | None
    content: bytes | str | None
    headers: HeaderInput | None
    token: str | Secret | None
    timeout: float | Timeout
    follow: bool


class Verbs(ABC, Generic[R]):
    """Calls by verb, on top of `send`."""

    @abstractmethod
    def send(self, request: Request) -> R:
        """Make one route-authorized call from a ready request.

        Args:
            request: A request relative to the clone's base.

        Returns:
            The response, whatever its status; awaitable from an asynchronous client.

        Raises:
            ValueError: If the request has a header that is the settings' to give; nothing is sent.
            TransportError: If no complete response came within the time.
        """

    @abstractmethod
    def _send(self, request: Request) -> R:
        """Do what `send` does; the verbs are doors themselves."""

    @guarded
    def request(self, method: str, path: str, **options: Unpack[CallOptions]) -> R:
        """Make one route-authorized call.

        Args:
            method: DELETE, GET, HEAD, OPTIONS, PATCH, POST or PUT.
            path: Path below the clone's base, such as `/user/repos`.
            **options: `params`, one of `json`, `form` and `content`, `headers`, `token`, `timeout`, `follow`; see
                `Request`.

        Returns:
            The response, whatever its status; awaitable from an asynchronous client.

        Raises:
            ValueError: If the path, a header or another argument is not allowed; nothing is sent.
            TransportError: If no complete response came within the time.
        """
        return self._send(_request(Request, method, path, **options))

    @guarded
    def get(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with GET; see `request`."""
        return self._send(_request(Request, "GET", path, **options))

    @guarded
    def head(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with HEAD; see `request`."""
        return self._send(_request(Request, "HEAD", path, **options))

    @guarded
    def post(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with POST; see `request`."""
        return self._send(_request(Request, "POST", path, **options))

    @guarded
    def put(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with PUT; see `request`."""
        return self._send(_request(Request, "PUT", path, **options))

    @guarded
    def patch(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with PATCH; see `request`."""
        return self._send(_request(Request, "PATCH", path, **options))

    @guarded
    def delete(self, path: str, **options: Unpack[CallOptions]) -> R:
        """Call with DELETE; see `request`."""
        return self._send(_request(Request, "DELETE", path, **options))


class CloneCollection(ABC, Generic[C]):
    """The clones of a session, by name."""

    def __init__(self, settings: Settings, options: ClientOptions) -> None:
        self._settings = settings
        self._options = msgspec.structs.replace(options, session_id=settings.session_id)

    @abstractmethod
    def _clone(self, name: str, base: BaseUrl) -> C: ...

    def __getitem__(self, clone: str) -> C:
        return self._clone(clone, self._settings.base_url(clone))

    def __contains__(self, clone: object) -> bool:
        try:
            self._settings.base_url(str(clone))
        except UnknownCloneError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.clone_urls)

    def __len__(self) -> int:
        return len(self._settings.clone_urls)

    def with_deadline(self, deadline: Deadline) -> Self:
        """Cap every call.

        Args:
            deadline: When all calls must be over, whatever their own timeouts say.

        Returns:
            A view of these clones that shares their connections.
        """
        view = object.__new__(type(self))
        vars(view).update(vars(self))
        view._options = self._options.capped(deadline)
        return view

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {', '.join(self) or 'of a session'}>"
