"""The official server in both eras, answering with JSON and with events."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from support import mcp_server

from archal_lambda import AsyncClones, Clones, DecodeError, McpError, Settings
from archal_lambda.mcp import _servers

FORMS = {
    "stateless, events": {},
    "stateless, JSON": {"json_response": True},
    "handshake, events": {"old": True},
    "handshake, JSON": {"old": True, "json_response": True},
    "handshake, 404": {"old": True, "status": 404},
}


class Total(msgspec.Struct):
    total: int


@pytest.fixture(scope="module", params=FORMS)
def peer(request):
    with mcp_server.running(**FORMS[request.param]) as peer:
        peer.old = FORMS[request.param].get("old", False)
        peer.json = FORMS[request.param].get("json_response", False)
        yield peer


@pytest.fixture
def records():
    return []


@pytest.fixture
def mcp(peer, records):
    """A client of a process that knows nothing of the server yet."""
    _servers._servers.clear()
    peer.requests.clear()
    peer.done.clear()
    with Clones(settings(peer), on_call=records.append) as clones:
        yield clones["peer"].mcp


def settings(peer):
    return Settings(clone_urls={"peer": f"{peer.origin}/api"}, token="t")


def test_tools_are_listed_with_their_schemas(mcp):
    add, *others = mcp.tools()
    assert (add.name, add.title, add.description) == ("add", "Addition", "Add two numbers.")
    assert set(add.input_schema["properties"]) == {"a", "b"}
    assert add.output_schema["properties"]["total"]["type"] == "integer"
    assert add.annotations["readOnlyHint"] is True
    assert [one.name for one in others] == ["count", "fail"]


def test_a_tool_is_called_and_its_result_is_typed(mcp):
    result = mcp.call("add", {"a": 1, "b": 2})
    assert (result.structured, result.is_error) == ({"total": 3}, False)
    assert mcp.call("add", {"a": 1, "b": 2}, type=Total) == Total(3)
    assert "3" in result.text


def test_the_first_call_of_a_stateless_server_is_one_post(mcp, peer):
    mcp.call("add", {"a": 1, "b": 2})
    methods = [method for method, _ in peer.requests]
    assert methods == (["POST"] * 4 if peer.old else ["POST"])
    mcp.call("add", {"a": 1, "b": 2})
    assert len(peer.requests) == len(methods) + 1
    assert peer.done == ["add", "add"]


def test_the_route_header_is_on_every_request(mcp, peer):
    mcp.call("add", {"a": 1, "b": 2})
    assert {headers["x-route-authorization"] for _, headers in peer.requests} == {"Bearer t"}


def test_progress_is_told_as_it_comes(mcp, peer):
    told = []
    result = mcp.call("count", {"to": 3}, progress=lambda *step: told.append(step))
    assert result.text == '{"total": 7}'
    assert told == ([] if peer.json else [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0)])


def test_a_type_is_decoded_from_the_structured_result(mcp):
    assert mcp.call("count", {"to": 0}, type=dict[str, str]) == {"result": '{"total": 7}'}
    with pytest.raises(DecodeError):
        mcp.call("add", {"a": 1, "b": 2}, type=list[int])


def test_a_failure_of_a_tool_is_data(mcp):
    result = mcp.call("fail")
    assert result.is_error
    assert "fail" in result.text
    with pytest.raises(McpError) as caught:
        mcp.call("fail", type=Total)
    assert caught.value.code is None
    assert caught.value.detail == result.text
    assert str(caught.value).startswith("tools/call fail: the tool failed")


def test_resources_and_prompts(mcp):
    (resource,) = mcp.resources()
    assert (resource.uri, resource.mime_type) == ("data://greeting", "text/plain")
    (contents,) = mcp.read("data://greeting")
    assert contents.text == "hello"
    (prompt,) = mcp.prompts()
    assert prompt.arguments[0]["name"] == "name"
    message = mcp.prompt("greet", {"name": "Ada"}).messages[0]
    assert message["content"]["text"] == "Hello Ada"


def test_a_refusal_is_an_error_with_its_code(mcp):
    with pytest.raises(McpError) as caught:
        mcp.read("data://nothing")
    assert isinstance(caught.value.code, int)
    assert caught.value.detail
    assert mcp.call("add", {"a": 2, "b": 2}, type=Total).total == 4


def test_a_hook_is_told_of_the_tool_and_never_of_its_arguments(mcp, records):
    mcp.call("add", {"a": 1234567, "b": 2})
    last = records[-1]
    assert (last.operation, last.clone, last.path, last.status_code) == (
        "tools/call add",
        "peer",
        "/mcp",
        200,
    )
    assert "1234567" not in repr(records)


def test_awaited_calls_do_the_same(peer):
    async def main():
        async with AsyncClones(settings(peer)) as clones:
            mcp = clones["peer"].mcp
            found = await asyncio.gather(
                *[mcp.call("add", {"a": number, "b": 1}, type=Total) for number in range(8)]
            )
            assert [one.total for one in found] == list(range(1, 9))
            told = []
            await mcp.call("count", {"to": 2}, progress=lambda *step: told.append(step))
            assert len(told) == (0 if peer.json else 2)
            assert [one.name for one in await mcp.tools()] == ["add", "count", "fail"]
            assert (await mcp.resources())[0].uri == "data://greeting"
            assert (await mcp.read("data://greeting"))[0].text == "hello"
            assert (await mcp.prompts())[0].name == "greet"
            assert (await mcp.prompt("greet", {"name": "Ada"})).messages

    asyncio.run(main())


def test_a_lost_session_is_renewed_once(mcp, peer):
    mcp.tools()
    learnt = _servers.learnt_of(mcp._server)
    if not peer.old:
        assert learnt.era.session_id is None
        return
    learnt.era = msgspec.structs.replace(learnt.era, session_id="0" * 32)
    peer.requests.clear()
    assert mcp.call("add", {"a": 1, "b": 2}, type=Total).total == 3
    assert [method for method, _ in peer.requests] == ["POST"] * 4
    assert peer.done == ["add"]


def test_a_session_is_its_callers_alone(peer):
    """What was learnt of a server is kept for the process, but no caller uses the session of another."""
    _servers._servers.clear()
    peer.requests.clear()
    for token in ("one", "two", "one"):
        made = Settings(clone_urls={"peer": f"{peer.origin}/api"}, token=token)
        with Clones(made) as clones:
            clones["peer"].mcp.call("add", {"a": 1, "b": 2})
    used = {
        (headers["x-route-authorization"], headers["mcp-session-id"])
        for _, headers in peer.requests
        if "mcp-session-id" in headers
    }
    assert len({caller for caller, _ in used}) == len({session for _, session in used}) == len(used)
    assert len(used) == (2 if peer.old else 0)
