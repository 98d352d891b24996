"""Functions by the name a user calls them by: a handler's, or one of a SAM template.

This module owns what such a name means and how a template describes a function. It must not run one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from archal_lambda.invoke.function import DEFAULT_TIMEOUT, Function

if TYPE_CHECKING:
    import yaml

__all__ = ["TemplateError", "find_function", "is_function", "load_template", "mapping", "resolved"]

# What Lambda takes where the template says nothing that can be read here (CloudFormation, AWS::Lambda::Function).
_TIMEOUT, _MEMORY = 3, 128
# The most that Lambda takes, in seconds and megabytes (AWS Lambda Developer Guide, "Lambda quotas").
_MAX_TIMEOUT, _MAX_MEMORY = 900, 10_240


class TemplateError(ValueError):
    """The template has no such function, or cannot be read."""

    __module__ = "archal_lambda.invoke"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)  # said here for `inspect.signature`, which finds none in the base


def find_function(name: str, template: Path, *, timeout: int | None = None) -> Function:
    """Find a function by the name that a user calls it by.

    Args:
        name: `module.function`, or the logical id of a function in the template.
        template: A SAM template.
        timeout: Seconds of an invocation; None takes the template's.

    Returns:
        The function.

    Raises:
        TemplateError: If there is no such function, or the file is not a SAM template.
    """
    module, _, function = name.rpartition(".")
    if module and function:
        return Function(handler=name, timeout=timeout or DEFAULT_TIMEOUT)
    if not template.is_file():
        raise TemplateError(f"{name} is not a module.function, and {template} is not a file")
    document = load_template(template)
    resources = mapping(document.get("Resources"))
    known = [key for key, value in resources.items() if is_function(value)]
    if name not in known:
        others = ", ".join(known) or "no functions"
        raise TemplateError(f"{template} has no function {name}; it has {others}")
    parameters = mapping(document.get("Parameters"))
    shared = mapping(mapping(document.get("Globals")).get("Function"))
    resource = mapping(resources[name])
    own = mapping(resource.get("Properties"))
    properties = {key: resolved(value, parameters) for key, value in {**shared, **own}.items()}
    handler = properties.get("Handler")
    if not isinstance(handler, str) or "." not in handler:
        raise TemplateError(f"{template}: {name} has no Handler of the form module.function")

    def number(key: str, default: int, most: int) -> int:
        found = _number(properties.get(key), default, most)
        if found is None:
            raise TemplateError(f"{template}: {name} has a {key} of more than {most}")
        return found

    folder = template.resolve().parent
    code = properties.get("CodeUri")
    # A makefile may put anything into the artifact, so its functions run from where the template is.
    built = mapping(resource.get("Metadata")).get("BuildMethod") == "makefile"
    return Function(
        handler=handler,
        name=name,
        root=folder / code if isinstance(code, str) and not built else folder,
        timeout=timeout or number("Timeout", _TIMEOUT, _MAX_TIMEOUT),
        memory=number("MemorySize", _MEMORY, _MAX_MEMORY),
        variables=_variables(shared, parameters) | _variables(own, parameters),
        durable="DurableConfig" in properties,
    )


find_function.__module__ = "archal_lambda.invoke"


def load_template(template: Path) -> dict[str, Any]:
    """Read a SAM template; of what only a deployment can tell, nothing is left."""
    import yaml  # noqa: PLC0415 - a handler by its own name needs none of it

    class Loader(yaml.SafeLoader):
        """Reads templates. Of CloudFormation's tags, only !Ref has a value here."""

    Loader.add_multi_constructor("!", _tagged)  # pyright: ignore[reportUnknownMemberType] - untyped in PyYAML
    try:
        document = yaml.load(template.read_text(encoding="utf-8"), Loader=Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise TemplateError(f"{template} is not a SAM template")
    return cast("dict[str, Any]", document)


def _tagged(_: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, str] | None:
    return {"Ref": str(node.value)} if tag == "Ref" else None


def mapping(value: object) -> dict[str, Any]:
    """Take a mapping as it is, and anything else for an empty one."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def is_function(resource: object) -> bool:
    """Tell whether a resource is a function."""
    return mapping(resource).get("Type") == "AWS::Serverless::Function"


def resolved(value: object, parameters: dict[str, Any]) -> object:
    """Put a parameter's default in the place of a reference to it."""
    # As `sam local` does without --parameter-overrides.
    name = mapping(value).get("Ref")
    return value if name is None else mapping(parameters.get(str(name))).get("Default")


def _number(value: object, default: int, most: int) -> int | None:
    """Read a positive number, or take the default for what is none; None if it is more than the most."""
    text = str(value)
    if not text.isascii() or not text.isdecimal():
        return default
    # Python itself refuses to read thousands of digits.
    digits = text.lstrip("0")
    if len(digits) > len(str(most)) or int(digits or "0") > most:
        return None
    return int(digits or "0") or default


def _variables(properties: dict[str, Any], parameters: dict[str, Any]) -> dict[str, str]:
    declared = mapping(mapping(properties.get("Environment")).get("Variables"))
    return {str(name): _text(resolved(value, parameters)) for name, value in declared.items()}


def _text(value: object) -> str:
    if value is None or isinstance(value, dict | list):  # what only a deployment can tell
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
