"""template.yaml and events/ hold together with the code."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

from archal_lambda.cli._function import find_function

ROOT = Path(__file__).parents[1]
FUNCTIONS = {"CreateRepo": "create_repo.json"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_is_importable_and_declares_the_route(name):
    """Every handler exists, and `sam local` can pass it the three variables."""
    function = find_function(name, ROOT / "template.yaml")

    module, _, attribute = function.handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), attribute))
    for variable in ("ARCHAL_SESSION_ID", "AGENT_CLONE_URLS", "AGENT_ROUTE_HEADERS"):
        assert function.variables[variable] == ""
    assert function.timeout == 20
    assert function.memory == 512


def test_every_event_belongs_to_a_function():
    """No event file is left over, and each is JSON."""
    events = {path.name: json.loads(path.read_text()) for path in (ROOT / "events").iterdir()}

    assert sorted(events) == sorted(FUNCTIONS.values())
