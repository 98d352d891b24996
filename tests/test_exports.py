"""The public names."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import archal_lambda
from archal_lambda import errors

PACKAGE = Path(archal_lambda.__file__).parent
MODULES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if (path.name == "__init__.py" or path.name[0] != "_")
    and path.name != "edge_worker.py"  # which imports on its own host only
]

# What users rely on, whatever else is added.
FIXED = [
    "Clones",
    "ArchalClient",
    "AsyncClones",
    "AsyncClone",
    "AsyncArchalClient",
    "Settings",
    "Deadline",
    "Timeout",
    "Request",
    "Response",
    "RetryPolicy",
    "errors",
]


def defined(tree):
    """The public names that a module defines: classes, functions and constants, type variables aside."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign) and not (
            isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func).endswith(("TypeVar", "ParamSpec"))
        ):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_all_is_what_is_public(path):
    """`__all__` holds the public names of its module, sorted; a module without one is a handler's or a package's."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = {name for name in defined(tree) if not name.startswith("_")}
    public -= {"TYPE_CHECKING"}  # where `typing` is not loaded for it
    name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(
        ".__init__"
    )
    module = importlib.import_module(name)
    listed = getattr(module, "__all__", None)
    if listed is None:
        assert "handlers" in name or not public, f"{name} has no __all__ for {public}"
        return
    assert listed == sorted(listed)
    assert all(hasattr(module, one) for one in listed)
    if path.name != "__init__.py":  # a package lists what its modules define
        assert set(listed) == public


def test_every_name_can_be_imported():
    """And is itself; `dir` lists them all, `*` imports them all."""
    assert archal_lambda.__all__ == sorted(archal_lambda.__all__)
    assert dir(archal_lambda) == archal_lambda.__all__
    for name in archal_lambda.__all__:
        assert name in {"__version__", "errors"} or getattr(archal_lambda, name).__name__ == name
    names = {}
    exec("from archal_lambda import *", names)  # noqa: S102 - the one way to try it
    assert set(archal_lambda.__all__) <= names.keys()


@pytest.mark.parametrize("name", FIXED)
def test_the_fixed_names(name):
    """Part of the public contract."""
    assert name in archal_lambda.__all__


def test_every_error_is_at_top_level():
    """Whoever catches one needs no second import."""
    classes = [name for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    assert set(classes) <= set(archal_lambda.__all__)
    assert all(getattr(archal_lambda, name) is getattr(errors, name) for name in classes)


def test_an_unknown_name():
    """It is an AttributeError, so that `hasattr` works."""
    assert not hasattr(archal_lambda, "Nonsense")
    with pytest.raises(AttributeError, match="module 'archal_lambda' has no attribute 'Nonsense'"):
        archal_lambda.Nonsense  # noqa: B018
    with pytest.raises(ImportError):
        from archal_lambda import Nonsense  # noqa: F401, PLC0415


def test_the_mock_transport_is_public():
    """For the users' own tests."""
    from archal_lambda.transports.mock import MockTransport  # noqa: PLC0415

    assert MockTransport.__module__ == "archal_lambda.transports.mock"
