"""What is said of settings that are missing: the likely cause for where it runs, and what to do."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import yaml

from archal_lambda import ArchalClient, Clones, ConfigurationError, Settings

DEPLOYED = {"AWS_LAMBDA_FUNCTION_NAME": "create-repo"}
SAM_LOCAL = {"AWS_LAMBDA_FUNCTION_NAME": "create-repo", "AWS_SAM_LOCAL": "true"}
URLS = '{"github": "https://clone.test/github/api"}'
ROUTE = '{"x-route-authorization": "Bearer r"}'
TEMPLATE = Path(__file__).parents[2] / "template.yaml"


def refused(env, make=Clones.from_env):
    """Fail to make clients from variables, in a process that has those of the host; give the error."""
    with pytest.MonkeyPatch.context() as process:
        for name in SAM_LOCAL:
            process.delenv(name, raising=False)
            if name in env:
                process.setenv(name, env[name])
        with pytest.raises(ConfigurationError) as caught:
            make(env)
    return caught.value


@pytest.fixture
def defaults():
    """The variables of the template's functions, all parameters at their defaults."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("!", lambda _loader, _tag, _node: "")
    document = yaml.load(TEMPLATE.read_text(), Loader)  # noqa: S506 - a SafeLoader
    return document["Globals"]["Function"]["Environment"]["Variables"]


@pytest.mark.parametrize("make", [Clones.from_env, Settings.from_env, ArchalClient.from_env])
def test_a_template_deployed_with_all_defaults_has_no_clone(defaults, make):
    """A deployed function is told to be configured, and nothing of a tool that is not there."""
    error = refused(defaults | DEPLOYED, make)

    assert error.variable == "AGENT_CLONE_URLS"
    assert "no clone is configured: set it to a JSON object" in str(error)
    assert "in the function's configuration" in str(error)
    assert "sam local" not in str(error)


@pytest.mark.parametrize("env", [{}, {"AGENT_CLONE_URLS": "{}"}, {"AGENT_CLONE_URLS": " "}])
def test_no_variable_at_all_is_the_same(env):
    """Not set, empty and an empty object are one."""
    assert str(refused(env | DEPLOYED)) == str(refused(DEPLOYED | {"AGENT_CLONE_URLS": ""}))


def test_under_sam_local_the_lost_object_comes_first(defaults):
    """There an empty string is what is left of an object that was not quoted."""
    message = str(refused(defaults | SAM_LOCAL))

    assert message.startswith("AGENT_CLONE_URLS is the empty string; `sam local` makes that of")
    assert "quote the object" in message


def test_in_a_shell_the_commands_that_help_are_named():
    """Whatever is empty."""
    for env in ({}, {"AGENT_CLONE_URLS": ""}, {"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": ""}):
        message = str(refused(env))
        assert "no clone is configured: set it" in message
        for command in ("`archal run`", "`archal clone start`", "`archal-lambda local`"):
            assert command in message
        assert "sam local" not in message


@pytest.mark.parametrize("host", [{}, SAM_LOCAL])
@pytest.mark.parametrize(
    ("env", "name"),
    [
        ({"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": ROUTE}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": URLS, "AGENT_ROUTE_HEADERS": ""}, "AGENT_ROUTE_HEADERS"),
    ],
)
def test_doing_as_told_leads_on(host, env, name):
    """After `{}` for none, nothing says that it is not set, and what is missing then is another thing."""
    first = refused(env | host)
    assert first.variable == name
    assert "set it to {} for none" in str(first)

    second = refused(env | host | {name: "{}"})

    assert "is not set, or empty" in str(second)
    assert "set it to {} for none" not in str(second)
    Clones.from_env(env | host | {name: "{}", "ARCHAL_SESSION_ID": "s", "ARCHAL_TOKEN": "t"})


def test_a_deployed_function_may_leave_one_of_the_pair_empty():
    """A template's untouched default is no loss: the token makes the route headers, the session the URLs."""
    token = {"AGENT_CLONE_URLS": URLS, "AGENT_ROUTE_HEADERS": "", "ARCHAL_TOKEN": "t"}
    session = {"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": ROUTE, "ARCHAL_SESSION_ID": "ses-1"}

    assert Clones.from_env(token | DEPLOYED)["github"].base_url == "https://clone.test/github/api"
    assert "ses-1.clones.archal.ai" in Clones.from_env(session | DEPLOYED)["github"].base_url


def test_a_route_that_is_missing_is_what_is_said():
    """A clone is configured by its own variable."""
    env = {"ARCHAL_GITHUB_REST_URL": "https://clone.test/github/api", "AGENT_ROUTE_HEADERS": ""}

    assert refused(env | DEPLOYED).variable == "AGENT_ROUTE_HEADERS"


def test_settings_made_in_code_are_of_the_process(monkeypatch):
    """The host is that of the process, also after pickling."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "create-repo")
    settings = pickle.loads(pickle.dumps(Settings(token="t")))  # noqa: S301 - our own

    with pytest.raises(ConfigurationError, match="in the function's configuration"):
        settings.require_clones()


def test_sam_local_without_the_variables_says_where_they_go():
    """They must be declared, and given."""
    assert "declare it in the template" in str(refused(SAM_LOCAL))
