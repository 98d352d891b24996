"""What the tests of the pytest plugin share."""

from __future__ import annotations

import pytest
from support.plugged import Project, hosted_by

from archal_lambda.local import LocalArchal


@pytest.fixture
def project(pytester, monkeypatch, tmp_path_factory):
    """An empty project outside the repository."""
    return Project(pytester, monkeypatch, tmp_path_factory.mktemp("site"))


@pytest.fixture
def hosted(project):
    """A local Archal that the project takes for the hosted one."""
    with LocalArchal() as archal:
        hosted_by(archal, project)
        yield archal
