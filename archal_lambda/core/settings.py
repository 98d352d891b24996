"""The settings of a process: which session, which clones, which route, which token.

This module is the only reader of the environment. It must not do I/O otherwise, and none of its errors shows
a value: the values are URLs of sessions and credentials.
"""
# Annotations are evaluated here, so that the hints of public values resolve wherever they are asked for.

import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Self

from archal_lambda.core.environment import (
    TokenSecret,
    checked_route_headers,
    host_of,
    no_clones,
    no_route,
    no_token,
    read_variables,
    rest_url_name,
    token_of,
)
from archal_lambda.core.headers import Headers
from archal_lambda.core.json import encode
from archal_lambda.core.patterns import lazy
from archal_lambda.core.secrets import Secret, entry_name, guarded
from archal_lambda.core.url import BaseUrl
from archal_lambda.core.values import Immutable
from archal_lambda.errors import ConfigurationError, UnknownCloneError

__all__ = ["Settings", "process_environ", "process_variable"]

_LABEL = lazy(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")  # RFC 1123, section 2.1
_SESSION_ID = re.compile(r"[A-Za-z0-9._~-]+")
# Both are declared in Archal's OpenAPI 0.3.0 (servers).
_API_URL = "https://archal.ai"
_RUNTIME_URL = "https://api.archal.ai"
# Which variable fills which argument, so that an error names what the user can see.
_VARIABLES = {
    "session_id": "ARCHAL_SESSION_ID",
    "clone_urls": "AGENT_CLONE_URLS",
    "route_headers": "AGENT_ROUTE_HEADERS",
    "token": "ARCHAL_TOKEN",
    "api_url": "ARCHAL_LAMBDA_API_URL",
    "runtime_url": "ARCHAL_LAMBDA_RUNTIME_URL",
}


class _SettingsDraft:
    __slots__ = (
        "api_url",
        "ca_file",
        "clone_urls",
        "mcp_config",
        "mcp_urls",
        "route_headers",
        "runtime_url",
        "session_id",
        "token",
        "token_secret",
    )


class Settings(Immutable, _SettingsDraft, init=False):
    """Where the clones are and what proves to Archal who calls.

    Args:
        session_id: The session, from which clone URLs are composed if none are given.
        clone_urls: Clone to REST base URL.
        mcp_urls: Clone to MCP URL, where it is not beside the clone's REST base.
        mcp_config: File that names MCP servers, as `ARCHAL_MCP_CONFIG` does; it is read when it is needed.
        route_headers: Headers for every clone call, sent as given.
        token: Archal's token: for the control plane, and for the route where there are no route headers.
        token_secret: A secret that holds the token, where no token is given.
        api_url: The control plane; None means `https://archal.ai`.
        runtime_url: The runtime proxy; None means the session's own host, or `https://api.archal.ai` for
            a session id that is not a DNS label.
        ca_file: File with the CA certificates to trust; None means the system's.

    Raises:
        ConfigurationError: If one of them is wrong; the error names it and never shows its value.
    """

    __module__ = "archal_lambda"
    __slots__ = ()

    session_id: str | None
    clone_urls: Mapping[str, BaseUrl]
    mcp_urls: Mapping[str, str]
    mcp_config: str | None
    route_headers: Headers
    token: Secret | None
    token_secret: TokenSecret | None
    api_url: BaseUrl
    runtime_url: BaseUrl | None
    ca_file: str | None

    @guarded
    def __new__(  # noqa: PLR0913 - ten settings, each by name
        cls,
        *,
        session_id: str | None = None,
        clone_urls: Mapping[str, str] | None = None,
        route_headers: Mapping[str, str] | None = None,
        token: str | Secret | None = None,
        token_secret: TokenSecret | None = None,
        api_url: str | None = None,
        runtime_url: str | None = None,
        ca_file: str | None = None,
        mcp_urls: Mapping[str, str] | None = None,
        mcp_config: str | None = None,
    ) -> Self:
        """Check the settings."""
        mappings = {"clone_urls": clone_urls, "mcp_urls": mcp_urls, "route_headers": route_headers}
        _check_types(token_secret=token_secret, **mappings)
        if session_id and (session_id in {".", ".."} or not _SESSION_ID.fullmatch(session_id)):
            raise ConfigurationError(
                "session_id", "must contain letters, digits, dots, dashes and underscores only"
            )
        draft: Any = _SettingsDraft()
        draft.session_id = session_id or None
        draft.clone_urls = _base_urls("clone_urls", clone_urls)
        _base_urls("mcp_urls", mcp_urls)  # kept as written: a server may want the slash at the end
        draft.mcp_urls = MappingProxyType(dict(mcp_urls or {}))
        draft.mcp_config = mcp_config or None
        draft.token = None if token is None else token_of(token)
        draft.token_secret = token_secret if token is None else None
        draft.route_headers = checked_route_headers(route_headers or {})
        if draft.token is not None and not draft.route_headers:
            # Archal OpenAPI 0.3.0, RouteAuthorization: the value carries the scheme.
            bearer = f"Bearer {draft.token.reveal()}"
            draft.route_headers = Headers({"x-route-authorization": bearer})
        draft.api_url = _base_url("api_url", api_url or _API_URL)
        draft.runtime_url = _base_url("runtime_url", runtime_url) if runtime_url else None
        draft.ca_file = ca_file or None
        return cls.seal(draft)

    @classmethod
    @guarded
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from environment variables.

        Args:
            environ: The variables; None means those of the process.

        Returns:
            The settings.

        Raises:
            ConfigurationError: If a variable is wrong; the error names it and says what it should hold.
        """
        env = os.environ if environ is None else environ
        try:
            return cls(**read_variables(env))
        except ConfigurationError as error:
            variable = _VARIABLES.get(error.variable, error.variable)
            if variable == "ARCHAL_SESSION_ID" and not env.get("ARCHAL_SESSION_ID"):
                variable = "AGENT_SESSION_ID"
            raise ConfigurationError(variable, error.reason) from None

    def base_url(self, clone: str) -> BaseUrl:
        """Find the REST base of a clone.

        Args:
            clone: The clone's id, such as `github`.

        Returns:
            Its base: as named, or `…/api` beside its MCP URL `…/mcp`, or composed from the session id if no clone is
            named at all.

        Raises:
            UnknownCloneError: If other clones are named and this one is not, or it is not a clone's name.
            ConfigurationError: If there is nothing to find it by.
        """
        if clone in self.clone_urls:
            return self.clone_urls[clone]
        self.require_clones()
        tools = self.mcp_urls.get(clone, "").rstrip("/")
        if tools.endswith("/mcp"):
            return BaseUrl(tools.removesuffix("mcp") + "api")  # they stand side by side
        if self.clone_urls or self.session_id is None or not _LABEL.fullmatch(clone):
            raise UnknownCloneError(clone, {*self.clone_urls, *self.mcp_urls})
        host = self.session_id.lower()
        if self.runtime_url is None and _LABEL.fullmatch(host):
            return BaseUrl(f"https://{host}.clones.archal.ai/{clone}/api")
        return BaseUrl(f"{self.runtime_url or _RUNTIME_URL}/runtime/{self.session_id}/{clone}/api")

    def require_clones(self) -> None:
        """Make sure that there is something to find clones by.

        Raises:
            ConfigurationError: If neither clone URLs nor a session id nor MCP URLs are set.
        """
        if not (self.clone_urls or self.session_id or self.mcp_urls):
            raise ConfigurationError("AGENT_CLONE_URLS", no_clones(host_of(os.environ)))

    def require_route(self) -> Headers:
        """Return the headers that prove to Archal who calls.

        Returns:
            The route headers.

        Raises:
            ConfigurationError: If there are none.
        """
        if not self.route_headers:
            raise ConfigurationError("AGENT_ROUTE_HEADERS", no_route(host_of(os.environ)))
        return self.route_headers

    def require_token(self) -> Secret:
        """Return the control-plane token.

        Returns:
            The token.

        Raises:
            ConfigurationError: If there is none.
        """
        if self.token is None:
            raise ConfigurationError("ARCHAL_TOKEN", no_token(host_of(os.environ)))
        return self.token

    @guarded
    def of_session(
        self,
        session_id: str,
        clone_urls: Mapping[str, str],
        mcp_urls: Mapping[str, str] | None = None,
    ) -> Self:
        """Copy the settings for another session.

        Args:
            session_id: The session.
            clone_urls: Its clones and their REST base URLs.
            mcp_urls: Those of its clones that have MCP, and their MCP URLs.

        Returns:
            Settings with the same token; route headers, which belong to a session, are made of it.

        Raises:
            ConfigurationError: If a URL is not allowed.
        """
        changed: dict[str, Any] = {"session_id": session_id, "clone_urls": clone_urls}
        changed |= {"mcp_urls": mcp_urls, "mcp_config": None, "route_headers": None}
        return self.restore(self._fields() | changed)

    def variables(self) -> dict[str, str]:
        """Write the settings as the environment variables they can be read from again.

        Returns:
            Names and values, secrets in the clear; what has its default is left out.
        """
        routes = dict(self.route_headers.pairs)
        urls = {clone: str(base) for clone, base in self.clone_urls.items()}
        texts = {
            "ARCHAL_SESSION_ID": self.session_id or "",
            "AGENT_CLONE_URLS": encode(urls).decode() if urls else "",
            "AGENT_ROUTE_HEADERS": encode(routes).decode() if routes else "",
            "ARCHAL_TOKEN": self.token.reveal() if self.token else "",
            "ARCHAL_TOKEN_SECRET": self.token_secret.name if self.token_secret else "",
            "ARCHAL_LAMBDA_API_URL": "" if str(self.api_url) == _API_URL else str(self.api_url),
            "ARCHAL_LAMBDA_RUNTIME_URL": str(self.runtime_url or ""),
            "ARCHAL_MCP_CONFIG": self.mcp_config or "",
            **{rest_url_name(clone, "MCP"): url for clone, url in self.mcp_urls.items()},
            "SSL_CERT_FILE": self.ca_file or "",
        }
        return {name: text for name, text in texts.items() if text}

    def _fields(self) -> dict[str, Any]:
        # A view of a mapping does not pickle; what it was made of does.
        return {
            "session_id": self.session_id,
            "clone_urls": {clone: str(base) for clone, base in self.clone_urls.items()},
            "mcp_urls": dict(self.mcp_urls),
            "mcp_config": self.mcp_config,
            "route_headers": dict(self.route_headers.pairs),
            "token": self.token,
            "token_secret": self.token_secret,
            "api_url": str(self.api_url),
            "runtime_url": str(self.runtime_url or ""),
            "ca_file": self.ca_file,
        }

    @classmethod
    @guarded
    def restore(cls, fields: dict[str, Any]) -> Self:
        """Make the settings anew, as pickles keep them."""
        return cls(**fields)

    def __repr__(self) -> str:
        clones = ", ".join(sorted(self.clone_urls)) or "composed from the session id"
        route = ", ".join(self.route_headers) or "none"
        return f"<Settings clones: {clones}; route headers: {route}>"


def process_environ(variables: Mapping[str, str]) -> dict[str, str]:
    """Copy the environment of this process for a child, with variables set on top."""
    return {**os.environ, **variables}


def process_variable(name: str) -> str:
    """Read one variable of this process as it is now; the empty string if it is not set."""
    return os.environ.get(name, "")


def _check_types(*, token_secret: object, **mappings: object) -> None:
    for name, value in mappings.items():
        if value is not None and not isinstance(value, Mapping):
            raise ConfigurationError(name, "must be a mapping of names to strings")
    if token_secret is not None and not isinstance(token_secret, TokenSecret):
        raise ConfigurationError("token_secret", "must be a TokenSecret")


def _base_urls(argument: str, urls: Mapping[str, str] | None) -> Mapping[str, BaseUrl]:
    found = {clone: _base_url(argument, url, entry=clone) for clone, url in (urls or {}).items()}
    return MappingProxyType(found)


def _base_url(variable: str, url: str | BaseUrl, *, entry: str | None = None) -> BaseUrl:
    try:
        return url if isinstance(url, BaseUrl) else BaseUrl(url)
    except ValueError as error:
        reason = str(error) if entry is None else f"{entry_name(entry)}{error}"
        raise ConfigurationError(variable, reason) from None
