"""A handler, run as Lambda runs it, in a process of its own.

This module owns the public names. Each loads its own module when it is first used. The process is
`archal_lambda.invoke.runner`, which is started by its path, so that the handler finds nothing loaded but the standard
library.

Example:
    >>> from archal_lambda.invoke import Function
    >>> Function("platform.python_implementation", name="mine").timeout
    60
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archal_lambda.invoke.children import Children
    from archal_lambda.invoke.function import Function, Outcome
    from archal_lambda.invoke.template import TemplateError, find_function

__all__ = ["Children", "Function", "Outcome", "TemplateError", "find_function"]

_HOMES = {
    "Children": "children",
    "Function": "function",
    "Outcome": "function",
    "TemplateError": "template",
    "find_function": "template",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
