"""Servers of the user's behind the route proxy.

This module owns what the URL of one may be. It must not decide which hosts are allowed: the user names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.clones.kind import CloneKind, host_of, too_many_requests
from archal_lambda.local.clones.running import Running
from archal_lambda.local.emulate.paths import as_api, as_service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archal_lambda.local.clones.running import Place
    from archal_lambda.local.emulate.forward import Forward

__all__ = ["upstream_kinds"]

_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)*")
_SHAPE = (
    "must be an http:// or https:// URL such as http://127.0.0.1:9000, without credentials, "
    "query or fragment"
)


def upstream_kinds(upstreams: Mapping[str, str]) -> dict[str, CloneKind]:
    """List the user's servers as clones."""
    return {name: _kind(name, url) for name, url in upstreams.items()}


class _Upstream(Running):
    def __init__(self, forward: Forward) -> None:
        super().__init__(forward)
        self._forward = forward

    async def close(self) -> None:
        await self._forward.close()


def _kind(name: str, url: str) -> CloneKind:
    scheme, host, port, path = _parsed(name, url)

    async def start(_place: Place) -> Running:
        # The HTTP library is loaded for those who have a server.
        from archal_lambda.local.emulate.forward import Forward, Origin  # noqa: PLC0415 - see above

        origin = Origin(
            scheme=scheme, host=host, port=port, prefix=path.rstrip("/").encode("ascii")
        )
        # Without a path the server is laid out as the service's host; with one, that is where the API begins.
        spell = as_api(name) if path else as_service(name)
        return _Upstream(Forward(origin, host=host_of(name), path=spell))

    return CloneKind(
        id=name, host=host_of(name), seeds=("empty",), start=start, exhausted=too_many_requests
    )


def _parsed(name: str, url: object) -> tuple[str, str, int, str]:
    where = f"for {name[:60]!a} "
    if not isinstance(url, str):
        raise ConfigurationError("upstreams", where + _SHAPE)
    scheme, _, rest = url.partition("://")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigurationError("upstreams", where + _SHAPE) from None
    authority, _, path = rest.partition("/")
    path = "/" + path if "/" in rest else ""
    host = (
        authority
        if authority.endswith("]") or ":" not in authority
        else authority.rpartition(":")[0]
    )
    known = scheme.lower() in _PORTS and port != 0
    if not known or not _HOST.fullmatch(host) or not _PATH.fullmatch(path):
        raise ConfigurationError("upstreams", where + _SHAPE)
    return scheme.lower(), host, port or _PORTS[scheme.lower()], path
