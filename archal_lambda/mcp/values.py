"""What a clone offers by MCP, and what it returns, as values.

This module owns those values. What a server says that is not known here is kept as it is.
"""
# Annotations are evaluated here, so that the hints of public Structs resolve wherever they are asked for.

from typing import Any, cast

import msgspec

__all__ = ["Prompt", "PromptResult", "Resource", "ResourceContents", "Tool", "ToolResult"]


def _no_arguments() -> dict[str, Any]:
    return {"type": "object", "properties": {}}


def _embedded(item: dict[str, Any]) -> object:
    resource = item.get("resource")
    return cast("dict[str, Any]", resource).get("text") if isinstance(resource, dict) else None


def _copied(schema: dict[str, Any]) -> dict[str, Any]:
    copied: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return copied


class Tool(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tool of a clone, as a model is told of it.

    Args:
        name: Its name, for `Mcp.call`.
        title: Its name for people, where it has one.
        description: What it does, in the server's words.
        input_schema: The JSON Schema of its arguments.
        output_schema: The JSON Schema of its structured result, where it has one.
        annotations: Hints on how it behaves, such as `readOnlyHint`; the server's word only.
    """

    __module__ = "archal_lambda"

    name: str
    title: str | None = None
    description: str = ""
    input_schema: dict[str, Any] = msgspec.field(default_factory=_no_arguments)
    output_schema: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None

    def openai(self) -> dict[str, Any]:
        """Describe the tool as OpenAI's Chat Completions API takes it (`tools`).

        Returns:
            A new dict, all of it yours to change.
        """
        function = {
            "name": self.name,
            "description": self.description,
            "parameters": _copied(self.input_schema),
        }
        return {"type": "function", "function": function}

    def anthropic(self) -> dict[str, Any]:
        """Describe the tool as Anthropic's Messages API takes it (`tools`).

        Returns:
            A new dict, all of it yours to change.
        """
        return {
            "name": self.name,
            "description": self.description,
            "input_schema": _copied(self.input_schema),
        }

    def bedrock(self) -> dict[str, Any]:
        """Describe the tool as Amazon Bedrock's Converse API takes it (`toolConfig.tools`).

        Returns:
            A new dict, all of it yours to change. The API refuses an empty description, so that one is left out.
        """
        spec: dict[str, Any] = {
            "name": self.name,
            "inputSchema": {"json": _copied(self.input_schema)},
        }
        if self.description:
            spec["description"] = self.description
        return {"toolSpec": spec}


class ToolResult(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a tool returned. A failure of the tool itself is data, as a clone's 404 is: look at `is_error`.

    Args:
        content: The items for the model, each with its `type`: text, image, audio, resource, or another.
        structured: The result as JSON, where the tool has one.
        is_error: Whether the tool failed; the text says why.
    """

    __module__ = "archal_lambda"

    content: list[dict[str, Any]] = []
    structured: Any = msgspec.field(name="structuredContent", default=None)
    is_error: bool = False

    @property
    def text(self) -> str:
        """All items of text, a line each, those of embedded resources among them."""
        found = (
            one.get("text") if one.get("type") == "text" else _embedded(one) for one in self.content
        )
        return "\n".join(text for text in found if isinstance(text, str))


class Resource(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A resource that a clone lists.

    Args:
        uri: Its address, for `Mcp.read`.
        name: Its name.
        title: Its name for people, where it has one.
        description: What it is.
        mime_type: Its media type, where it is known.
        size: Its size in bytes, where it is known.
    """

    __module__ = "archal_lambda"

    uri: str
    name: str = ""
    title: str | None = None
    description: str = ""
    mime_type: str | None = None
    size: int | None = None


class ResourceContents(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of what was read of a resource: text, or bytes.

    Args:
        uri: Its address.
        mime_type: Its media type, where it is known.
        text: It, if it is text.
        blob: It, if it is not.
    """

    __module__ = "archal_lambda"

    uri: str
    mime_type: str | None = None
    text: str | None = None
    blob: bytes | None = None


class Prompt(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A prompt that a clone offers.

    Args:
        name: Its name, for `Mcp.prompt`.
        title: Its name for people, where it has one.
        description: What it is for.
        arguments: Its arguments, each with `name`, and perhaps `description` and `required`.
    """

    __module__ = "archal_lambda"

    name: str
    title: str | None = None
    description: str = ""
    arguments: list[dict[str, Any]] = []


class PromptResult(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt with its arguments filled in.

    Args:
        messages: Messages for a model, each with `role` and `content`.
        description: What it is for.
    """

    __module__ = "archal_lambda"

    messages: list[dict[str, Any]] = []
    description: str = ""
