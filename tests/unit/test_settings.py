"""Settings and the environment."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import repickled

from archal_lambda import Clones, ConfigurationError, Secret, Settings, UnknownCloneError
from archal_lambda.core.settings import process_environ

URL = "https://clone.test/github/api"
URLS = json.dumps({"github": URL})
ROUTE = json.dumps({"x-route-authorization": "Bearer r"})
MARK = "s3ntinel-value"


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("AGENT_CLONE_URLS", MARK, "is not JSON; it must be a JSON object of strings"),
        ("AGENT_CLONE_URLS", f"{{github: {MARK}}}", "is not JSON"),
        ("AGENT_CLONE_URLS", f"{{'github': '{MARK}'}}", "is not JSON"),
        ("AGENT_CLONE_URLS", f'{{"github": "{MARK}"', "is not JSON"),
        ("AGENT_CLONE_URLS", "[" * 100_000, "is not JSON"),
        ("AGENT_CLONE_URLS", '{"github": "\udcff"}', "is not JSON"),
        ("AGENT_CLONE_URLS", f'["{MARK}"]', "is JSON but not an object"),
        ("AGENT_CLONE_URLS", f'"{MARK}"', "is JSON but not an object"),
        ("AGENT_CLONE_URLS", "null", "is JSON but not an object"),
        ("AGENT_CLONE_URLS", "5", "is JSON but not an object"),
        ("AGENT_CLONE_URLS", f'{{"github": {{"url": "{MARK}"}}}}', "entry 'github' is not a string"),
        ("AGENT_CLONE_URLS", '{"github": null}', "entry 'github' is not a string"),
        ("AGENT_CLONE_URLS", '{"github": 5}', "entry 'github' is not a string"),
        ("AGENT_CLONE_URLS", f'{{"{MARK}.": 5}}', "one entry is not a string"),
        ("AGENT_CLONE_URLS", f'{{"github": "http://{MARK}.test"}}', "entry 'github' must be https"),
        ("AGENT_CLONE_URLS", f'{{"github": "http://127.{MARK}.com"}}', "entry 'github' must be https"),
        ("AGENT_CLONE_URLS", '{"github": "http://localhost.evil.com"}', "entry 'github' must be https"),
        ("AGENT_CLONE_URLS", f'{{"github": "https://u:{MARK}@h"}}', "must not contain user info"),
        ("AGENT_CLONE_URLS", f'{{"github": "https://h/?{MARK}"}}', "must not contain a query"),
        ("AGENT_CLONE_URLS", f'{{"github": "https://h/#{MARK}"}}', "must not contain a query or fragment"),
        ("AGENT_CLONE_URLS", f'{{"github": "https://h:{MARK}"}}', "valid host and port"),
        ("AGENT_CLONE_URLS", f'{{"github": "https://{MARK}\u2603"}}', "non-ASCII"),
        ("AGENT_CLONE_URLS", f'{{"github": "{MARK}"}}', "must be an https URL with a host"),
        ("AGENT_CLONE_URLS", '{"github": ""}', "must be an https URL with a host"),
        ("AGENT_CLONE_URLS", "", "is not set, or empty"),
        ("AGENT_CLONE_URLS", "  ", "no clone is configured"),
        ("AGENT_ROUTE_HEADERS", MARK, "is not JSON"),
        ("AGENT_ROUTE_HEADERS", f'["{MARK}"]', "is JSON but not an object"),
        ("AGENT_ROUTE_HEADERS", '{"x-route-authorization": ["a"]}', "'x-route-authorization' is not a string"),
        ("AGENT_ROUTE_HEADERS", f'{{"x-a": "{MARK}\\r\\nX: y"}}', "entry 'x-a' is not a valid HTTP header"),
        ("AGENT_ROUTE_HEADERS", f'{{"x-a": "{MARK}\\u0000"}}', "entry 'x-a' is not a valid HTTP header"),
        ("AGENT_ROUTE_HEADERS", f'{{"x-a": "{MARK}\\u2603"}}', "entry 'x-a' is not a valid HTTP header"),
        ("AGENT_ROUTE_HEADERS", f'{{"x a {MARK}": "b"}}', "one entry is not a valid HTTP header"),
        ("AGENT_ROUTE_HEADERS", f'{{"Host": "{MARK}"}}', "entry 'Host' belongs to the connection"),
        ("AGENT_ROUTE_HEADERS", f'{{"content-length": "{MARK}"}}', "belongs to the connection"),
        ("ARCHAL_TOKEN", f"Bearer {MARK}", 'must be the token alone, without "Bearer "'),
        ("ARCHAL_TOKEN", f"bearer {MARK}", "must be the token alone"),
        ("ARCHAL_TOKEN", f" {MARK}", "must be one line of printable ASCII"),
        ("ARCHAL_TOKEN", f"{MARK}\n", "must be one line of printable ASCII"),
        ("ARCHAL_TOKEN", f"{MARK}\x00", "must be one line of printable ASCII"),
        ("ARCHAL_TOKEN", f"{MARK}\xe9", "must be one line of printable ASCII"),
        ("ARCHAL_SESSION_ID", f"{MARK}/../x", "must contain letters, digits, dots, dashes"),
        ("ARCHAL_SESSION_ID", f"{MARK}\n", "must contain letters"),
        ("ARCHAL_SESSION_ID", "..", "must contain letters"),
        ("ARCHAL_SESSION_ID", ".", "must contain letters"),
        ("AGENT_SESSION_ID", f"{MARK}@evil", "must contain letters"),
        ("ARCHAL_LAMBDA_API_URL", f"http://{MARK}", "must be https"),
        ("ARCHAL_LAMBDA_API_URL", MARK, "must be an https URL"),
        ("ARCHAL_LAMBDA_RUNTIME_URL", f"https://{MARK}@h", "must not contain user info"),
        ("ARCHAL_LAMBDA_RUNTIME_URL", f"https://h:{MARK}", "valid host and port"),
        ("ARCHAL_GITHUB_REST_URL", f"http://{MARK}", "must be https"),
        ("ARCHAL_GOOGLE_CALENDAR_REST_URL", f"https://h?{MARK}", "must not contain a query"),
    ],
)  # fmt: skip
def test_a_wrong_variable_is_named(variable, value, reason):
    """The error says what is wrong with its value, and never shows it."""
    with pytest.raises(ConfigurationError) as caught:
        Settings.from_env({variable: value})
    error = caught.value
    assert error.variable == variable
    assert reason in error.reason
    assert str(error) == f"{variable} {error.reason}"
    assert MARK not in f"{error}{error!r}"
    assert "\n" not in str(error)
    while error is not None:
        assert MARK not in str(error)
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize(
    ("argument", "value", "reason"),
    [
        ("session_id", "a b", "must contain letters"),
        ("clone_urls", {"github": "ftp://h"}, "entry 'github' must be an https URL"),
        ("clone_urls", {"github": None}, "entry 'github' must be a string"),
        ("route_headers", {"x-a": None}, "entry 'x-a' is not a valid HTTP header"),
        ("route_headers", {"Connection": "close"}, "entry 'Connection' belongs to the connection"),
        ("token", "", "must be one line"),
        ("token", Secret(""), "must be one line"),
        ("token", Secret("Bearer x"), "must be the token alone"),
        ("api_url", "nope", "must be an https URL"),
        ("runtime_url", "http://h", "must be https"),
    ],
)
def test_a_wrong_argument_is_named(argument, value, reason):
    """The error does not name a variable that nobody set."""
    with pytest.raises(ConfigurationError, match=reason) as caught:
        Settings(**{argument: value})
    assert caught.value.variable == argument


@pytest.mark.parametrize(
    ("env", "lost"),
    [
        ({"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": ROUTE}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": URLS, "AGENT_ROUTE_HEADERS": ""}, "AGENT_ROUTE_HEADERS"),
        ({"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": ROUTE, "ARCHAL_SESSION_ID": "s"}, "AGENT_CLONE_URLS"),
        ({"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": "", "ARCHAL_TOKEN": "t"}, None),
        ({"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": "", "ARCHAL_SESSION_ID": "s"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_an_empty_variable_beside_the_other_of_the_pair_is_an_error(env, lost):
    """`sam local` makes one of a JSON object. A template's untouched default beside other settings is allowed."""
    if lost is None:
        assert Settings.from_env(env).clone_urls == {}
        return
    with pytest.raises(
        ConfigurationError, match="`sam local` makes that of a JSON object"
    ) as caught:
        Settings.from_env(env)
    assert caught.value.variable == lost


@pytest.mark.parametrize(
    ("env", "clone", "base"),
    [
        ({"AGENT_CLONE_URLS": URLS}, "github", URL),
        ({"ARCHAL_GITHUB_REST_URL": "https://other.test/a"}, "github", "https://other.test/a"),
        ({"AGENT_CLONE_URLS": URLS, "ARCHAL_GITHUB_REST_URL": "https://other.test/a"}, "github", URL),
        ({"AGENT_CLONE_URLS": URLS, "ARCHAL_SLACK_REST_URL": "https://other.test/a"}, "slack", "https://other.test/a"),
        ({"AGENT_CLONE_URLS": URLS, "ARCHAL_SESSION_ID": "ses-1"}, "github", URL),
        ({"AGENT_CLONE_URLS": URLS, "ARCHAL_SESSION_ID": "ses-1"}, "slack", None),
        ({"ARCHAL_SLACK_REST_URL": "https://other.test/a", "ARCHAL_SESSION_ID": "ses-1"}, "github", None),
        ({"ARCHAL_GOOGLE_CALENDAR_REST_URL": "https://g.test/api"}, "google-calendar", "https://g.test/api"),
        ({"ARCHAL_GOOGLE_CALENDAR_REST_URL": "https://g.test/api"}, "google_calendar", None),
        ({"AGENT_CLONE_URLS": "{}", "ARCHAL_SESSION_ID": "ses-1"}, "github", "https://ses-1.clones.archal.ai/github/api"),
        ({"ARCHAL_GITHUB_REST_URL": "", "ARCHAL_SESSION_ID": "ses-1"}, "github", "https://ses-1.clones.archal.ai/github/api"),
        ({"ARCHAL_SESSION_ID": "ses-01HXYZ"}, "github", "https://ses-01hxyz.clones.archal.ai/github/api"),
        ({"AGENT_SESSION_ID": "ses-2"}, "github", "https://ses-2.clones.archal.ai/github/api"),
        ({"ARCHAL_SESSION_ID": "ses-1", "AGENT_SESSION_ID": "ses-2"}, "slack", "https://ses-1.clones.archal.ai/slack/api"),
        ({"ARCHAL_SESSION_ID": "", "AGENT_SESSION_ID": "ses-2"}, "slack", "https://ses-2.clones.archal.ai/slack/api"),
        ({"ARCHAL_SESSION_ID": "ses-1"}, "google-calendar", "https://ses-1.clones.archal.ai/google-calendar/api"),
        ({"ARCHAL_SESSION_ID": "env_12345"}, "github", "https://api.archal.ai/runtime/env_12345/github/api"),
        ({"ARCHAL_SESSION_ID": "a.b"}, "github", "https://api.archal.ai/runtime/a.b/github/api"),
        ({"ARCHAL_SESSION_ID": "-a"}, "github", "https://api.archal.ai/runtime/-a/github/api"),
        ({"ARCHAL_SESSION_ID": "Env_1"}, "github", "https://api.archal.ai/runtime/Env_1/github/api"),
        ({"ARCHAL_SESSION_ID": "a" * 63}, "github", f"https://{'a' * 63}.clones.archal.ai/github/api"),
        ({"ARCHAL_SESSION_ID": "a" * 64}, "github", f"https://api.archal.ai/runtime/{'a' * 64}/github/api"),
        (
            {"ARCHAL_SESSION_ID": "ses-1", "ARCHAL_LAMBDA_RUNTIME_URL": "http://127.0.0.1:4010/"},
            "github",
            "http://127.0.0.1:4010/runtime/ses-1/github/api",
        ),
        ({"ARCHAL_SESSION_ID": "ses-1"}, "../evil", None),
        ({"ARCHAL_SESSION_ID": "ses-1"}, "GitHub", None),
        ({"ARCHAL_SESSION_ID": "ses-1"}, "", None),
        ({"ARCHAL_SESSION_ID": "ses-1"}, "a/b", None),
    ],
)  # fmt: skip
def test_a_clone_is_found_by_its_variables(env, clone, base):
    """`AGENT_CLONE_URLS`, then `ARCHAL_<CLONE>_REST_URL`. An address is composed only when neither names any clone."""
    settings = Settings.from_env(env)
    if base is not None:
        assert str(settings.base_url(clone)) == base
        return
    with pytest.raises(UnknownCloneError) as caught:
        settings.base_url(clone)
    assert caught.value.clone == clone
    assert caught.value.known == tuple(sorted(settings.clone_urls))


@pytest.mark.parametrize(
    ("env", "routes"),
    [
        ({"AGENT_ROUTE_HEADERS": ROUTE}, {"x-route-authorization": "Bearer r"}),
        ({"ARCHAL_TOKEN": "t"}, {"x-route-authorization": "Bearer t"}),
        (
            {"AGENT_ROUTE_HEADERS": ROUTE, "ARCHAL_TOKEN": "t"},
            {"x-route-authorization": "Bearer r"},
        ),
        ({"AGENT_ROUTE_HEADERS": "{}", "ARCHAL_TOKEN": "t"}, {"x-route-authorization": "Bearer t"}),
        (
            {"AGENT_ROUTE_HEADERS": '{"x-archal-a": "1", "X-B": "2"}'},
            {"x-archal-a": "1", "x-b": "2"},
        ),
    ],
)
def test_route_headers_come_before_the_token(env, routes):
    """They are sent as given. Without any, the token makes one."""
    assert dict(Settings.from_env(env).require_route()) == routes


@pytest.mark.parametrize(
    ("require", "variable"),
    [
        ("require_clones", "AGENT_CLONE_URLS"),
        ("require_route", "AGENT_ROUTE_HEADERS"),
        ("require_token", "ARCHAL_TOKEN"),
    ],
)
def test_a_missing_setting_is_named_when_it_is_needed(require, variable):
    """The error says how to set it."""
    with pytest.raises(ConfigurationError, match="is not set") as caught:
        getattr(Settings.from_env({}), require)()
    assert caught.value.variable == variable


def test_no_clone_is_found_without_urls_and_session():
    with pytest.raises(ConfigurationError, match="ARCHAL_SESSION_ID is not either"):
        Settings(token="t").base_url("github")


def test_the_defaults():
    """Archal's control plane, no runtime of our own, and the system's certificates."""
    settings = Settings.from_env({"ARCHAL_TOKEN": "t"})
    assert str(settings.api_url) == "https://archal.ai"
    assert settings.runtime_url is None
    assert settings.ca_file is None
    assert settings.require_token() == Secret("t")
    assert Settings(token=(secret := Secret("t"))).token is secret


def test_the_process_environment_is_the_default(monkeypatch):
    """Empty variables of ours count as not set there."""
    for name, value in {
        "ARCHAL_SESSION_ID": "ses-1",
        "ARCHAL_LAMBDA_API_URL": "http://localhost:1",
        "ARCHAL_LAMBDA_RUNTIME_URL": "",
        "SSL_CERT_FILE": "/ca.pem",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AGENT_CLONE_URLS", "AGENT_ROUTE_HEADERS", "ARCHAL_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    settings = Settings.from_env()
    assert settings.session_id == "ses-1"
    assert (str(settings.api_url), settings.runtime_url) == ("http://localhost:1", None)
    assert settings.ca_file == "/ca.pem"
    assert process_environ({"ARCHAL_SESSION_ID": "ses-2"})["ARCHAL_SESSION_ID"] == "ses-2"
    assert process_environ({})["SSL_CERT_FILE"] == "/ca.pem"


def test_service_credentials_are_never_read():
    """A real token in the environment must not reach a clone by accident."""
    env = {
        "GITHUB_TOKEN": MARK,
        "SLACK_BOT_TOKEN": MARK,
        "AGENT_CLONE_URLS": URLS,
        "ARCHAL_TOKEN": "t",
    }
    settings = Settings.from_env(env)
    held = [getattr(settings, name) for name in Settings.__slots__]
    assert MARK not in repr(held)
    assert MARK not in repr(settings.variables())


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"ARCHAL_TOKEN": "t"},
        {
            "ARCHAL_SESSION_ID": "s",
            "AGENT_CLONE_URLS": URLS,
            "AGENT_ROUTE_HEADERS": ROUTE,
            "ARCHAL_TOKEN": "t",
        },
        {
            "ARCHAL_SLACK_REST_URL": "https://s.test/api",
            "ARCHAL_LAMBDA_API_URL": "http://localhost:1",
            "ARCHAL_LAMBDA_RUNTIME_URL": "http://localhost:2",
            "SSL_CERT_FILE": "/ca.pem",
        },
    ],
)
def test_settings_can_be_written_as_variables(env):
    """Reading them gives the same settings."""
    settings = Settings.from_env(env)
    again = Settings.from_env(settings.variables())
    assert all(getattr(again, name) == getattr(settings, name) for name in Settings.__slots__)


def test_settings_survive_pickling():
    settings = Settings.from_env({"AGENT_CLONE_URLS": URLS, "ARCHAL_TOKEN": "t"})
    assert repickled(settings).variables() == settings.variables()


def test_settings_show_names_only():
    """Names of clones and headers are shown, URLs and values are not."""
    settings = Settings.from_env({"AGENT_CLONE_URLS": URLS, "AGENT_ROUTE_HEADERS": ROUTE})
    assert repr(settings) == "<Settings clones: github; route headers: x-route-authorization>"
    assert (
        repr(Settings()) == "<Settings clones: composed from the session id; route headers: none>"
    )


VARIABLES = [
    "AGENT_CLONE_URLS",
    "AGENT_ROUTE_HEADERS",
    "ARCHAL_TOKEN",
    "ARCHAL_SESSION_ID",
    "ARCHAL_A_REST_URL",
]
JSON = st.recursive(
    st.none() | st.text(max_size=9) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
)


@given(st.dictionaries(st.sampled_from(VARIABLES), st.text(max_size=20) | JSON.map(json.dumps)))
def test_any_environment_is_settings_or_a_configuration_error(env):
    """The error is one line."""
    try:
        settings = Settings.from_env(env)
    except ConfigurationError as error:
        message = str(error)
        variable = error.variable
    else:
        message = repr(settings)
        variable = VARIABLES[0]
    assert variable in VARIABLES
    assert message.isprintable() or "clones: " in message


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"AGENT_CLONE_URLS": "", "AGENT_ROUTE_HEADERS": ""},
        {"ARCHAL_SESSION_ID": "ses-1"},
    ],
)
def test_messages_are_ascii(env):
    """Lambda's runtime client cannot report a start-up error with other characters."""
    with pytest.raises(ConfigurationError) as caught:
        Clones.from_env(env)
    assert str(caught.value).isascii()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("clone_urls", "https://clone.test"),
        ("clone_urls", [("github", "https://clone.test")]),
        ("route_headers", "x-route-authorization: Bearer t"),
        ("token", 3),
        ("token", b"t"),
        ("token_secret", "arn"),
    ],
)
def test_an_argument_of_another_type_is_named(name, value):
    with pytest.raises(ConfigurationError, match=f"{name} must be") as caught:
        Settings(**{name: value})
    assert caught.value.variable == name
