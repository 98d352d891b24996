"""What every test of the command line needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from archal_lambda.cli.app import run
from archal_lambda.local import LocalArchal


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch):
    """Commands run where template.yaml is, with the system's certificates."""
    monkeypatch.chdir(Path(__file__).parents[2])
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


@pytest.fixture
def archal(monkeypatch):
    """A local Archal that the environment points at."""
    with LocalArchal() as local:
        for name, value in local.environ.items():
            monkeypatch.setenv(name, value)
        yield local


@pytest.fixture
def cli(capfdbinary):
    """Run one command; give exit code, stdout and stderr."""

    def call(*args):
        code = run(list(args))
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return call
