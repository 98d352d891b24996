"""Every exception of the package.

This module owns the tree below and the wording of its messages. It imports nothing of the package, and
no error here may contain a token, a header value, a body or a query string in its message or repr.

    ArchalError                             .message
    ├── ConfigurationError (ValueError)     .variable .reason
    │   └── UnknownCloneError (LookupError) .clone .known
    ├── TransportError                      .method .url .sent .elapsed .attempts
    │   ├── ConnectError                    no connection could be made
    │   │   └── CertificateError            the peer's certificate is not accepted
    │   ├── ConnectionLost                  the peer went away before the response was complete
    │   ├── ProtocolError                   .status_code
    │   ├── RequestTimeout (TimeoutError)   .phase
    │   └── ResponseTooLarge                .limit
    ├── DecodeError (ValueError)            .path .field .method .url .status_code
    ├── McpError                            .code .detail
    ├── PageLimitError                      .limit
    ├── SessionEndedError                   .session_id .status .last_error
    ├── WebhookRejected                     .reason
    └── StatusError                         .status_code .code .detail .retry_after .response
        ├── BadRequestError                 400
        ├── AuthenticationError             401
        ├── PermissionDeniedError           403
        ├── NotFoundError                   404
        ├── UpgradeRequiredError            426
        ├── RateLimitError                  429, or 403 for a spent rate limit
        ├── ServerError                     5xx
        │   └── TeardownFailedError         a session was not stopped: it may still run
        └── RouteRejectedError              Archal refused the call before the clone saw it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, Self, TypeVar, cast

__all__ = [
    "ArchalError",
    "AuthenticationError",
    "BadRequestError",
    "CertificateError",
    "ConfigurationError",
    "ConnectError",
    "ConnectionLost",
    "DecodeError",
    "McpError",
    "NotFoundError",
    "PageLimitError",
    "PermissionDeniedError",
    "Phase",
    "ProtocolError",
    "RateLimitError",
    "RequestTimeout",
    "ResponseTooLarge",
    "RouteRejectedError",
    "ServerError",
    "SessionEndedError",
    "StatusError",
    "TeardownFailedError",
    "TransportError",
    "UnknownCloneError",
    "UpgradeRequiredError",
    "WebhookRejected",
]

Phase = Literal["resolve", "connect", "tls", "send", "headers", "body", "backoff"]

E = TypeVar("E", bound="ArchalError")
T = TypeVar("T")

_MAX_PLAIN = 40  # characters
_State = (
    dict[str, Any] | tuple[dict[str, Any] | None, ...] | None
)  # as object.__getstate__ gives it


def _rebuild(cls: type[E], args: tuple[Any, ...], state: _State) -> E:
    # Not through the class's own constructor, whose arguments are nobody's business here. OSError, the base of
    # TimeoutError, has one that drops `args`.
    make: Any = TimeoutError if TimeoutError in cls.__mro__ else Exception
    error = cast("E", make.__new__(cls))
    error.args = args
    for fields in (
        state if isinstance(state, tuple) else (state,)
    ):  # what is in the dict, and what is in slots
        for name, value in (fields or {}).items():
            setattr(error, name, value)
    return error


def _is_plain(code: str) -> bool:
    """Tell whether a code may be shown: words, no digits, no capitals, so that it is no credential."""
    letters = code.replace("_", "")
    lower = letters.isascii() and letters.isalpha() and letters.islower()
    return lower and code[0] != "_" and len(code) <= _MAX_PLAIN


class ArchalError(Exception):
    """Root of every error this package raises on purpose; `except ArchalError` is complete."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # said here for `inspect.signature`, which finds none in the base

    @property
    def message(self) -> str:
        """What `str` gives. Sentry asks for this first, and then for `detail`, which a server has written."""
        return str(self)

    def _state(self) -> _State:
        return cast("_State", object.__getstate__(self))

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only constructors break the default pickle and copy, which call cls(*args).
        return _rebuild, (type(self), self.args, self._state())


class ConfigurationError(ArchalError, ValueError):
    """A setting is missing or wrong.

    Args:
        variable: The environment variable or argument at fault.
        reason: What is wrong with it and what it should contain; never its value.
    """

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"{variable} {reason}")
        self.variable = variable
        self.reason = reason


class UnknownCloneError(ConfigurationError, LookupError):
    """The settings name no such clone.

    Args:
        clone: The name asked for.
        known: The names that would have worked, in any order.
    """

    def __init__(self, clone: str, known: Iterable[str]) -> None:
        self.clone = clone
        self.known = tuple(sorted(known))
        listed = ", ".join(self.known) or "none"
        super().__init__(
            "AGENT_CLONE_URLS", f"does not name a clone {clone!r}; known clones: {listed}"
        )


class TransportError(ArchalError):
    """No complete response came back.

    Args:
        reason: What happened, in a few words.
        method: The HTTP method.
        url: The address without user info, query and fragment.
        sent: Whether any part of the request may have reached the peer.
        elapsed: Seconds since the call began, all attempts included.
        attempts: How many times the request was tried.
        transfer: The figures of the last attempt, a `Transfer`, where the transport measured them.
    """

    def __init__(  # noqa: PLR0913 - an error states all its facts, each by name
        self,
        reason: str,
        *,
        method: str = "",
        url: str = "",
        sent: bool = False,
        elapsed: float = 0.0,
        attempts: int = 1,
        transfer: Any = None,  # noqa: ANN401 - a value of `core`, which this module must not know
    ) -> None:
        super().__init__(reason)
        self.method = method
        self.url = url
        self.sent = sent
        self.elapsed = elapsed
        self.attempts = attempts
        self.transfer = transfer

    def concluded(self, *, sent: bool, attempts: int, elapsed: float) -> Self:
        """Copy the error of one attempt as that of a whole call, with where and why it was raised."""
        new = _rebuild(type(self), self.args, self._state())
        new.sent, new.attempts, new.elapsed = sent, attempts, elapsed
        new.__cause__, new.__context__ = self.__cause__, self.__context__
        new.__suppress_context__ = self.__suppress_context__
        return new.with_traceback(self.__traceback__)

    def __str__(self) -> str:
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        sent = "request sent" if self.sent else "nothing sent"
        where = f"{self.method} {self.url}: " if self.url else ""
        return f"{where}{self.args[0]} ({sent}, {tries}, {self.elapsed:.2f} s)"


class ConnectError(TransportError):
    """No connection could be made: name, network, or TLS. Only an earlier attempt may have sent something."""


class CertificateError(ConnectError):
    """The peer's certificate is not accepted: of an unknown CA, for another host, out of date. Never tried again."""


class ConnectionLost(TransportError):  # noqa: N818 - reads as what happened, as in urllib3 and httpx
    """The connection broke, or ended before the response was complete."""


class ProtocolError(TransportError):
    """A response came, but breaks the rules of HTTP or passes a limit on its headers.

    It is never tried again, whatever the method: that is for failures of communication alone (RFC 9110, section 9.2.2).
    The limits: 256 KB of status line and headers, interim responses included; 64 KB in a line; 5,000 header fields, as
    many as curl takes; three content codings; 1,000 gzip streams.

    Args:
        reason: Which rule; nothing of what the peer sent.
        status_code: The status of the refused response; None where its status line was not understood, or the host
            does not tell.
        **facts: As in `TransportError`.
    """

    def __init__(self, reason: str, *, status_code: int | None = None, **facts: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(reason, **facts)
        self.status_code = status_code


class RequestTimeout(TransportError, TimeoutError):  # noqa: N818 - the same
    """The time budget ran out.

    Args:
        reason: What was being waited for.
        phase: Where the time ran out.
        **facts: As in `TransportError`.
    """

    def __init__(self, reason: str, *, phase: Phase, **facts: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(reason, **facts)
        self.phase: Phase = phase


class ResponseTooLarge(TransportError):  # noqa: N818 - the same
    """The response is larger than the caller allows.

    Args:
        limit: The limit in bytes, after decoding.
        **facts: As in `TransportError`.
    """

    def __init__(self, *, limit: int, **facts: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(f"the response is larger than {limit} bytes", **facts)
        self.limit = limit


class DecodeError(ArchalError, ValueError):
    """A response, or an event, does not contain what was asked of it.

    Args:
        reason: What is wrong and what was expected, without any value of the body.
        path: Where in the body, as `$.field[0]`; `$` when the whole body is at fault.
        field: The field at fault, where it is one: the last name of the path, or the one that is missing there.
        method: The HTTP method of the call; empty where no response was read.
        url: The address without query; empty like `method`.
        status_code: The status of the response; None like `method`.
    """

    def __init__(  # noqa: PLR0913 - an error states all its facts, each by name
        self,
        reason: str,
        *,
        path: str = "$",
        field: str | None = None,
        method: str = "",
        url: str = "",
        status_code: int | None = None,
    ) -> None:
        where = f"{method} {url}: ".lstrip(" :")
        status = "" if status_code is None else f"status {status_code}: "
        super().__init__(f"{where}{status}{reason} at {path}")
        self.path = path
        self.field = field
        self.method = method
        self.url = url
        self.status_code = status_code


class PageLimitError(ArchalError):
    """A list goes on behind the last page that may be fetched.

    Args:
        limit: The number of pages that were fetched.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"the list has more than {limit} pages; max_pages sets another limit")
        self.limit = limit


class SessionEndedError(ArchalError):
    """A session ended or failed while it was waited for.

    Args:
        session_id: The session.
        status: Its status, such as `failed`.
        last_error: Why, in Archal's words, where it says so.
    """

    def __init__(self, session_id: str, status: str, last_error: str | None = None) -> None:
        told = status if _is_plain(status) else "over"
        super().__init__(f"session {session_id} is {told}")
        self.session_id = session_id
        self.status = status
        self.last_error = last_error


class McpError(ArchalError):
    """A clone's MCP server refused a request, or did not answer as MCP has it.

    Args:
        reason: What is wrong; of the server's words, as much as a log may show.
        code: The code of the JSON-RPC error, or None if there was none.
        detail: The server's own message, in full.
    """

    def __init__(self, reason: str, *, code: int | None = None, detail: str | None = None) -> None:
        super().__init__(reason)
        self.code = code
        self.detail = detail


class WebhookRejected(ArchalError):  # noqa: N818 - reads as what happened
    """A webhook is not what its service has signed, or not of now.

    Args:
        reason: A short code, such as `wrong-signature`; `archal_lambda.webhooks.verify` lists them.
        message: The same in words; nothing of what was sent.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"the webhook is rejected: {message}")
        self.reason = reason


class _FailedResponse(Protocol):
    """What the error of a status shows of its response; it is a `Response`, which this module must not know."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def content(self) -> bytes: ...

    @property
    def text(self) -> str: ...

    @property
    def attempts(self) -> int: ...

    @property
    def maybe_processed(self) -> bool: ...

    @property
    def retry_after(self) -> float | None: ...

    def json(self) -> Any: ...  # noqa: ANN401 - JSON may be anything

    def decode(self, type: type[T]) -> T: ...  # noqa: A002 - as in Response

    @property
    def error_message(self) -> str: ...

    def error_field(self, name: str) -> str | None: ...


class StatusError(ArchalError):
    """The status of the response says that the call failed.

    Args:
        response: The `Response`; of its body, the message contains `Response.error_message` and a code that is a word.
        method: The HTTP method of the call.
        url: The address without query.
    """

    def __init__(self, response: _FailedResponse, *, method: str = "", url: str = "") -> None:
        self.response = response
        self.status_code = response.status_code
        self.retry_after = response.retry_after
        self.code = response.error_field("code")
        self.detail = response.error_field("detail") or response.error_field("message")
        code = f" ({self.code})" if self.code and _is_plain(self.code) else ""
        told = response.error_message
        said = f": {told}" if told else ""
        where = f"{method} {url}: ".lstrip(" :")
        super().__init__(f"{where}status {self.status_code}{code}{said}")


class BadRequestError(StatusError):
    """400: the request is malformed or failed validation."""


class AuthenticationError(StatusError):
    """401: the credential is missing, invalid or expired."""


class PermissionDeniedError(StatusError):
    """403: the caller may not do this."""


class NotFoundError(StatusError):
    """404: there is no such thing."""


class UpgradeRequiredError(StatusError):
    """426: Archal takes this client for an outdated one; trying again does not help."""


class RateLimitError(StatusError):
    """429, or 403 for a rate limit that is spent: too many requests; `.retry_after` may say for how long to wait."""


class ServerError(StatusError):
    """5xx: the server failed."""


class TeardownFailedError(ServerError):
    """A session could not be stopped: it may still run, and be billed. The cause is behind it.

    Args:
        why: The `Response` to the DELETE, 5xx or a refusal such as 401, or the `TransportError` in its place; then
            `.response` is None and `.status_code` 0.
        method: The HTTP method of the call.
        url: The address without query.
    """

    response: _FailedResponse | None  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self, why: _FailedResponse | TransportError, *, method: str = "", url: str = ""
    ) -> None:
        if not isinstance(why, TransportError):
            super().__init__(why, method=method, url=url)
            self.args = (f"{self}; the session may still run",)
            return
        ArchalError.__init__(self, f"{why}; the session may still run")
        self.response = self.retry_after = self.code = self.detail = None
        self.status_code = 0


class RouteRejectedError(StatusError):
    """Archal refused the call at the route; the clone never saw it."""
