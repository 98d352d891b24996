"""Servers of the user's behind the route proxy.

This module owns what the URL of one may be. It must not decide which hosts are allowed: the user names them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

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
_MAX_PORT = 65_535
_URL = re.compile(
    r"(https?)://"
    r"([A-Z0-9](?:[A-Z0-9._-]*[A-Z0-9])?|\[[0-9A-F:.]+\])"
    r"(?::([0-9]{1,5}))?"
    r"((?:/(?:[A-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*)*)",
    re.IGNORECASE | re.ASCII,
)
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
        id=name,
        host=host_of(name),
        seeds=("empty",),
        start=start,
        exhausted=too_many_requests,
        stateful=False,
    )


def _parsed(name: str, url: object) -> tuple[str, str, int, str]:
    match = _URL.fullmatch(url) if isinstance(url, str) else None
    scheme, host, number, path = match.groups() if match is not None else ("http", "", "0", "")
    port = _PORTS[scheme.lower()] if number is None else int(number)
    if not 0 < port <= _MAX_PORT:
        raise ConfigurationError("upstreams", f"for {name[:60]!a} {_SHAPE}")
    return scheme.lower(), host, port, path
