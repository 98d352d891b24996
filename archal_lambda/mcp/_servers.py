"""Servers: whom a call goes to, and what this process has learnt of each.

This module owns that memory. It must not ask a server anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from archal_lambda.core.flow import ClientOptions
from archal_lambda.core.headers import Headers
from archal_lambda.core.url import BaseUrl
from archal_lambda.mcp._mirrored import Wishes
from archal_lambda.mcp._wire import STATELESS, Era

__all__ = ["Learnt", "Server", "learnt_of"]

_MAX_REMEMBERED = 256  # servers


class Server(NamedTuple):
    """Whom to call, and what every call has in common."""

    clone: str
    base: BaseUrl
    path: str
    options: ClientOptions
    jitter: Callable[[], float]
    known: Headers | None
    caller: int  # another caller's session is not ours to use; a hash, because what tells callers apart is secret

    @property
    def url(self) -> str:
        """Its address."""
        return f"{self.base}{self.path}"


class Learnt(msgspec.Struct):
    """What this process knows of a server; until it is `sure`, it is a guess."""

    era: Era = Era(STATELESS)
    sure: bool = False
    wishes: Wishes = {}


def learnt_of(server: Server) -> Learnt:
    """Give what is known of a server, to be changed as more is learnt."""
    key = server.url, server.caller
    learnt = _servers.get(key)
    if learnt is None:
        if len(_servers) >= _MAX_REMEMBERED:
            _servers.clear()
        learnt = _servers.setdefault(key, Learnt())
    return learnt


_servers: dict[tuple[str, int], Learnt] = {}
