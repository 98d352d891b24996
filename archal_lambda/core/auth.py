"""What proves to Archal who calls: headers from the settings, or a token from AWS Secrets Manager.

This module owns the reading, caching and renewal of a token through the AWS Parameters and Secrets Lambda extension,
which serves secrets on loopback; boto3 would add a quarter of a second to every cold start. What sends and what locks
are passed in. It must not log or show what it read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Protocol

import msgspec

from archal_lambda.core.environment import TokenSecret, token_of
from archal_lambda.core.headers import Headers
from archal_lambda.core.json import decode
from archal_lambda.core.request import Request
from archal_lambda.core.response import Response
from archal_lambda.core.secrets import Secret
from archal_lambda.core.settings import Settings
from archal_lambda.core.timeouts import Deadline, Timeout
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import ConfigurationError, DecodeError, RequestTimeout, TransportError

__all__ = [
    "Credentials",
    "ExtensionCredentials",
    "Lock",
    "MakeExtension",
    "StaticCredentials",
    "control_credentials",
    "route_credentials",
]

_READ_TIMEOUT = Timeout(1.0, connect=0.5)
_TTL = 300.0  # seconds; as long as the extension itself keeps a secret by default
_PAUSE = 30.0  # seconds until the next try after a failed one
_VARIABLE = "ARCHAL_TOKEN_SECRET"
_NOT_IN_TIME = "the secret was not read in time"

MakeExtension = Callable[[str, TokenSecret], "ExtensionCredentials"]


class Credentials(Protocol):
    """Gives the headers that prove who calls."""

    @property
    def known(self) -> Headers | None:
        """What `headers` always returns, where that never changes."""
        ...

    def headers(self, deadline: Deadline, refused: Headers | None = None) -> Headers:
        """Return the headers for a request.

        With `refused`, headers that a server did not accept, it looks for newer ones, and returns the refused ones
        where there are none. Without, it raises a `ConfigurationError` if there are none to be had, and a
        `RequestTimeout` if they were not there by the deadline: then nothing is known to be wrong with the settings.
        """
        ...


class StaticCredentials:
    """Headers that do not change."""

    def __init__(self, headers: Headers) -> None:
        self.known = headers

    def headers(self, deadline: Deadline, refused: Headers | None = None) -> Headers:
        """Return the headers."""
        del deadline, refused
        return self.known


class Lock(Protocol):
    """As `threading.Lock`."""

    def acquire(self, blocking: bool = ..., timeout: float = ...) -> bool:  # noqa: FBT001 - as threading has it
        """Wait for the lock, so many seconds at most."""
        ...

    def release(self) -> None:
        """Let go of it."""
        ...


class ExtensionCredentials:
    """A bearer header whose token is read from the extension when it is first needed.

    One reading serves all: whoever comes while another thread reads waits for it, no longer than its own deadline. A
    token that was read serves on while it is read anew, and while that fails. `send` is a transport's, `lock` is held
    while the secret is read, `wall_clock` tells the time of day: the monotonic clock stands still in a frozen process.
    """

    def __init__(
        self,
        header: str,
        secret: TokenSecret,
        send: Callable[[Request, Deadline, Timeout], Response],
        *,
        lock: Lock,
        wall_clock: Callable[[], float],
    ) -> None:
        self.known = None  # it changes
        self._header = header
        self._secret = secret
        self._send = send
        self._lock = lock
        self._wall_clock = wall_clock
        self._current: Headers | None = None
        self._read_at = 0.0

    def headers(self, deadline: Deadline, refused: Headers | None = None) -> Headers:
        """Return the header, reading the secret if it was not read in the last five minutes, or was refused."""
        if refused is not None:
            return self._newer(refused, deadline)
        current = self._current
        if current is not None and self._fresh():
            return current
        with self._turn(deadline.remaining() if current is None else 0.0) as mine:
            if not mine:
                if current is not None:
                    return current
                raise RequestTimeout(_NOT_IN_TIME, phase="connect")
            if self._current is None:
                return self._read(deadline)
            return self._current if self._fresh() else self._refresh(self._current, deadline)

    def _newer(self, refused: Headers, deadline: Deadline) -> Headers:
        with self._turn(deadline.remaining()) as mine:
            current = self._current
            # Of many calls refused at once, one reads for all: what the others were sent with is not the current object
            # any more, even if the token has not changed or could not be read.
            if mine and current is not None and current is refused:
                current = self._current = Headers.of(self._refresh(current, deadline).pairs)
            return refused if current is None or current.pairs == refused.pairs else current

    @contextmanager
    def _turn(self, seconds: float) -> Generator[bool]:
        mine = self._lock.acquire(timeout=seconds)
        try:
            yield mine
        finally:
            if mine:
                self._lock.release()

    def _fresh(self) -> bool:
        return 0 <= self._wall_clock() - self._read_at < _TTL

    def _refresh(self, current: Headers, deadline: Deadline) -> Headers:
        # An extension that fails for a while must neither take down what works with the token it gave, nor cost each
        # call the second that a silent one takes.
        try:
            return self._read(deadline)
        except (ConfigurationError, RequestTimeout):
            self._read_at = self._wall_clock() - _TTL + _PAUSE
            return current

    def _read(self, deadline: Deadline) -> Headers:
        token = self._read_token(deadline)
        headers = self._current = _bearer(self._header, token)
        self._read_at = self._wall_clock()
        return headers

    def _read_token(self, deadline: Deadline) -> Secret:
        secret = self._secret
        if not secret.session_token.reveal():
            raise ConfigurationError(
                _VARIABLE,
                "could not be read: AWS_SESSION_TOKEN is not set; Lambda sets it, but not under SnapStart",
            )
        # AWS Secrets Manager user guide, "Use AWS Secrets Manager secrets in AWS Lambda functions".
        request = Request("GET", "/secretsmanager/get", params={"secretId": secret.name}).prepared(
            BaseUrl(f"http://localhost:{secret.port}"),
            Headers({"X-Aws-Parameters-Secrets-Token": secret.session_token}),
        )
        try:
            response = self._send(request, deadline.within(_READ_TIMEOUT.total), _READ_TIMEOUT)
            if response.is_success:
                return _token(response.decode(_SecretValue).secret_string)
        except TransportError as error:
            if deadline.expired:  # the call's own time is over, which says nothing of the extension
                raise RequestTimeout(_NOT_IN_TIME, phase="connect") from None
            problem = (
                f"the AWS Parameters and Secrets Lambda extension on port {secret.port} did not answer "
                f"({type(error).__name__}); the function needs its layer"
            )
        except DecodeError:
            problem = "the extension's response does not contain a secret string"
        else:
            problem = (
                f"the extension answered {response.status_code}; "
                "the function's role needs secretsmanager:GetSecretValue on it"
            )
        raise ConfigurationError(_VARIABLE, f"could not be read: {problem}")


class _SecretValue(msgspec.Struct, rename="pascal"):
    secret_string: str


class _NamedToken(msgspec.Struct):
    token: str = msgspec.field(name="ARCHAL_TOKEN")


def _token(text: str) -> Secret:
    try:
        text = decode(text.encode(), _NamedToken).token
    except DecodeError:
        if text.lstrip().startswith("{"):
            raise
    return token_of(text.strip(), variable=_VARIABLE)


def _bearer(header: str, token: Secret) -> Headers:
    return Headers({header: f"Bearer {token.reveal()}"})


def route_credentials(settings: Settings, extension: MakeExtension | None) -> Credentials:
    """Choose what proves to the route who calls: the route headers, or those made of a token, or of a secret's.

    `extension` makes the credentials of a secret; None where there is no extension to read it from.
    """
    if settings.token_secret is not None and not settings.route_headers:
        return _of_secret("x-route-authorization", settings.token_secret, extension)
    return StaticCredentials(settings.require_route())


def control_credentials(settings: Settings, extension: MakeExtension | None) -> Credentials:
    """Choose what proves to the control plane who calls: a bearer header made of the token, or of a secret's."""
    if settings.token_secret is not None and settings.token is None:
        return _of_secret("Authorization", settings.token_secret, extension)
    return StaticCredentials(_bearer("Authorization", settings.require_token()))


def _of_secret(
    header: str, secret: TokenSecret, extension: MakeExtension | None
) -> ExtensionCredentials:
    if extension is None:
        raise ConfigurationError(
            _VARIABLE,
            "cannot be read here: it takes an extension of AWS Lambda; set ARCHAL_TOKEN, which may be a secret binding",
        )
    return extension(header, secret)
