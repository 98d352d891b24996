"""What a clone offers over MCP: its tools, its resources, and how they report.

This module owns the shapes of descriptions and results (MCP specification, server/tools and server/resources). It must
not know the wire, nor any single tool.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from archal_lambda.local.clones.mcp.rest import Rest

__all__ = ["BadArgumentError", "Catalogue", "Json", "Tool", "ToolFailedError", "ToolResult", "text"]

Json = dict[str, object]


class BadArgumentError(Exception):
    """An argument that the tool's schema cannot express as wrong; its text names it."""


class ToolFailedError(Exception):
    """The clone refused; its text is for the model."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a tool gives back."""

    content: Sequence[Json]
    structured: object = None  # an object; None for text alone
    is_error: bool = False

    @classmethod
    def of(cls, value: object) -> ToolResult:
        """Give a value as JSON text; an object is structured content as well."""
        encoded = msgspec.json.encode(value)
        structured = value if encoded.startswith(b"{") else None
        return cls(content=[text(encoded.decode())], structured=structured)

    def to_json(self) -> Json:
        """Render `CallToolResult`."""
        extra: Json = {} if self.structured is None else {"structuredContent": self.structured}
        return {"content": self.content, **extra, "isError": self.is_error}


def text(value: str) -> Json:
    """Render `TextContent`."""
    return {"type": "text", "text": value}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool; its schema is that of the Struct its arguments are checked against."""

    name: str
    title: str
    description: str
    arguments: type[msgspec.Struct]
    run: Callable[[Rest, Any], Awaitable[ToolResult]]
    read_only: bool = False
    destructive: bool = False
    output: type[msgspec.Struct] | None = None

    def to_json(self) -> Json:
        """Render `Tool`."""
        annotations: Json = {"title": self.title, "readOnlyHint": self.read_only}
        if not self.read_only:
            annotations["destructiveHint"] = self.destructive
        output: Json = {} if self.output is None else {"outputSchema": _schema(self.output)}
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": _schema(self.arguments),
            **output,
            "annotations": annotations,
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """Everything one clone offers."""

    name: str
    title: str
    instructions: str
    tools: Mapping[str, Tool]
    templates: Sequence[Json]
    # The contents of a resource from its URI; None if there is none.
    read: Callable[[Rest, str], Awaitable[Json | None]]


@functools.cache  # a millisecond each, for every list of the tools
def _schema(kind: type[msgspec.Struct]) -> Json:
    """Describe a Struct with an object at the root, as the protocol asks; what it refers to is below `$defs`."""
    _, components = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    described = cast("dict[str, Json]", dict(components))
    root = described.pop(kind.__name__)
    root.pop("title", None)
    root.pop("description", None)
    return root | ({"$defs": described} if described else {})
