"""Every public name, as tools look at it: help, signatures, type hints, JSON and pickles.

It knows no test framework, because other Pythons and Pyodide run it as well.
"""

from __future__ import annotations

import importlib
import inspect
import pickle
import pydoc
import sys
import typing

import msgspec

import archal_lambda

MODULES = (
    "edge",
    "errors",
    "invoke",
    "local",
    "powertools",
    "testing",
    "testing.faulty_server",
    "tracing",
    "transports.mock",
)
# Their hints name what is there on one host only, or costs a cold start too much to be imported for a hint.
UNHINTED = {"archal_lambda.edge", "archal_lambda.powertools"}
# What a hint of a clone names, and what is loaded when it is used.
LATER = {"Mcp": archal_lambda.Mcp, "AsyncMcp": archal_lambda.AsyncMcp}


def problems():
    """Say of each public name what a tool cannot do with it; nothing at best."""
    found = []
    for module in ("archal_lambda", *(f"archal_lambda.{name}" for name in MODULES)):
        try:
            home = importlib.import_module(module)
        except ImportError as error:  # a third party that this host does not have
            if (error.name or "").startswith("archal_lambda"):
                raise
            continue
        found += _failing(module, "help", lambda home=home: pydoc.render_doc(home))
        for name in home.__all__:
            found += _of_name(module, name, getattr(home, name))
    return found


def _of_name(module, name, value):
    where = f"{module}.{name}"
    if isinstance(value, str) or inspect.ismodule(value) or not callable(value):
        return
    yield from _failing(where, "help", lambda: pydoc.render_doc(value))
    for part in _parts(value):
        called = f"{where}: {getattr(part, '__qualname__', part)}"
        yield from _failing(called, "signature", lambda part=part: inspect.signature(part))
        if module not in UNHINTED:
            yield from _failing(
                called, "hints", lambda part=part: typing.get_type_hints(part, localns=LATER)
            )
    if isinstance(value, type) or inspect.isfunction(value):
        yield from _failing(where, "pickle", lambda: _pickled(value))
    if (
        isinstance(value, type)
        and issubclass(value, msgspec.Struct)
        and value.__name__ != "Deadline"
    ):
        yield from _failing(where, "decoder", lambda: msgspec.json.Decoder(value))


def _parts(value):
    """A name, and what its class defines under public names."""
    if isinstance(value, type) or inspect.isfunction(value):
        yield value
    if not isinstance(value, type):
        return
    for base in value.__mro__[:-1]:
        if not base.__module__.startswith("archal_lambda"):
            continue
        for name, member in vars(base).items():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            if inspect.isfunction(function) and (name[0] != "_" or name in {"__init__", "__new__"}):
                yield function


def _pickled(value):
    assert value.__module__ in {"archal_lambda", "archal_lambda.errors"} | {
        f"archal_lambda.{name}" for name in MODULES
    }, f"it says that it is of {value.__module__}"
    assert pickle.loads(pickle.dumps(value)) is value  # noqa: S301 - made on the same line


def _failing(where, what, do):
    try:
        do()
    except Exception as error:  # noqa: BLE001 - whatever it is, the tool has failed
        yield f"{where}: {what}: {type(error).__name__}: {error}"


def main():
    """Print the problems, one a line."""
    sys.stdout.writelines(f"{line}\n" for line in problems())
    sys.stdout.write(f"{len(archal_lambda.__all__)} names\n")


if __name__ == "__main__":
    main()
