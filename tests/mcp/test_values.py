"""Arguments and results as a caller has them, and what an error names."""

from __future__ import annotations

import json

import msgspec
import pytest
from support.mcp_mock import mcp_of

from archal_lambda import (
    Clones,
    DecodeError,
    McpError,
    Settings,
    Tool,
    ToolResult,
    UnknownCloneError,
)


class Issue(msgspec.Struct):
    title: str
    labels: list[str] = []


def result_of(**members):
    return mcp_of(lambda _body, _request: members)[0]


@pytest.mark.parametrize("arguments", [{"title": "t", "labels": []}, Issue("t")])
def test_arguments_may_be_a_mapping_or_a_struct(arguments):
    mcp, requests = mcp_of(lambda _body, _request: {"content": []})
    mcp.call("run", arguments)
    sent = json.loads(requests[0].content)["params"]["arguments"]
    assert sent == {"title": "t", "labels": []}


@pytest.mark.parametrize("arguments", [["a"], '{"a": 1}', 5])
def test_arguments_that_are_no_mapping_are_refused(arguments):
    mcp, requests = mcp_of(lambda _body, _request: {"content": []})
    with pytest.raises(TypeError, match="arguments must be a mapping"):
        mcp.call("run", arguments)
    assert not requests


def test_the_text_of_a_result_has_that_of_embedded_resources():
    resource = {"uri": "repo://a", "text": "inside"}
    items = [{"type": "text", "text": "read it"}, {"type": "resource", "resource": resource}]
    assert result_of(content=[*items, {"type": "image", "data": "aGk="}]).call("run").text == (
        "read it\ninside"
    )
    assert result_of(content=items[1:]).call("run", type=None).text == "inside"


def test_a_result_may_be_asked_for_as_such():
    mcp = result_of(content=[], structuredContent={"title": "t"}, isError=True)
    assert mcp.call("run", type=ToolResult).structured == {"title": "t"}


def test_a_result_of_another_type_names_the_call():
    with pytest.raises(DecodeError) as caught:
        result_of(content=[], structuredContent={"title": 5}).call("run", type=Issue)
    assert (caught.value.method, caught.value.field) == ("POST", "title")
    assert caught.value.url == "https://svc.test/svc/mcp"


def test_a_failure_says_what_the_tool_said_as_far_as_a_log_may_show_it():
    text = "no such label: ghx_Secret0123456789abcdef"
    with pytest.raises(McpError, match="tools/call run: the tool failed: no such label") as caught:
        result_of(content=[{"type": "text", "text": text}], isError=True).call("run", type=Issue)
    assert caught.value.detail == text
    assert "ghx_" not in str(caught.value)


@pytest.mark.parametrize("describe", [Tool.openai, Tool.anthropic, Tool.bedrock])
def test_what_a_model_is_told_may_be_changed(describe):
    tool = Tool(name="t", input_schema={"type": "object", "properties": {"a": {}}})
    told = json.dumps(describe(tool))
    made = describe(tool)
    [made] = [made] if isinstance(made, dict) else made
    empty(made)
    assert json.dumps(describe(tool)) == told


def empty(value):
    for inner in value.values() if isinstance(value, dict) else ():
        empty(inner)
    value.clear() if isinstance(value, dict) else None


def test_an_mcp_url_alone_is_enough():
    settings = Settings.from_env(
        {"ARCHAL_GITHUB_MCP_URL": "https://m.test/s/github/mcp/", "ARCHAL_TOKEN": "t"}
    )
    github = Clones(settings)["github"]
    assert github.mcp.url == "https://m.test/s/github/mcp/"
    assert github.base_url == "https://m.test/s/github/api"  # they stand side by side
    with pytest.raises(UnknownCloneError, match="github"):
        _ = Clones(settings)["slack"]
