"""What lets a call be sent again, and what does not; servers that change, and answers that are not quite right."""

from __future__ import annotations

import asyncio
import json

import pytest
from support.mcp_mock import mcp_of

from archal_lambda import AsyncClones, McpError, Response, Settings, StatusError
from archal_lambda.mcp import _servers
from archal_lambda.transports.mock import MockTransport


@pytest.fixture(autouse=True)
def nothing_learnt():
    _servers._servers.clear()


def answered(body, **members):
    return Response(200, json={"jsonrpc": "2.0", "id": body.get("id"), **members})


def refused(body, status, code, number=None):
    error = {"code": code, "message": "no"}
    return Response(status, json={"jsonrpc": "2.0", "id": number and body["id"], "error": error})


def begun(body, session="s1"):
    """The answers of a handshake; None for other requests."""
    if body["method"] == "initialize":
        agreed = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}}
        message = {"jsonrpc": "2.0", "id": body["id"], "result": agreed}
        return Response(200, json=message, headers={"Mcp-Session-Id": session})
    return Response(202) if body["method"].startswith("notifications/") else None


def methods(requests):
    return [json.loads(one.content)["method"] for one in requests]


@pytest.mark.parametrize("code", [-32000, -32001, -32002, -32602, -32603])
def test_an_error_of_a_tool_is_its_own(code):
    mcp, requests = mcp_of(lambda body, _: refused(body, 200, code, number=True))
    with pytest.raises(McpError):
        mcp.call("run")
    assert methods(requests) == ["tools/call"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, -32600), (400, -32000), (404, -32001), (406, None), (200, -32600)]
)
def test_a_refused_request_is_sent_again_after_a_handshake(status, code):
    def answer(body, request):
        made = begun(body)
        if made is not None:
            return made
        if "mcp-session-id" in request.headers:
            return {"content": []}
        return Response(status, content=b"no") if code is None else refused(body, status, code)

    mcp, requests = mcp_of(answer)
    assert mcp.call("run").content == []
    assert methods(requests) == [
        "tools/call",
        "initialize",
        "notifications/initialized",
        "tools/call",
    ]


@pytest.mark.parametrize("members", [{"result": {"content": []}}, {"error": {"code": -32603}}])
def test_an_answer_counts_whatever_its_status(members):
    """A 404 with an answer to the request is no lost session: the tool has run."""

    def answer(body, request):
        made = begun(body)
        if made is not None:
            return made
        if "mcp-session-id" not in request.headers:
            return Response(400, content=b"no")
        message = {"jsonrpc": "2.0", "id": body["id"], **members}
        return Response(404, json=message) if body["params"]["name"] == "odd" else {"content": []}

    mcp, requests = mcp_of(answer)
    mcp.call("usual")
    requests.clear()
    if "result" in members:
        assert mcp.call("odd").content == []
    else:
        with pytest.raises(McpError):
            mcp.call("odd")
    assert methods(requests) == ["tools/call"]


@pytest.mark.parametrize("lost", [(404, -32001), (400, -32000), (404, None)])
def test_a_session_is_lost_in_many_words(lost):
    status, code = lost
    current = ["s1"]

    def answer(body, request):
        made = begun(body, current[0])
        if made is not None:
            return made
        if request.headers.get("mcp-session-id") == current[0]:
            return {"content": []}
        return Response(status, content=b"gone") if code is None else refused(body, status, code)

    mcp, requests = mcp_of(answer)
    mcp.call("run")
    current[0] = "s2"
    requests.clear()
    mcp.call("run")
    assert methods(requests) == [
        "tools/call",
        "initialize",
        "notifications/initialized",
        "tools/call",
    ]
    requests.clear()
    mcp.call("run")
    assert methods(requests) == ["tools/call"]


def test_a_server_may_change_its_era_either_way():
    era = ["new"]

    def answer(body, request):
        alone = (
            request.headers["mcp-protocol-version"] == "2026-07-28"
            if "mcp-protocol-version" in request.headers
            else False
        )
        if era[0] == "new":
            if alone:
                return {"content": []}
            error = {"code": -32022, "message": "no", "data": {"supported": ["2026-07-28"]}}
            return Response(400, json={"jsonrpc": "2.0", "id": body.get("id"), "error": error})
        if alone:
            return refused(body, 400, -32600)
        return begun(body) or {"content": []}

    mcp, requests = mcp_of(answer)
    for now in ("new", "old", "new", "old"):
        era[0] = now
        assert mcp.call("run").content == []
        requests.clear()
        assert mcp.call("run").content == []
        assert methods(requests) == ["tools/call"]


def test_first_calls_side_by_side_all_find_out():
    """Though one of them is refused when another has already learnt how the server is spoken to."""
    begins = []

    async def handle(request):
        body = json.loads(request.content)
        made = begun(body)
        if made is not None:
            return made
        if "mcp-session-id" in request.headers:
            return answered(body, result={"content": []})
        begins.append(1)
        await asyncio.sleep(0.02 * len(begins))
        return refused(body, 400, -32600)

    async def main():
        settings = Settings(clone_urls={"svc": "https://svc.test/svc/api"}, token="t")
        mcp = AsyncClones(settings, transport=MockTransport(handle))["svc"].mcp
        return await asyncio.gather(*(mcp.call("run") for _ in range(6)))

    assert [one.content for one in asyncio.run(main())] == [[]] * 6


def test_a_session_id_that_cannot_be_sent_is_the_servers_mistake():
    def answer(body, _request):
        return begun(body, "caf\u00e9") or Response(400, content=b"no")

    mcp, _ = mcp_of(answer)
    with pytest.raises(StatusError):  # the first refusal, because there is no other way
        mcp.call("run")


def test_what_is_null_is_not_there():
    tools = [
        {"name": "a", "description": None, "inputSchema": None},
        {"name": None},
        "x",
        {"name": "b"},
    ]
    mcp, _ = mcp_of(lambda _body, _request: {"tools": tools, "resultType": None, "nextCursor": ""})
    first, second = mcp.tools()
    assert (first.name, first.description, second.name) == ("a", "", "b")
    mcp, _ = mcp_of(lambda _body, _request: {"content": None, "isError": None})
    result = mcp.call("run")
    assert (result.content, result.is_error) == ([], False)


def test_bytes_without_what_fills_them_up_are_read():
    parts = [{"uri": "x:y", "blob": "aGk", "mimeType": None}]
    mcp, requests = mcp_of(lambda _body, _request: {"contents": parts})
    assert mcp.read("x:y")[0].blob == b"hi"
    assert requests[0].reading.operation == "resources/read"  # an address may be a secret


def test_a_batch_is_read_up_to_the_answer():
    def answer(body, _request):
        message = {"jsonrpc": "2.0", "id": body["id"], "result": {"content": []}}
        return Response(200, json=[5, {"jsonrpc": "2.0", "method": "notifications/x"}, message])

    mcp, _ = mcp_of(answer)
    assert mcp.call("run").content == []


@pytest.mark.parametrize("arguments", [{"a": "\ud800"}, {"\ud800": 1}])
def test_what_is_no_text_is_refused_without_being_shown(arguments):
    mcp, requests = mcp_of(lambda _body, _request: {"content": []})
    with pytest.raises(ValueError, match="surrogate") as caught:
        mcp.call("run", arguments)
    assert not isinstance(caught.value, UnicodeError)
    assert caught.value.__context__ is None
    assert not requests


def test_a_coroutine_function_cannot_be_told_of_progress():
    async def progress(*_):
        pass

    mcp, requests = mcp_of(lambda _body, _request: {"content": []})
    with pytest.raises(TypeError, match="plain function"):
        mcp.call("run", progress=progress)
    assert not requests
