"""Where a clone's MCP server is.

This module owns the places that are looked at, in their order, and the reading of the file among them.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

from archal_lambda.core.environment import rest_url_name
from archal_lambda.core.json import decode_plain
from archal_lambda.core.secrets import guarded
from archal_lambda.core.settings import Settings
from archal_lambda.core.url import BaseUrl
from archal_lambda.errors import ConfigurationError, DecodeError

__all__ = ["address_of"]

_CONFIG = "ARCHAL_MCP_CONFIG"
_MAX_CONFIG = 1_000_000  # bytes


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
    base = BaseUrl(url)
    above, _, last = base.path.rpartition("/")
    return BaseUrl(base.origin + above), f"/{last}/" if last and url.endswith("/") else f"/{last}"


def _configured(file: str, clone: str) -> str | None:
    """Read a clone's entry; those of others are nobody's business here."""
    content = _content(file)
    if content is None:
        raise ConfigurationError(_CONFIG, "must name a file that can be read")
    try:
        servers = decode_plain(content)["mcpServers"]
        url: object = servers[clone].get("url") if clone in servers else None
    except (DecodeError, LookupError, TypeError, AttributeError):
        form = '{"mcpServers": {"github": {"url": "https://…"}}}'
        raise ConfigurationError(_CONFIG, f"must name a JSON file of the form {form}") from None
    if url is None:
        return None
    try:
        BaseUrl(cast("str", url))  # which refuses what is none
    except ValueError as error:
        raise ConfigurationError(_CONFIG, f"names a URL for {clone!r} that {error}") from None
    return cast("str", url)


def _content(file: str) -> bytes | None:
    try:
        path = Path(file)
        if not path.is_file():  # opening a pipe would wait for whoever writes to it
            return None
        with path.open("rb") as opened:
            return opened.read(_MAX_CONFIG)
    except (OSError, TypeError, ValueError):  # the name may be none
        return None
