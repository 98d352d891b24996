"""The environment variables of the settings.

This module owns their names, what a token may look like, their parsing and its errors. It is handed the variables and
must not read the process's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict, cast

import msgspec

from archal_lambda.core.headers import Headers, check_header, reserved_reason
from archal_lambda.core.json import decode_plain
from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import Secret, entry_name, guarded
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import ConfigurationError, DecodeError

__all__ = [
    "NAMES",
    "SettingsArguments",
    "TokenSecret",
    "checked_route_headers",
    "host_of",
    "is_setting",
    "no_clones",
    "no_route",
    "no_token",
    "read_variables",
    "rest_url_name",
    "token_of",
]

NAMES = (
    "ARCHAL_SESSION_ID",
    "AGENT_SESSION_ID",
    "AGENT_CLONE_URLS",
    "AGENT_ROUTE_HEADERS",
    "ARCHAL_TOKEN",
    "ARCHAL_TOKEN_SECRET",
    "ARCHAL_LAMBDA_API_URL",
    "ARCHAL_LAMBDA_RUNTIME_URL",
    "ARCHAL_MCP_CONFIG",
    "SSL_CERT_FILE",
)
_CLONE_URL = lazy(r"ARCHAL_([A-Z0-9][A-Z0-9_]*)_(?:REST|MCP)_URL")
# AWS Secrets Manager API, GetSecretValue: SecretId.
_SECRET_NAME = lazy(r"[A-Za-z0-9/_+=.@:-]{1,2048}")
_PORT = lazy(r"[1-9][0-9]{0,4}")
_LAST_PORT = 65_535
_EXAMPLES = {
    "AGENT_CLONE_URLS": '{"github": "https://.../github/api"}',
    "AGENT_ROUTE_HEADERS": '{"x-route-authorization": "Bearer ..."}',
}
# Where a missing setting belongs, by the host that it is missing on.
_WHERE = {
    "lambda": ", in the function's configuration",
    "sam local": ", in the template and in the file for `sam local --env-vars`: `archal-lambda env --format sam "
    "--show-secrets` writes it, with its objects quoted, for otherwise they arrive as empty strings",
    "": "; in a shell, `archal run`, `archal clone start` and `archal-lambda local` give what is needed",
}


class TokenSecret(msgspec.Struct, frozen=True):
    """A secret in AWS Secrets Manager, behind the Parameters and Secrets Lambda extension.

    `name` is its name or ARN, `session_token` what the extension knows the function by (Lambda sets it as
    `AWS_SESSION_TOKEN`), `port` the extension's on loopback.
    """

    name: str
    session_token: Secret
    port: str = "2773"

    def __post_init__(self) -> None:
        if not _SECRET_NAME.fullmatch(self.name):
            raise ConfigurationError("ARCHAL_TOKEN_SECRET", "must be the name or ARN of a secret")
        if not _PORT.fullmatch(self.port) or int(self.port) > _LAST_PORT:
            raise ConfigurationError(
                "PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "must be a port number"
            )


def token_of(token: str | Secret, *, variable: str = "token") -> Secret:
    """Validate a token; errors name the variable it came from."""
    if not isinstance(token, str | Secret):  # pyright: ignore[reportUnnecessaryIsInstance] - users err
        raise ConfigurationError(variable, "must be a string")
    secret = token if isinstance(token, Secret) else Secret(token)
    text = secret.reveal()
    if not text or text != text.strip() or not text.isascii() or not text.isprintable():
        raise ConfigurationError(
            variable, "must be one line of printable ASCII without spaces around it"
        )
    if text.lower().startswith("bearer "):
        raise ConfigurationError(variable, 'must be the token alone, without "Bearer "')
    return secret


class SettingsArguments(TypedDict):
    """The keyword arguments of `Settings`, which says what each means."""

    session_id: str | None
    clone_urls: dict[str, str]
    mcp_urls: dict[str, str]
    mcp_config: str | None
    route_headers: dict[str, str]
    token: str | None
    token_secret: TokenSecret | None
    api_url: str | None
    runtime_url: str | None
    ca_file: str | None


def is_setting(name: str) -> bool:
    """Tell whether a variable says where the clones are or who calls."""
    if name == "SSL_CERT_FILE":  # it belongs to the machine, and other programs read it
        return False
    return name in NAMES or _CLONE_URL.fullmatch(name) is not None


def read_variables(env: Mapping[str, str]) -> SettingsArguments:
    """Read the variables into the arguments of `Settings`, which checks all that does not hold for variables alone."""
    _check_pair(env)
    return {
        "session_id": env.get("ARCHAL_SESSION_ID") or env.get("AGENT_SESSION_ID"),
        "clone_urls": _urls(env, "_REST_URL") | _json_object(env, "AGENT_CLONE_URLS"),
        "mcp_urls": _urls(env, "_MCP_URL"),
        "mcp_config": env.get("ARCHAL_MCP_CONFIG") or None,
        "route_headers": _json_object(env, "AGENT_ROUTE_HEADERS"),
        "token": env.get("ARCHAL_TOKEN") or None,
        "token_secret": _token_secret(env),
        "api_url": env.get("ARCHAL_LAMBDA_API_URL"),
        "runtime_url": env.get("ARCHAL_LAMBDA_RUNTIME_URL"),
        "ca_file": env.get("SSL_CERT_FILE"),
    }


def host_of(env: Mapping[str, str]) -> str:
    """Name the host that the variables are of: `lambda`, `sam local`, or the empty string for any other."""
    if env.get("AWS_SAM_LOCAL") == "true":
        return "sam local"
    return "lambda" if env.get("AWS_LAMBDA_FUNCTION_NAME") else ""


def no_clones(host: str) -> str:
    """Say of `AGENT_CLONE_URLS` that there is nothing to find clones by, and what to do about it on a host."""
    example = _EXAMPLES["AGENT_CLONE_URLS"]
    return (
        "is not set, or empty, and ARCHAL_SESSION_ID is not either, so no clone is configured: set it to a JSON object "
        f"such as {example}, or set ARCHAL_SESSION_ID{_WHERE[host]}"
    )


def no_route(host: str) -> str:
    """Say of `AGENT_ROUTE_HEADERS` that nothing proves who calls, and what to do about it on a host."""
    example = _EXAMPLES["AGENT_ROUTE_HEADERS"]
    return (
        "is not set, or empty, and neither ARCHAL_TOKEN nor ARCHAL_TOKEN_SECRET is set: set ARCHAL_TOKEN to an Archal "
        f"token, or this to a JSON object such as {example}{_WHERE[host]}"
    )


def no_token(host: str) -> str:
    """Say of `ARCHAL_TOKEN` that nothing proves to the control plane who calls, and what to do about it on a host."""
    return f"is not set, nor is ARCHAL_TOKEN_SECRET: set it to an Archal token{_WHERE[host]}"


def rest_url_name(clone: str, surface: str = "REST") -> str:
    """Name the variable of one clone's base URL, dashes written as underscores; its MCP URL with `surface="MCP"`."""
    return f"ARCHAL_{clone.upper().replace('-', '_')}_{surface}_URL"


def _urls(env: Mapping[str, str], end: str) -> dict[str, str]:
    urls: dict[str, str] = {}
    for name, url in env.items():
        # Few have such a name, and most processes none.
        match = name.endswith(end) and _CLONE_URL.fullmatch(name)
        if match and url:
            _check_url(name, url)
            urls[match[1].lower().replace("_", "-")] = url
    return urls


@guarded
def checked_route_headers(headers: Mapping[str, str]) -> Headers:
    """Make headers of what goes with every call; a wrong one is named, never shown."""
    for name, value in headers.items():
        try:
            check_header(name, value)
        except ValueError:
            problem: str | None = "is not a valid HTTP header"
        else:
            problem = None if name.lower().startswith("x-") else reserved_reason(name)
        if problem:
            raise ConfigurationError("route_headers", f"{entry_name(name)}{problem}")
    return Headers(headers)


def _token_secret(env: Mapping[str, str]) -> TokenSecret | None:
    name = env.get("ARCHAL_TOKEN_SECRET")
    if not name:
        return None
    port = env.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT") or "2773"
    return TokenSecret(name, Secret(env.get("AWS_SESSION_TOKEN", "")), port)


def _check_url(name: str, url: str) -> None:
    try:
        BaseUrl(url)
    except ValueError as error:
        raise ConfigurationError(name, str(error)) from None


def _check_pair(env: Mapping[str, str]) -> None:
    # The two come as a pair. One empty beside the other is what `sam local` leaves of a JSON object in its file, and
    # going on would call something other than was asked for. Elsewhere empty means not set.
    empty = [name for name in _EXAMPLES if name in env and not env[name].strip()]
    paired = any(env.get(name, "").strip() for name in _EXAMPLES)
    if empty and paired and host_of(env) == "sam local":
        quoted = _EXAMPLES[empty[0]].replace('"', '\\"')
        reason = (
            "is the empty string; `sam local` makes that of a JSON object in its environment file: quote the object, "
            f'as "{quoted}", or set it to {{}} for none'
        )
        raise ConfigurationError(empty[0], reason)


def _json_object(env: Mapping[str, str], name: str) -> dict[str, str]:
    text = env.get(name, "")
    if not text.strip():
        return {}
    try:
        value = decode_plain(text.encode())
    except (DecodeError, UnicodeEncodeError):
        problem = "is not JSON; it must be a JSON object of strings"
        raise ConfigurationError(name, problem) from None
    if not isinstance(value, dict):
        problem = "is JSON but not an object; it must be a JSON object of strings"
        raise ConfigurationError(name, problem)
    return _strings(name, cast("dict[str, object]", value))


def _strings(name: str, items: dict[str, object]) -> dict[str, str]:
    result: dict[str, str] = {}
    for key, value in items.items():
        if not isinstance(value, str):
            raise ConfigurationError(name, f"{entry_name(key)}is not a string")
        result[key] = value
    return result
