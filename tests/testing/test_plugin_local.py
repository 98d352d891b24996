"""The pytest plugin against a local Archal."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET  # noqa: N817 - as everybody has it

import pytest

pytest_plugins = ["pytester"]

HANDLER = '''
from archal_lambda import Clones

def handler(event, context):
    assert context.get_remaining_time_in_millis() > 0
    with Clones.from_env() as clones:
        made = clones["github"].post("/user/repos", json={"name": event["name"]}, token="t")
    return {"status": made.status_code}
'''
TEN_LINES = '''
from my_handler import handler

def test_creates(archal, archal_environ, lambda_context):
    assert handler({"name": "shop"}, lambda_context) == {"status": 201}
    assert "testuser/shop" in archal.state()["github"]["repository"]

def test_creates_again(archal, archal_environ, lambda_context):
    assert handler({"name": "shop"}, lambda_context) == {"status": 201}
    assert [one.path.rpartition("/api")[2] for one in archal.requests] == ["/user/repos"]
'''


def test_a_handler_in_ten_lines(project):
    """Each test finds the state of the seed, and its own requests only."""
    project.write(HANDLER, "my_handler.py")
    project.write(TEN_LINES)
    project.environ(AGENT_CLONE_URLS='{"github": "https://ses-old.clones.archal.ai/github/api"}')
    project.environ(ARCHAL_SLACK_REST_URL="https://ses-old.clones.archal.ai/slack/api")

    result = project.run()

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["archal: local, session *"])
