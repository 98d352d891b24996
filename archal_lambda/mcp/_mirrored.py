"""Arguments that a tool wants to have in headers too (MCP 2026-07-28, `x-mcp-header`), for gateways that read no body.

This module owns where a schema says so, and which text stands for a value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from archal_lambda.core.patterns import lazy

__all__ = ["Wishes", "mirrored", "wishes"]

# Of each tool, the names of the headers and the way to the argument of each.
Wishes = dict[str, dict[str, tuple[str, ...]]]

_TOKEN = lazy(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")  # RFC 9110, section 5.6.2
_MAX_DEPTH = 8  # properties within properties


def wishes(tools: Sequence[Any]) -> Wishes:
    """Read what tools want to have in headers, from a list as a server gives it."""
    found: Wishes = {}
    for tool in tools:
        schema = _mapping(tool).get("inputSchema")
        wanted = dict(_walk(schema, ()))
        if wanted:
            found[str(_mapping(tool).get("name"))] = wanted
    return found


def mirrored(wanted: Mapping[str, tuple[str, ...]], arguments: object) -> dict[str, str]:
    """Find the values for the headers of one tool; an argument that is not given has none."""
    found: dict[str, str] = {}
    for header, way in wanted.items():
        value: object = arguments
        for name in way:
            value = _mapping(value).get(name)
        if isinstance(value, bool):
            found[header] = str(value).lower()
        elif isinstance(value, str | int | float):
            found[header] = str(value)
    return found


def _walk(schema: object, way: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if len(way) > _MAX_DEPTH:
        return
    for name, one in _mapping(_mapping(schema).get("properties")).items():
        header = _mapping(one).get("x-mcp-header")
        if isinstance(header, str) and _TOKEN.fullmatch(header):
            yield header, (*way, name)
        yield from _walk(one, (*way, name))


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
