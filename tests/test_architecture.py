"""Who may import whom, where the fences are, and how large a module may be."""

from __future__ import annotations

import ast
import tokenize
from pathlib import Path

import pytest

import archal_lambda

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "archal_lambda"

# From the bottom up: a room imports from its own floor and from the floors below, counting what is imported for type
# checkers only. The package itself names the whole house, lazily; nothing in it is imported by the floors 1 to 3.
FLOORS = [
    {"", "_version", "errors"},
    {"core"},
    {"transports", "faults", "lambda_events"},
    {"clients", "mcp"},
    {"powertools", "idempotency", "edge", "tracing", "webhooks", "invoke", "sdk", "routing"},
    {"testing", "cli", "handlers"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# Beside the floors: what the stand-in may import of the package, facts of services, the rules of faults, the shapes of
# events, a handler's context and what may be shown of secrets, and who may import it.
LOCAL_IMPORTS = {
    "core.secrets",
    "core.services",
    "errors",
    "faults.fault",
    "faults.rules",
    "faults.service_errors",
    "lambda_events.events",
    "lambda_events.results",
    "lambda_events.values",
    "testing.context",
    "testing.shown",
}
LOCAL_USERS = {"cli", "testing"}

FENCES = {
    "urllib3": ("transports/_urllib3.py", "transports/_tls.py", "routing/", "sdk/"),
    "aws_lambda_powertools": ("powertools.py", "idempotency.py", "handlers/"),
    "aws_durable_execution_sdk_python": ("handlers/durable_lifecycle.py",),
    "boto3": ("handlers/mcp_agent.py",),
    "botocore": ("idempotency.py", "handlers/mcp_agent.py"),
    "click": ("cli/",),
    "httpcore": ("local/emulate/forward.py",),
    "js": ("transports/_fetch.py", "edge.py"),
    "pyodide": ("transports/_fetch.py", "transports/_jspi.py", "edge.py"),
    "pytest": ("testing/plugin.py", "testing/pytest_plugin/"),
    "workers": ("edge.py", "handlers/edge_worker.py"),
}
ENVIRONMENT = {"core/settings.py", "local/emulate/environment.py"}
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
# Loaded by their path, with nothing of the package around them.
ALONE = {"invoke/runner.py", "testing/context.py"}


def each_file(function):
    names = [path.relative_to(PACKAGE).as_posix() for path in FILES]
    return pytest.mark.parametrize("path", FILES, ids=names)(function)


def dotted(path):
    """The name of a module within the package, as `core.url`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """Every module that a file imports, anywhere in it, by its full name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    """The modules of the package that a file imports, as `core.url`; the package itself is the empty name."""
    return {
        name.partition(".")[2]
        for name in imports(path)
        if name.partition(".")[0] == "archal_lambda"
    }


def room(name):
    return name.partition(".")[0]


@each_file
def test_a_floor_does_not_know_the_floors_above(path):
    name = dotted(path)
    if name == "":
        return
    here = room(name)
    for target in own(path):
        if here == "local":
            assert target in LOCAL_IMPORTS or room(target) == "local", f"{name} imports {target}"
        elif room(target) == "local":
            assert here in LOCAL_USERS, f"{name} imports {target}"
        else:
            assert FLOOR[room(target)] <= FLOOR[here], f"{name} imports {target}"
            assert target or FLOOR[here] > 3, f"{name} imports the package itself"


def test_no_circle():
    """Type-only imports count: a circle of them still cannot be read from the bottom up."""
    graph = {dotted(path): own(path) for path in FILES}
    done, under_way = set(), []

    def visit(name):
        assert name not in under_way, f"circle: {under_way[under_way.index(name) :]}"
        if name in done or name not in graph:
            return
        under_way.append(name)
        for target in sorted(graph[name]):
            visit(target)
        under_way.pop()
        done.add(name)

    for name in graph:
        visit(name)
    assert done == graph.keys()


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "handlers").glob("*.py")), ids=lambda path: path.stem
)
def test_handlers_import_public_names_only(path):
    """They are made to be copied."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(room(alias.name) == "archal_lambda" for alias in node.names)
        if not isinstance(node, ast.ImportFrom) or room(node.module) != "archal_lambda":
            continue
        names = {alias.name for alias in node.names}
        if node.module == "archal_lambda":
            assert names <= set(archal_lambda.__all__)
        else:
            assert node.module in {
                f"archal_lambda.{module}"
                for module in ("edge", "idempotency", "powertools", "tracing", "webhooks")
            }
            source = PACKAGE.parent / f"{node.module.replace('.', '/')}.py"
            assert names <= listed(source)


def listed(path):
    """What a module's `__all__` lists, read and not imported: some load on their own host only."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    raise AssertionError(f"{path} has no __all__")


@each_file
def test_fences(path):
    """Third parties, the environment and the outside world each have their place."""
    where = path.relative_to(PACKAGE).as_posix()
    text = path.read_text(encoding="utf-8")
    tops = {name.partition(".")[0] for name in imports(path)}
    for third_party, places in FENCES.items():
        assert third_party not in tops or where.startswith(places), f"{where} imports {third_party}"
    if where.startswith(("core/", "lambda_events/")):
        assert not tops & PURE, f"{where} imports {tops & PURE}"
        assert "time" not in tops or where == "core/timeouts.py", f"{where} imports time"
    if where in ALONE:
        assert "archal_lambda" not in tops, f"{where} imports the package"
    if where not in ENVIRONMENT:
        tree = ast.parse(text)
        named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        imported = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "os"
            for alias in node.names
        }
        found = ({"getenv", "putenv"} & named) | ({"environ", "getenv"} & imported)
        assert not found, f"{where} reads the environment: {found}"
        assert "os.environ" not in text, f"{where} reads the environment"


@each_file
def test_a_module_has_200_lines_of_code_at_most(path):
    """Docstrings, comments and blank lines are not counted."""
    with path.open("rb") as file:
        tokens = list(tokenize.tokenize(file.readline))
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING}
    skipped |= {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = {
        line
        for token in tokens
        if token.type not in skipped
        for line in range(token.start[0], token.end[0] + 1)
    }
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    assert len(lines) <= 200


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
