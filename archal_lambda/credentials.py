"""What proves to Archal who calls: headers from the settings, or a token from AWS Secrets Manager.

This module owns the reading, caching and renewal of a token through the AWS Parameters and Secrets Lambda extension,
which serves secrets on loopback; boto3 would add a quarter of a second to every cold start. It must not log or show
what it read.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.core.deadline import Timeout
from archal_lambda.core.headers import Headers
from archal_lambda.core.models import decode
from archal_lambda.core.request import Request
from archal_lambda.core.targets import BaseUrl
from archal_lambda.core.tokens import bearer, token_of
from archal_lambda.errors import ConfigurationError, DecodeError, RequestTimeout, TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from archal_lambda.core.calls import Credentials
    from archal_lambda.core.deadline import Deadline
    from archal_lambda.core.redact import Secret
    from archal_lambda.core.settings import Settings
    from archal_lambda.core.tokens import TokenSecret
    from archal_lambda.transports.base import Transport

__all__ = ["Fixed", "FromExtension", "control_credentials", "route_credentials"]

_READ_TIMEOUT = Timeout(1.0, connect=0.5)
_TTL = 300.0  # seconds; as long as the extension itself keeps a secret by default
_PAUSE = 30.0  # seconds until the next try after a failed one
_VARIABLE = "ARCHAL_TOKEN_SECRET"


class Fixed:
    """Headers that do not change.

    Args:
        headers: The headers.
    """

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def headers(self, deadline: Deadline) -> Headers:
        """Return the headers.

        Args:
            deadline: Unused.

        Returns:
            The headers given to the constructor.
        """
        del deadline
        return self._headers

    def renew(self, refused: Headers, deadline: Deadline) -> bool:
        """Say that there is nothing newer.

        Args:
            refused: Unused.
            deadline: Unused.

        Returns:
            False.
        """
        del refused, deadline
        return False


class FromExtension:
    """A bearer header whose token is read from the extension when it is first needed.

    Args:
        header: The header's name.
        secret: Which secret, and where the extension listens.
        transport: What sends.
        wall_clock: Returns the time of day in seconds; the monotonic clock stands still in a frozen process.
    """

    def __init__(
        self,
        header: str,
        secret: TokenSecret,
        transport: Transport,
        *,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._header = header
        self._secret = secret
        self._transport = transport
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._current: Headers | None = None
        self._read_at = 0.0

    def headers(self, deadline: Deadline) -> Headers:
        """Return the header, reading the secret if it was not read in the last five minutes.

        Args:
            deadline: When the reading must be over; it takes a second at most in any case.

        Returns:
            The header.

        Raises:
            ConfigurationError: If the secret cannot be read, and was not read before.
            RequestTimeout: If another thread was still reading it when the deadline passed.
        """
        current = self._current
        if current is not None and self._fresh():
            return current
        with self._turn(deadline.remaining() if current is None else 0.0) as mine:
            if current is not None and not mine:
                return current  # what was read before serves on while another thread reads anew
            if not mine:
                raise RequestTimeout("the secret was not read in time", phase="connect")
            if self._current is None:
                return self._read(deadline)
            return self._current if self._fresh() else self._refresh(self._current, deadline)

    def renew(self, refused: Headers, deadline: Deadline) -> bool:
        """Read the secret again, because the token was refused.

        Args:
            refused: The header that was refused. Of many calls refused at once, one reads for all.
            deadline: When the reading must be over.

        Returns:
            True if the token is another one now; False if there was no time to look, too.
        """
        with self._turn(deadline.remaining()) as mine:
            current = self._current
            if mine and current is not None and current.pairs == refused.pairs:
                current = self._refresh(current, deadline)
            return current is not None and current.pairs != refused.pairs

    @contextmanager
    def _turn(self, seconds: float) -> Generator[bool]:
        # Whoever waits for another's reading has a deadline of his own.
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
        except ConfigurationError:
            self._read_at = self._wall_clock() - _TTL + _PAUSE
            return current

    def _read(self, deadline: Deadline) -> Headers:
        token = _read_secret(self._secret, self._transport, deadline)
        headers = self._current = bearer(self._header, token)
        self._read_at = self._wall_clock()
        return headers


class _SecretValue(msgspec.Struct, rename="pascal"):
    secret_string: str


class _NamedToken(msgspec.Struct):
    token: str = msgspec.field(name="ARCHAL_TOKEN")


def _read_secret(secret: TokenSecret, transport: Transport, deadline: Deadline) -> Secret:
    if not secret.session_token.reveal():
        raise ConfigurationError(
            _VARIABLE,
            "could not be read: AWS_SESSION_TOKEN is not set; Lambda sets it, but not under SnapStart",
        )
    # AWS Secrets Manager user guide, "Use AWS Secrets Manager secrets in AWS Lambda functions".
    request = Request("GET", "/secretsmanager/get", params={"secretId": secret.name}).addressed(
        BaseUrl(f"http://localhost:{secret.port}"),
        Headers({"X-Aws-Parameters-Secrets-Token": secret.session_token}),
    )
    problem = "the extension's answer holds no secret string"
    try:
        response = transport.send(request, deadline.within(_READ_TIMEOUT.total), _READ_TIMEOUT)
        if response.is_success:
            return _token(response.decode(_SecretValue).secret_string)
        problem = (
            f"the extension answered {response.status_code}; "
            "the function's role needs secretsmanager:GetSecretValue on it"
        )
    except TransportError as error:
        problem = (
            f"the AWS Parameters and Secrets Lambda extension on port {secret.port} did not answer "
            f"({type(error).__name__}); the function needs its layer"
        )
    except DecodeError:
        pass
    raise ConfigurationError(_VARIABLE, f"could not be read: {problem}")


def _token(text: str) -> Secret:
    try:
        text = decode(text.encode(), _NamedToken).token
    except DecodeError:
        if text.lstrip().startswith("{"):
            raise
    return token_of(text.strip(), variable=_VARIABLE)


def route_credentials(settings: Settings, transport: Transport | None) -> Credentials:
    """Choose what proves to the route who calls.

    Args:
        settings: The settings.
        transport: What would read a secret; None where there is no extension to read it from.

    Returns:
        The route headers, or those made of a token, or of a secret's.

    Raises:
        ConfigurationError: If there is none of the three.
    """
    if settings.token_secret is not None and not settings.route_headers:
        return _extension("x-route-authorization", settings.token_secret, transport)
    return Fixed(settings.require_route())


def control_credentials(settings: Settings, transport: Transport | None) -> Credentials:
    """Choose what proves to the control plane who calls.

    Args:
        settings: The settings.
        transport: What would read a secret; None where there is no extension to read it from.

    Returns:
        A bearer header made of the token, or of a secret's.

    Raises:
        ConfigurationError: If there is neither.
    """
    if settings.token_secret is not None and settings.token is None:
        return _extension("Authorization", settings.token_secret, transport)
    return Fixed(bearer("Authorization", settings.require_token()))


def _extension(header: str, secret: TokenSecret, transport: Transport | None) -> Credentials:
    if transport is None:
        raise ConfigurationError(
            _VARIABLE,
            "cannot be read here: it takes an extension of AWS Lambda; set ARCHAL_TOKEN, which may be a secret binding",
        )
    return FromExtension(header, secret, transport)
