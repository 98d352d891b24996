"""The Worker's settings; what else there is needs a Worker, and is tested in Pyodide."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from archal_lambda import ConfigurationError
from archal_lambda.edge import settings_from_env

URL = "https://clone.test/github/api"
ROUTE = {"x-route-authorization": "Bearer t0ken"}


class JsonBinding:
    """What Pyodide makes of an object of JavaScript."""

    def __init__(self, value):
        self._value = value

    def to_py(self):
        return self._value


def fail(**bindings):
    with pytest.raises(ConfigurationError) as caught:
        settings_from_env(SimpleNamespace(**bindings))
    assert "t0ken" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("form", [json.dumps, JsonBinding, lambda value: value])
@pytest.mark.parametrize("kind", [SimpleNamespace, dict])
def test_an_object_may_be_text_or_json(form, kind):
    env = kind(AGENT_CLONE_URLS=form({"github": URL}), AGENT_ROUTE_HEADERS=form(ROUTE))

    settings = settings_from_env(env)

    assert str(settings.base_url("github")) == URL
    assert dict(settings.route_headers) == ROUTE


def test_a_session_and_a_token_are_strings():
    """They are text and secret bindings."""
    env = SimpleNamespace(
        ARCHAL_SESSION_ID="ses-1", ARCHAL_TOKEN="t0ken", ARCHAL_LAMBDA_API_URL="https://api.test"
    )

    settings = settings_from_env(env)

    assert str(settings.base_url("github")) == "https://ses-1.clones.archal.ai/github/api"
    assert dict(settings.route_headers) == ROUTE
    assert str(settings.api_url) == "https://api.test"


def test_a_token_alone_is_enough_for_the_control_plane():
    assert settings_from_env(SimpleNamespace(ARCHAL_TOKEN="t0ken")).token is not None


def test_variables_of_single_clones_are_read_for_named_clones():
    """Bindings cannot be listed."""
    env = SimpleNamespace(
        ARCHAL_GITHUB_REST_URL=URL,
        ARCHAL_MY_CLONE_REST_URL="https://b.test/api",
        ARCHAL_TOKEN="t0ken",
    )

    settings = settings_from_env(env, clones=["github", "my-clone"])

    assert sorted(settings.clone_urls) == ["github", "my-clone"]


@pytest.mark.parametrize(
    ("bindings", "variable", "reason"),
    [
        ({}, "AGENT_ROUTE_HEADERS", "is not set"),
        ({"AGENT_CLONE_URLS": ""}, "AGENT_ROUTE_HEADERS", "is not set"),
        ({"AGENT_ROUTE_HEADERS": JsonBinding(ROUTE)}, "AGENT_CLONE_URLS", "is not set"),
        ({"AGENT_CLONE_URLS": "t0ken"}, "AGENT_CLONE_URLS", "is not JSON"),
        ({"AGENT_CLONE_URLS": JsonBinding([URL])}, "AGENT_CLONE_URLS", "not an object"),
        ({"AGENT_CLONE_URLS": JsonBinding({"github": 5})}, "AGENT_CLONE_URLS", "not a string"),
        ({"AGENT_CLONE_URLS": {"github": "http://t0ken.test"}}, "AGENT_CLONE_URLS", "https"),
        ({"ARCHAL_TOKEN": JsonBinding(object())}, "ARCHAL_TOKEN", "text, secret or JSON binding"),
        ({"ARCHAL_TOKEN": " t0ken"}, "ARCHAL_TOKEN", "without spaces"),
    ],
)
def test_missing_and_wrong_bindings_are_named(bindings, variable, reason):
    """Their values are not shown."""
    error = fail(**bindings)

    assert error.variable == variable
    assert reason in error.reason
