"""Tokens and the headers made of them.

This module owns what a token and a route header may look like, and the name of a secret that holds a token. It must
not read one from anywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from archal_lambda.core.headers import Headers, check_header, reserved_reason
from archal_lambda.core.redact import Secret, entry_name
from archal_lambda.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TokenSecret", "bearer", "check_route_headers", "token_of"]

_NAME = re.compile(
    r"[A-Za-z0-9/_+=.@:-]{1,2048}"
)  # AWS Secrets Manager API, GetSecretValue: SecretId
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_LAST_PORT = 65_535


class TokenSecret(msgspec.Struct, frozen=True):
    """A secret in AWS Secrets Manager, behind the Parameters and Secrets Lambda extension.

    Args:
        name: Its name or ARN.
        session_token: What the extension knows the function by; Lambda sets it as `AWS_SESSION_TOKEN`.
        port: The extension's port on loopback.

    Raises:
        ConfigurationError: If the name or port is none.
    """

    name: str
    session_token: Secret
    port: str = "2773"

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError("ARCHAL_TOKEN_SECRET", "must be the name or ARN of a secret")
        if not _PORT.fullmatch(self.port) or int(self.port) > _LAST_PORT:
            raise ConfigurationError(
                "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "must be a port number"
            )


def token_of(token: str | Secret, *, variable: str = "token") -> Secret:
    """Validate a token.

    Args:
        token: The token.
        variable: Where it came from, for errors.

    Returns:
        The token, safe to pass around.

    Raises:
        ConfigurationError: If it is empty, has spaces around it or characters no header may hold, or starts
            with its scheme.
    """
    secret = token if isinstance(token, Secret) else Secret(token)
    text = secret.reveal()
    if not text or text != text.strip() or not text.isascii() or not text.isprintable():
        raise ConfigurationError(
            variable, "must be one line of printable ASCII without spaces around it"
        )
    if text.lower().startswith("bearer "):
        raise ConfigurationError(variable, 'must be the token alone, without "Bearer "')
    return secret


def bearer(header: str, token: Secret) -> Headers:
    """Make a bearer header.

    Args:
        header: The header's name.
        token: The token.

    Returns:
        The header.
    """
    return Headers({header: f"Bearer {token.reveal()}"})


def check_route_headers(headers: Mapping[str, str]) -> Headers:
    """Validate the route headers of the settings.

    Args:
        headers: Names and values.

    Returns:
        The headers.

    Raises:
        ConfigurationError: If one is malformed or belongs to the connection.
    """
    for name, value in headers.items():
        try:
            check_header(name, value)
        except ValueError:
            problem: str | None = "is no valid HTTP header"
        else:
            problem = None if name.lower().startswith("x-") else reserved_reason(name)
        if problem:
            raise ConfigurationError("route_headers", f"{entry_name(name)}{problem}")
    return Headers(headers)
