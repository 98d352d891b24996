"""The official MCP client at the stand-in: both eras, JSON and SSE."""

from __future__ import annotations

import asyncio

import pytest
from mcp.shared.exceptions import MCPError
from support.mcp_peer import MODERN, endpoint, official

MODES = ["legacy", "auto", MODERN]
SEED = {"github": "small-project"}
REPO = {"owner": "testuser", "repo": "webshop"}


def run(archal, work, *, mode, stream=False, header="x-route-authorization"):
    """Do some work with a client on a session of its own, which it gives back."""
    peer = endpoint(archal, seeds=SEED)

    async def main():
        async with asyncio.timeout(20):
            async with official(
                peer.url, archal.token, mode=mode, stream=stream, header=header
            ) as client:
                return await work(client)

    return asyncio.run(main())


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("mode", MODES)
def test_it_lists_and_calls(archal, mode, stream):
    """Tools read and write, and structured content fits its schema, which the client checks."""

    async def work(client):
        tools = (await client.list_tools()).tools
        made = await client.call_tool("issue_write", {"method": "create", **REPO, "title": "Mine"})
        found = await client.call_tool("list_issues", {**REPO, "state": "OPEN", "perPage": 1})
        me = await client.call_tool("get_me", {})
        return client.protocol_version, tools, made, found, me

    version, tools, made, found, me = run(archal, work, mode=mode, stream=stream)

    assert version == ("2025-11-25" if mode == "legacy" else MODERN)
    assert {tool.name for tool in tools if tool.output_schema} >= {"get_me", "list_issues"}
    assert made.structured_content["url"].endswith("/testuser/webshop/issues/4")
    assert [issue["title"] for issue in found.structured_content["issues"]] == ["Mine"]
    assert me.structured_content["login"] == "testuser"
    accepts = {record.clone_saw.headers.get("accept") for record in archal.requests[-3:]}
    assert ("text/event-stream, application/json;q=0.5" in accepts) == stream


@pytest.mark.parametrize("mode", MODES)
def test_a_refusal_of_the_clone_is_a_result(archal, mode):
    """It is for the model, in GitHub's words."""

    async def work(client):
        missing = {"method": "get", **REPO, "issue_number": 99}
        return await client.call_tool("issue_read", missing)

    result = run(archal, work, mode=mode)

    assert result.is_error
    said = "failed to get issue: GET https://api.github.com/repos/testuser/webshop/issues/99: "
    assert result.content[0].text == f"{said}404 Not Found []"


@pytest.mark.parametrize("stream", [False, True], ids=["json", "sse"])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("no_such_tool", {}), "no_such_tool"),
        (("create_issue", {"owner": "testuser", "title": "x"}), "`repo`"),
        (("create_issue", {**REPO, "title": 7}), "$.title"),
    ],
)
def test_a_mistake_of_the_caller_is_an_error(archal, mode, stream, call, said):
    """It has a code and names what is wrong."""

    async def work(client):
        with pytest.raises(MCPError) as caught:
            await client.call_tool(*call)
        return caught.value.error

    error = run(archal, work, mode=mode, stream=stream)

    assert error.code == -32602
    assert said in error.message


@pytest.mark.parametrize("mode", MODES)
def test_files_are_resources(archal, mode):
    """What `get_file_contents` embeds can be read again by its URI."""

    async def work(client):
        templates = (await client.list_resource_templates()).resource_templates
        file = await client.call_tool("get_file_contents", {**REPO, "path": "README.md"})
        uri = file.content[1].resource.uri
        assert (await client.list_resources()).resources == []
        assert (await client.list_prompts()).prompts == []
        return templates, file, (await client.read_resource(uri)).contents

    templates, file, contents = run(archal, work, mode=mode)

    assert "repo://{owner}/{repo}/contents{/path*}" in {one.uri_template for one in templates}
    assert file.content[0].text.startswith("successfully downloaded text file (SHA: ")
    assert contents == [file.content[1].resource]
    assert contents[0].text.startswith("# webshop")
    assert contents[0].mime_type == "text/markdown"


@pytest.mark.parametrize("mode", MODES)
def test_progress_comes_in_the_stream(archal, mode):
    """A call that asks for progress hears of it before the response."""
    heard = []

    async def on_progress(progress, total, message):
        heard.append((progress, total, message))

    async def work(client):
        return await client.call_tool("get_me", {}, progress_callback=on_progress)

    assert not run(archal, work, mode=mode, stream=True).is_error
    assert heard == [(1, 1, None)]


@pytest.mark.parametrize("mode", MODES)
def test_the_token_may_come_in_authorization(archal, mode):
    """As MCP clients send it, which know one credential; the clone does not see it."""

    async def work(client):
        return await client.call_tool("get_me", {})

    assert not run(archal, work, mode=mode, header="Authorization").is_error
    calls = [record for record in archal.requests if record.tool == "get_me"]
    assert "authorization" in calls[-1].received_headers
    assert "authorization" not in calls[-1].clone_saw.headers
