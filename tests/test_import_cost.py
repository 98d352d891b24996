"""What an import loads: a cold start pays for each module."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = {
    "aws_lambda_powertools",
    "asyncio",
    "boto3",
    "click",
    "http.server",
    "rich",
    "starlette",
    "uvicorn",
    "yaml",
}
NETWORK = {
    "urllib3",
    "ssl",
    "socket",
    "http.client",
    "threading",
    "archal_lambda.transports._urllib3",
}
CORE = {"msgspec", "archal_lambda.core"}
PARTS = {
    "archal_lambda.local",
    "archal_lambda.powertools",
    "archal_lambda.cli",
    "archal_lambda.handlers",
    "archal_lambda.invoke",
    "archal_lambda.testing",
}


def loaded(statement):
    """Run a statement in a fresh interpreter and say what it loaded."""
    code = (
        f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before))"
    )
    # Isolated from site-packages' .pth files, which may import anything, but with the same path.
    path = f"import sys; sys.path[:] = {sys.path!r}; "
    done = subprocess.run(
        [sys.executable, "-S", "-c", path + code], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("statement", "never"),
    [
        ("import archal_lambda", HEAVY | NETWORK | CORE | PARTS | {"archal_lambda.errors"}),
        ("import archal_lambda.errors", HEAVY | NETWORK | CORE | PARTS),
        ("from archal_lambda import ArchalError, RequestTimeout", HEAVY | NETWORK | CORE | PARTS),
        (
            "from archal_lambda import Request, Response, Settings, Deadline",
            HEAVY | NETWORK | PARTS,
        ),
        ("from archal_lambda.transports.mock import MockTransport", HEAVY | NETWORK | PARTS),
        (
            "from archal_lambda.testing import LocalContext",
            (HEAVY | NETWORK | CORE | PARTS | {"uuid"}) - {"archal_lambda.testing"},
        ),
        (
            "from archal_lambda.testing import Fault",
            (HEAVY | NETWORK | PARTS) - {"archal_lambda.testing"},
        ),
        (
            "from archal_lambda import Clones",
            HEAVY | PARTS | {"archal_lambda.clients.aio", "archal_lambda.mcp"},
        ),
        ("from archal_lambda import ArchalClient", HEAVY | PARTS),
        (
            "from archal_lambda import AsyncClones",
            (HEAVY - {"asyncio"}) | PARTS | {"urllib3", "archal_lambda.clients.sync"},
        ),
        (
            "from archal_lambda import AsyncArchalClient",
            (HEAVY - {"asyncio"}) | PARTS | {"urllib3", "archal_lambda.clients.sync"},
        ),
    ],
)
def test_what_an_import_leaves_out(statement, never):
    """No more than its part of the package needs."""
    modules = loaded(statement)
    assert "archal_lambda" in modules
    assert not modules & never


@pytest.mark.parametrize("client", ["Clones", "AsyncClones"])
def test_what_mcp_adds(client):
    """Its own modules, and no other: a clone that is not used by MCP pays for none of them."""
    made = (
        f"from archal_lambda import {client}, Settings; settings = Settings(token='t', "
        f"clone_urls={{'svc': 'http://127.0.0.1/svc/api'}}); clone = {client}(settings)['svc']"
    )
    added = loaded(f"{made}; clone.mcp") - loaded(made)

    assert added
    assert {name for name in added if not name.startswith("archal_lambda.mcp")} == set()


# Of botocore, Powertools loads the outermost package for a look.
IDEMPOTENCY = {"aws_lambda_powertools.utilities.idempotency", "boto3", "botocore.client"}


@pytest.mark.parametrize("handler", ["create_repo", "scenario_worker"])
def test_a_handler_without_a_table_loads_nothing_for_it(monkeypatch, handler):
    """Powertools' idempotency and boto3 together cost more than all else."""
    monkeypatch.delenv("ARCHAL_LAMBDA_IDEMPOTENCY_TABLE", raising=False)

    assert not loaded(f"import archal_lambda.handlers.{handler}") & IDEMPOTENCY


@pytest.mark.parametrize("handler", ["create_repo", "scenario_worker"])
def test_a_handler_with_a_table_loads_what_it_needs_before_the_first_event(monkeypatch, handler):
    """While Lambda starts the process there is more CPU than afterwards."""
    monkeypatch.setenv("ARCHAL_LAMBDA_IDEMPOTENCY_TABLE", "table")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")

    assert loaded(f"import archal_lambda.handlers.{handler}") >= IDEMPOTENCY
