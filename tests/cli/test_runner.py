"""What a handler finds in its process: its own modules, and as little else as can be."""

from __future__ import annotations

import subprocess
import sys

import pytest

import archal_lambda.invoke
from archal_lambda.invoke import Function, TemplateError, find_function

HANDLERS = """
import sys
def modules(event, context):
    return sorted(sys.modules)
def path(event, context):
    return sys.path
def own(event, context):
    import click, context as mine, runner, yaml
    return [click.NAME, mine.NAME, runner.NAME, yaml.NAME]
def package(event, context):
    import archal_lambda.testing
    return type(context).__name__ == archal_lambda.testing.LocalContext.__name__
def inner():
    raise LookupError("no such thing")
def fails(event, context):
    inner()
"""


@pytest.fixture
def run(tmp_path):
    """Run one of the handlers; give its outcome."""
    (tmp_path / "handlers.py").write_text(HANDLERS)
    return lambda name: Function(f"handlers.{name}", root=tmp_path).invoke({})


def bare(expression):
    """Evaluate an expression on `sys` in an interpreter that runs nothing else."""
    code = f"import sys; print(*{expression}, sep='\\n')"
    command = [sys.executable, "-P", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_handler_sees_its_own_modules(run):
    """Beside what every interpreter here starts with, it finds the standard library's alone."""
    modules = set(run("modules").result) - set(bare("sys.modules"))

    assert "handlers" in modules
    assert {name.partition(".")[0] for name in modules} - sys.stdlib_module_names == {"handlers"}
    assert not modules & {"asyncio", "subprocess", "typing", "uuid"}


def test_a_handler_may_bring_modules_of_any_name(run, tmp_path):
    """None that is loaded or found before hides them."""
    names = ("click", "context", "runner", "yaml")
    for name in names:
        (tmp_path / f"{name}.py").write_text(f"NAME = 'own {name}'\n")

    assert run("own").result == [f"own {name}" for name in names]


def test_where_a_handler_imports_from(run, tmp_path):
    """Its own folder comes first, then what is installed; not the runner's folder, and not the current one."""
    assert run("path").result == [str(tmp_path), *bare("sys.path")]


def test_a_handler_may_import_the_package(run):
    """It is there like all that is installed."""
    assert run("package").result is True


def test_a_stack_trace_is_the_handlers_own(run, tmp_path):
    """It starts where the handler does."""
    trace = run("fails").error["stackTrace"]

    assert len(trace) == 2
    assert all(str(tmp_path / "handlers.py") in line for line in trace)
    assert "in fails" in trace[0]


def test_a_function_by_a_handlers_name_needs_no_template(tmp_path):
    """By any other name it does."""
    assert find_function("a.b.c", tmp_path / "none.yaml", timeout=3).handler == "a.b.c"
    with pytest.raises(
        TemplateError, match=r"Nope is not a module\.function, and .* is not a file"
    ):
        find_function("Nope", tmp_path / "none.yaml")


def test_the_packages_names():
    """Those that it lists, and no others."""
    assert dir(archal_lambda.invoke) == archal_lambda.invoke.__all__
    with pytest.raises(AttributeError, match=r"'archal_lambda\.invoke' has no attribute 'Nope'"):
        _ = archal_lambda.invoke.Nope
