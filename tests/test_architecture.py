"""Who may import whom, and where the fences are."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "archal_lambda"

# From the bottom up; a module imports from lower ranks only. A name with `.*` is a whole package; it may import itself.
RANKS = [
    {"_version", "errors"},
    {"core.redact", "core.host", "core.deadline", "core.targets", "core.transfer", "core.services"},
    {"core.headers", "core.models"},
    {"core.tokens"},
    {"core.variables"},
    {"core.settings", "core.request", "core.response"},
    {"tracing", "core.paging", "core.exchange", "core.verbs", "core.calls"},
    {"core.operations", "core.lifecycle", "core.collection", "core.failures"},
    {"transports._reader", "transports._resolve", "transports._pool"},
    {"transports.base", "transports.mock", "transports._wire", "transports._head"},
    {"transports._idle", "transports._body", "transports._leash", "transports._once"},
    {"transports._urllib3", "transports._fetch", "transports._threads"},
    {"transports._jspi"},
    {"transports._host"},
    {"credentials"},
    {"clone"},
    {"clones"},
    {"sessions"},
    {"client", "aio.*", ""},
    {"powertools", "edge", "routing.*", "invoke.*"},
    {"handlers.*", "cli.*", "testing.*"},
]
RANK = {name: rank for rank, names in enumerate(RANKS) for name in names}
# Beside the line: what these may import of the package, and who may import them.
LOCAL_IMPORTS, LOCAL_USERS = (
    {"errors", "core.services", "local.*"},
    {"local.*", "cli.*", "testing.*"},
)

FENCES = {
    "urllib3": ("transports/_urllib3.py", "routing/"),
    "aws_lambda_powertools": ("powertools.py", "handlers/"),
    "js": ("transports/_fetch.py", "edge.py"),
    "pyodide": ("transports/_fetch.py", "transports/_jspi.py", "edge.py"),
    "workers": ("edge.py", "handlers/edge_worker.py"),
}
PURE = {
    "asyncio",
    "concurrent",
    "http",
    "random",
    "select",
    "secrets",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "uuid",
}
FILES = sorted(PACKAGE.rglob("*.py"))


def room(name):
    """The rank's name of a module: its own, or its package's with `.*`."""
    top = name.partition(".")[0]
    rooms = {"aio", "handlers", "cli", "invoke", "testing", "routing", "local"}
    return f"{top}.*" if top in rooms else name


def imports(path):
    """Every module imported at run time, by its full name; imports for type checkers only do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.If)
            and isinstance(node.test, ast.Name)
            and node.test.id == "TYPE_CHECKING"
        ):
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}".replace(".", "/")
                is_module = any(
                    (PACKAGE.parent / f"{inner}{end}").exists() for end in (".py", "/__init__.py")
                )
                yield f"{node.module}.{alias.name}" if is_module else node.module


def own(path):
    """The modules of the package that a file imports, without the package's own name."""
    for name in imports(path):
        if name.partition(".")[0] == "archal_lambda":
            yield name.partition(".")[2]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_dependencies_point_one_way(path):
    """A module imports from lower ranks only; peers of one rank do not know each other."""
    name = (
        ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        .removesuffix("__init__")
        .strip(".")
    )
    if name in {"core", "transports"}:  # their __init__ import nothing
        assert list(own(path)) == []
        return
    here = room(name)
    for target in map(room, own(path)):
        if here == "local.*":
            assert target in LOCAL_IMPORTS, f"{name} imports {target}"
        elif target == "local.*":
            assert here in LOCAL_USERS, f"{name} imports {target}"
        else:
            assert target == here or RANK[target] < RANK[here], f"{name} imports {target}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_fences(path):
    """Third parties, the environment and the outside world each have their place."""
    where = path.relative_to(PACKAGE).as_posix()
    text = path.read_text(encoding="utf-8")
    tops = {name.partition(".")[0] for name in imports(path)}
    for third_party, places in FENCES.items():
        assert third_party not in tops or where.startswith(places), f"{where} imports {third_party}"
    if where.startswith("core/"):
        assert not tops & PURE, f"{where} imports {tops & PURE}"
        assert "time" not in tops or where == "core/deadline.py", f"{where} imports time"
    if where != "core/settings.py":
        named = {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}
        imported = {
            alias.name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.ImportFrom) and node.module == "os"
            for alias in node.names
        }
        found = ({"getenv", "putenv"} & named) | ({"environ", "getenv"} & imported)
        assert not found, f"{where} reads the environment: {found}"
        assert "os.environ" not in text, f"{where} reads the environment"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_is_too_long(path):
    """300 lines; what is longer wants splitting."""
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_tests_import_neither_tests_nor_conftests():
    """What several of them need is in `tests/support`."""
    wrong = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in sorted(TESTS.rglob("*.py"))
        for name in imported_names(path)
        if any(part.startswith("test_") or part == "conftest" for part in name.split("."))
    ]
    assert wrong == []


def imported_names(path):
    """Each name that a file imports, with its module in front."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)
