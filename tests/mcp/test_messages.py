"""What travels: headers that repeat a request, arguments that a tool wants in headers, tools as models take them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.mcp_mock import mcp_of

from archal_lambda import (
    Headers,
    McpError,
    Response,
    StatusError,
    Tool,
    ToolResult,
)
from archal_lambda.mcp import _servers
from archal_lambda.mcp._events import Events

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "deep": {"properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}}},
        "plain": {"type": "string"},
    },
}


@pytest.fixture(autouse=True)
def nothing_learnt():
    _servers._servers.clear()


def test_a_request_repeats_itself_in_its_headers():
    mcp, requests = mcp_of(lambda _body, _request: {"content": []})
    mcp.call("create_issue", {"title": "t"})
    (request,) = requests
    body = json.loads(request.content)
    assert request.headers["mcp-method"] == "tools/call"
    assert request.headers["mcp-name"] == "create_issue"
    assert request.headers["mcp-protocol-version"] == "2026-07-28"
    assert request.headers["accept"] == "application/json, text/event-stream"
    meta = body["params"]["_meta"]
    assert meta["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert meta["io.modelcontextprotocol/clientInfo"]["name"] == "archal-lambda"
    assert body["params"]["arguments"] == {"title": "t"}
    assert str(request.base) + request.path == "https://svc.test/svc/mcp"


@pytest.mark.parametrize("name", ["größer", "two\nlines", " spaced ", "=?base64?eA==?="])
def test_a_name_that_no_header_can_hold_is_coded(name):
    mcp, requests = mcp_of(lambda _body, _request: {"content": []})
    mcp.call(name)
    coded = requests[0].headers["mcp-name"]
    assert coded.startswith("=?base64?")
    assert base64.b64decode(coded[9:-2]).decode() == name


def test_arguments_go_into_headers_where_a_tool_wants_it():
    """It is learnt from the list, which is asked for when the server misses them."""

    def answer(body, request):
        if body["method"] == "tools/list":
            return {"tools": [{"name": "run", "inputSchema": SCHEMA}]}
        if "mcp-param-region" not in request.headers:
            return -32020
        return {"content": [], "structuredContent": dict(request.headers)}

    mcp, requests = mcp_of(answer)
    arguments = {"region": "zürich", "deep": {"flag": True}, "plain": "p"}
    headers = Headers(mcp.call("run", arguments).structured)
    assert (
        headers["Mcp-Param-Region"] == f"=?base64?{base64.b64encode('zürich'.encode()).decode()}?="
    )
    assert headers["Mcp-Param-Flag"] == "true"
    assert len(requests) == 3
    mcp.call("run", {"region": "eu"})
    assert len(requests) == 4


def test_a_refusal_of_the_call_itself_is_the_answer():
    mcp, requests = mcp_of(lambda _body, _request: -32602)
    with pytest.raises(McpError) as caught:
        mcp.call("run")
    assert (caught.value.code, caught.value.detail) == (-32602, "refused ghx_Secret0123456789")
    assert "ghx_" not in str(caught.value)
    assert [json.loads(one.content)["method"] for one in requests] == ["tools/call"]


def test_a_method_that_is_not_there_costs_one_question_once():
    """A server that stands alone says of it what one of the handshake era may say of any request."""

    def answer(body, _request):
        return {"supportedVersions": []} if body["method"] == "server/discover" else -32601

    mcp, requests = mcp_of(answer)
    for _ in range(2):
        with pytest.raises(McpError):
            mcp.prompts()
    assert [json.loads(one.content)["method"] for one in requests] == [
        "prompts/list",
        "server/discover",
        "prompts/list",
    ]


def test_a_refusal_at_the_route_is_no_question_of_the_era():
    refused = Response(401, json={"error": {"code": "token_expired", "message": "expired"}})
    mcp, requests = mcp_of(lambda _body, _request: refused)
    with pytest.raises(StatusError) as caught:
        mcp.tools()
    assert caught.value.status_code == 401
    assert len(requests) == 1


def test_a_list_without_an_end_is_an_error():
    mcp, requests = mcp_of(lambda _body, _request: {"tools": [], "nextCursor": "again"})
    with pytest.raises(McpError, match="no end"):
        mcp.tools()
    assert len(requests) == 2


def test_input_that_is_asked_for_is_an_error():
    mcp, _ = mcp_of(lambda _body, _request: {"resultType": "input_required"})
    with pytest.raises(McpError, match="asks for input"):
        mcp.call("run")


@pytest.mark.parametrize("name", ["", None, 5])
def test_a_tool_has_a_name(name):
    mcp, requests = mcp_of(lambda _body, _request: {})
    with pytest.raises(ValueError, match="name must be a string"):
        mcp.call(name)
    assert not requests


def test_an_argument_that_json_cannot_hold_is_refused():
    mcp, requests = mcp_of(lambda _body, _request: {})
    with pytest.raises(ValueError, match="arguments contains NaN"):
        mcp.call("run", {"x": float("nan")})
    assert not requests


def test_content_of_an_unknown_type_is_kept_as_it_is():
    odd = {"type": "hologram", "beams": [1, 2]}
    mcp, _ = mcp_of(lambda _body, _request: {"content": [odd, {"type": "text", "text": "x"}]})
    result = mcp.call("run")
    assert result == ToolResult(content=[odd, {"type": "text", "text": "x"}])
    assert result.text == "x"


def test_a_tool_as_models_take_it():
    tool = Tool(name="run", description="Runs.", input_schema=SCHEMA)
    assert tool.openai() == {
        "type": "function",
        "function": {"name": "run", "description": "Runs.", "parameters": SCHEMA},
    }
    assert tool.anthropic() == {"name": "run", "description": "Runs.", "input_schema": SCHEMA}
    assert tool.bedrock() == {
        "toolSpec": {"name": "run", "description": "Runs.", "inputSchema": {"json": SCHEMA}}
    }
    assert "description" not in Tool(name="run").bedrock()["toolSpec"]


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]))), st.data())
def test_events_come_out_as_they_went_in(texts, data):
    """However the stream is cut, and whichever line ends it has."""
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    wanted = []
    stream = ""
    for text in texts:
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        stream += "".join(f"data: {line}{end}" for line in lines) + end
        wanted.append("\n".join(lines).encode())
    raw = stream.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=5)))
    events = Events()
    found = []
    for start, stop in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        found += events.feed(raw[start:stop])
    assert found == wanted
