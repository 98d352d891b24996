"""SAM's command line and what it makes of the template, once for all tests."""

from __future__ import annotations

import pytest
from support import supply
from support.sam import tools


@pytest.fixture(scope="session")
def sam(tmp_path_factory):
    """SAM's command line."""
    return tools.Sam(supply.obtained(tools.environment), tmp_path_factory.mktemp("sam-home"))


@pytest.fixture(scope="session")
def builds(sam, tmp_path_factory):
    """Give the folder of the built functions, by architecture."""
    made = {}

    def build(architecture):
        if architecture not in made:
            folder = tmp_path_factory.mktemp(architecture)
            # arm64 is what nobody has to ask for.
            asked = {"x86_64": ["--parameter-overrides", "Architecture=x86_64"]}
            made[architecture] = sam.build(folder, architecture, *asked.get(architecture, []))
        return made[architecture]

    return build
