"""Tools, resources and prompts by MCP, of a server that misbehaves and of the local Archal's clone."""

from __future__ import annotations

import json
import time

from conformance.host import ROUTE, TOKEN, fails

from archal_lambda import McpError, Settings, errors


def mcp_at(host, behaviour, **options):
    """Make a client of a server that behaves so; give the key of its requests besides."""
    key = host.key()
    url = f"{host.origin}/svc/api/{behaviour}/{key}"
    settings = Settings(
        clone_urls={"svc": f"{host.origin}/svc/api"}, mcp_urls={"svc": url}, token=ROUTE
    )
    return host.made("Clones", settings, **options)["svc"].mcp, key


async def check_mcp_reads_a_stream_up_to_its_answer(host):
    told, records = [], []
    mcp, key = mcp_at(host, "mcp-stream", on_call=records.append)
    found = await mcp.call("add", {"a": "private"}, progress=lambda *args: told.append(args))
    assert (found.text, found.structured) == ("wörd", {"total": 7})
    assert told == [(1.0, 2.0)]
    first, reply = await host.seen(key)
    assert first["headers"]["mcp-method"] == "tools/call"
    assert first["headers"]["mcp-name"] == "add"
    assert first["headers"]["x-route-authorization"] == f"Bearer {ROUTE}"
    assert reply["headers"]["x-route-authorization"] == f"Bearer {ROUTE}"
    assert json.loads(reply["body"]) == {"jsonrpc": "2.0", "id": "ours", "result": {}}
    assert [one.operation for one in records] == ["tools/call add"]
    assert "private" not in repr(records)
    assert await mcp.call("add", {"a": 1}, type=dict[str, int]) == {"total": 7}


async def check_mcp_ends_a_stream_without_an_answer_in_time(host):
    mcp, key = mcp_at(host, "mcp-stalled")
    failure = await fails(mcp.call("add", timeout=0.5), errors.RequestTimeout, within=0.5)
    assert failure.sent is True
    assert len(await host.seen(key)) == 1


async def check_mcp_makes_a_handshake_and_renews_it_once(host):
    mcp, key = mcp_at(host, "mcp-of-old")
    assert (await mcp.call("say", {"n": 1})).text == '{"n": 1}'
    assert (await mcp.call("say", {"n": 2})).text == '{"n": 2}'
    assert (await mcp.call("say", {"n": 3})).text == '{"n": 3}'
    sent = [json.loads(one["body"]) for one in await host.seen(key)]
    begin = ["initialize", "notifications/initialized", "tools/call"]
    assert [one["method"] for one in sent] == [
        *["tools/call", *begin],
        *["tools/call", *begin],
        "tools/call",
    ]


async def check_mcp_tells_the_route_from_the_server(host):
    mcp, _ = mcp_at(host, "route")
    await fails(mcp.tools(), errors.RouteRejectedError)
    mcp, key = mcp_at(host, "status")
    await fails(mcp.call("add", {"secret": TOKEN}), errors.ArchalError)
    mcp, key = mcp_at(host, "lost")
    failure = await fails(mcp.call("add", {"secret": TOKEN}), errors.ConnectionLost)
    assert failure.sent is True
    assert len(await host.seen(key)) == 1


async def check_mcp_of_the_local_archal(host):
    github = host.made("Clones", Settings.from_env(host.environ))["github"]
    mcp = github.mcp
    tools = {one.name: one for one in await mcp.tools()}
    assert tools["create_repository"].bedrock()["toolSpec"]["inputSchema"]["json"]["required"]
    name = f"made-by-tool-{host.key()}-{time.monotonic_ns()}"
    made = await mcp.call("create_repository", {"name": name})
    assert not made.is_error
    login = (await github.get("/user", token=TOKEN)).json()["login"]
    there = await github.get(f"/repos/{login}/{name}", token=TOKEN)
    assert there.raise_for_status().json()["name"] == name
    assert (await mcp.call("create_repository", {"name": name})).is_error
    error = await fails(mcp.call("no_such_tool"), McpError)
    assert error.code == -32602
