"""Where a clone's MCP server is looked for, in which order, and what an error says."""

from __future__ import annotations

import json
import os

import msgspec
import pytest

from archal_lambda import Clones, ConfigurationError, Session, Settings
from archal_lambda.core.control_plane import settings_of

GITHUB = {"github": "https://clone.test/github/api"}
ROUTE = {"x-route-authorization": "Bearer t"}


def variables(**more):
    return {
        "AGENT_CLONE_URLS": json.dumps(GITHUB),
        "AGENT_ROUTE_HEADERS": json.dumps(ROUTE),
        **more,
    }


def test_beside_the_rest_base_by_default():
    assert Clones.from_env(variables())["github"].mcp.url == "https://clone.test/github/mcp"


@pytest.mark.parametrize(
    ("rest", "url"),
    [
        ("https://c.test/github/api/v3", "https://c.test/github/mcp"),
        ("https://c.test/api", "https://c.test/mcp"),
        ("http://127.0.0.1:8787/api/github/api", "http://127.0.0.1:8787/api/github/mcp"),
    ],
)
def test_the_last_api_of_the_base_becomes_mcp(rest, url):
    clones = Clones(Settings(clone_urls={"github": rest}, token="t"))
    assert clones["github"].mcp.url == url


def test_a_session_id_alone_is_enough():
    clones = Clones(Settings(session_id="s1", token="t"))
    assert clones["github"].mcp.url == "https://s1.clones.archal.ai/github/mcp"


def test_a_sessions_own_map_goes_first():
    document = {
        "sessionId": "s1",
        "status": "running",
        "cloneIds": ["github", "slack"],
        "apiBaseUrls": GITHUB | {"slack": "https://clone.test/slack/api"},
        "mcp": {"github": "https://tools.test/s1/github", "slack": "https://x.test/mcp?s=1"},
        "createdAt": "2026-01-02T03:04:05Z",
        "expiresAt": "2026-01-02T03:34:05Z",
    }
    session = msgspec.convert(document, Session, strict=False)
    before = Settings(mcp_urls={"github": "https://before.test/mcp"}, token="t")
    clones = Clones(settings_of(session, before))
    assert clones["github"].mcp.url == "https://tools.test/s1/github"
    assert clones["slack"].mcp.url == "https://clone.test/slack/mcp"


def test_a_variable_of_the_clones_own_goes_first(tmp_path):
    config = tmp_path / "mcp.json"
    config.write_text('{"mcpServers": {"github": {"url": "https://config.test/mcp"}}}')
    env = variables(ARCHAL_MCP_CONFIG=str(config))
    assert Clones.from_env(env)["github"].mcp.url == "https://config.test/mcp"
    env["ARCHAL_GITHUB_MCP_URL"] = "https://own.test/a/b/tools"
    assert Clones.from_env(env)["github"].mcp.url == "https://own.test/a/b/tools"


def test_a_file_that_names_others_only_is_passed_over(tmp_path):
    config = tmp_path / "mcp.json"
    config.write_text('{"mcpServers": {"slack": {"command": "x"}}, "more": 1}')
    clones = Clones.from_env(variables(ARCHAL_MCP_CONFIG=str(config)))
    assert clones["github"].mcp.url == "https://clone.test/github/mcp"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "can be read"),
        ("{", "mcpServers"),
        ('{"mcpServers": {"github": {"url": 5}}}', "must be a string"),
        ('{"mcpServers": {"github": {"url": "http://public.test/"}}}', "must be https"),
        ('{"mcpServers": {"github": {"url": "https://x:s3cr3t@c.test/mcp"}}}', "user info"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, reason):
    config = tmp_path / "mcp.json"
    if text is not None:
        config.write_text(text)
    clones = Clones.from_env(variables(ARCHAL_MCP_CONFIG=str(config)))
    with pytest.raises(ConfigurationError) as caught:
        _ = clones["github"].mcp
    assert caught.value.variable == "ARCHAL_MCP_CONFIG"
    assert reason in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_the_slash_at_the_end_stays():
    """A server that wants it answers 307 without it."""
    settings = Settings(clone_urls=GITHUB, mcp_urls={"github": "https://m.test/mcp/"}, token="t")
    assert Clones(settings)["github"].mcp.url == "https://m.test/mcp/"


def test_a_file_may_begin_with_a_mark_and_list_what_it_likes(tmp_path):
    config = tmp_path / "mcp.json"
    text = '{"mcpServers": {"github": {"url": "https://m.test/mcp/", "x": 1}, "odd": 5}}'
    config.write_text("\ufeff" + text, encoding="utf-8")
    clones = Clones.from_env(variables(ARCHAL_MCP_CONFIG=str(config)))
    assert clones["github"].mcp.url == "https://m.test/mcp/"


def test_a_pipe_is_no_file(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    clones = Clones.from_env(variables(ARCHAL_MCP_CONFIG=str(pipe)))
    with pytest.raises(ConfigurationError, match="ARCHAL_MCP_CONFIG"):
        _ = clones["github"].mcp


@pytest.mark.parametrize("name", ["a\0b", "", 5])
def test_a_name_that_can_be_no_file(name):
    settings = Settings(clone_urls=GITHUB, mcp_config=name, token="t")
    if name:
        with pytest.raises(ConfigurationError, match="ARCHAL_MCP_CONFIG"):
            _ = Clones(settings)["github"].mcp
    else:
        assert Clones(settings)["github"].mcp.url == "https://clone.test/github/mcp"


def test_a_bad_variable_is_named_when_the_settings_are_read():
    with pytest.raises(ConfigurationError) as caught:
        Clones.from_env(variables(ARCHAL_GITHUB_MCP_URL="ftp://x"))
    assert caught.value.variable == "ARCHAL_GITHUB_MCP_URL"


def test_an_error_says_what_was_looked_at():
    clones = Clones(Settings(clone_urls={"github": "https://c.test/rest"}, token="t"))
    with pytest.raises(ConfigurationError) as caught:
        _ = clones["github"].mcp
    assert caught.value.variable == "ARCHAL_GITHUB_MCP_URL"
    for place in ("mcp_urls", "ARCHAL_GITHUB_MCP_URL", "ARCHAL_MCP_CONFIG", "/api"):
        assert place in str(caught.value)


def test_settings_keep_their_mcp_urls_as_variables():
    settings = Settings(
        clone_urls=GITHUB, mcp_urls={"github": "https://m.test/mcp"}, mcp_config="f", token="t"
    )
    read = Settings.from_env(settings.variables())
    assert (read.mcp_urls, read.mcp_config) == (settings.mcp_urls, "f")
