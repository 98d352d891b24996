"""What the tests of the pytest plugin share."""

from __future__ import annotations

import pytest
from support.plugged import Project


@pytest.fixture
def project(pytester, monkeypatch, tmp_path_factory):
    """An empty project outside the repository."""
    return Project(pytester, monkeypatch, tmp_path_factory.mktemp("site"))
