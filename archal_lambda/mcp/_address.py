"""Where a clone's MCP server is.

This module owns the places that are looked at, in their order, and the reading of the file among them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from archal_lambda.core.environment import rest_url_name
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import Settings
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import ConfigurationError

__all__ = ["address_of"]

_CONFIG = "ARCHAL_MCP_CONFIG"
_MAX_CONFIG = 1_000_000  # bytes


class _Listed(msgspec.Struct):
    url: str | None = None


class _Config(msgspec.Struct, rename="camel"):
    mcp_servers: dict[str, _Listed] = {}


@guarded
def address_of(settings: Settings, clone: str, rest: BaseUrl) -> tuple[BaseUrl, str]:
    """Find the MCP URL of a clone with this REST base; give what is above its last part, and that part.

    A URL of the clone's own, from an argument, the session or `ARCHAL_<CLONE>_MCP_URL`, goes first; then the file that
    `ARCHAL_MCP_CONFIG` names; then what stands beside the REST base, `…/<clone>/mcp` beside `…/<clone>/api`.
    """
    url = settings.mcp_urls.get(clone)
    if url is None and settings.mcp_config is not None:
        url = _configured(settings.mcp_config, clone)
    if url is None:
        above, slash, last = rest.path.rpartition("/api")
        if not slash or (last and not last.startswith("/")):
            looked = f"mcp_urls, {rest_url_name(clone, 'MCP')}, {_CONFIG}"
            reason = f"is not set, and the REST base of {clone!r} does not end in /api: looked at {looked}"
            raise ConfigurationError(rest_url_name(clone, "MCP"), reason)
        return BaseUrl(rest.origin + above), "/mcp"
    above, _, last = url.path.rpartition("/")
    return BaseUrl(url.origin + above), f"/{last}"


def _configured(file: str, clone: str) -> BaseUrl | None:
    try:
        with Path(file).open("rb") as config:
            content = config.read(_MAX_CONFIG)
        listed = msgspec.json.decode(content, type=_Config).mcp_servers.get(clone)
    except OSError:
        raise ConfigurationError(_CONFIG, "must name a readable file") from None
    except (msgspec.MsgspecError, UnicodeError):
        reason = (
            'must name a JSON file of the form {"mcpServers": {"github": {"url": "https://…"}}}'
        )
        raise ConfigurationError(_CONFIG, reason) from None
    if listed is None or listed.url is None:
        return None
    try:
        return BaseUrl(listed.url)
    except ValueError as error:
        raise ConfigurationError(_CONFIG, f"names a URL for {clone!r} that {error}") from None
