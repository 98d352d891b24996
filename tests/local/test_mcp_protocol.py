"""The stand-in's MCP endpoint on the wire: what it refuses, and how, in both eras."""

from __future__ import annotations

import base64

import pytest
from support.mcp_peer import HANDSHAKE_VERSIONS, MODERN, Endpoint, endpoint, error, events, rpc
from support.standin import GITHUB_TOKEN, Control, send

CALL = {"name": "get_me", "arguments": {}}
LABEL = {"owner": "testuser", "repo": "webshop", "name": "bug"}


@pytest.fixture
def peer(archal):
    return endpoint(archal, seeds={"github": "small-project"})


@pytest.mark.parametrize("version", HANDSHAKE_VERSIONS)
def test_a_session_of_the_handshake_era(peer, version):
    """It begins with the version asked for, lives by its id, and ends with DELETE."""
    begun = peer.initialize(version)
    assert begun.json["result"]["protocolVersion"] == version
    assert set(begun.json["result"]["capabilities"]) == {"tools", "resources", "prompts"}
    headers = {"Mcp-Session-Id": begun.header("mcp-session-id"), "MCP-Protocol-Version": version}

    note = peer.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
    assert (note.status, note.body) == (202, b"")
    assert peer.post({"jsonrpc": "2.0", "id": 9, "result": {}}, headers=headers).status == 202
    assert peer.post(rpc("ping"), headers=headers).json == {"jsonrpc": "2.0", "id": 1, "result": {}}
    called = peer.post(rpc("tools/call", CALL, "seven"), headers=headers).json
    assert (called["id"], called["result"]["isError"]) == ("seven", False)
    assert "resultType" not in called["result"]

    assert end(peer, headers).status == 204
    answer = peer.post(rpc("ping"), headers=headers)
    assert (answer.status, error(answer)) == (404, (-32600, "Session not found"))
    assert end(peer, headers).status == 404


def end(peer, headers):
    route = {"x-route-authorization": f"Bearer {peer.token}"}
    return send(peer.url, "DELETE", headers={**route, **headers})


@pytest.mark.parametrize("version", ["2023-01-01", MODERN, "x"])
def test_a_version_without_a_handshake_is_countered(peer, version):
    """With the newest that has one."""
    assert peer.initialize(version).json["result"]["protocolVersion"] == HANDSHAKE_VERSIONS[-1]


def test_sessions_end_alone(peer):
    """Another one goes on."""
    first, second = peer.session(), peer.session()
    end(peer, first)
    assert peer.post(rpc("ping"), headers=second).status == 200


@pytest.mark.parametrize("method", ["ping", "tools/list", "tools/call", "server/discover"])
def test_a_request_without_a_session_is_400(peer, method):
    """And so is a notification, but for `initialize`."""
    for message in (rpc(method), {"jsonrpc": "2.0", "method": "notifications/cancelled"}):
        answer = peer.post(message)
        assert answer.status == 400
        assert error(answer) == (-32600, "Mcp-Session-Id is missing: initialize first")


def test_a_session_keeps_to_its_version(peer):
    """The header may be left out, as clients of 2025-03-26 do."""
    session_id = peer.session("2025-06-18")["Mcp-Session-Id"]
    assert peer.post(rpc("ping"), headers={"Mcp-Session-Id": session_id}).status == 200
    other = {"Mcp-Session-Id": session_id, "MCP-Protocol-Version": "2025-11-25"}
    answer = peer.post(rpc("ping"), headers=other)
    assert (answer.status, answer.json["error"]["code"]) == (400, -32600)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "OPTIONS"])
def test_other_verbs_are_405(peer, method):
    """There is no stream from the server's side."""
    answer = send(peer.url, method, headers={"x-route-authorization": f"Bearer {peer.token}"})
    assert (answer.status, answer.header("allow")) == (405, "POST, DELETE")


def test_delete_is_405_without_sessions(peer):
    """As 2026-07-28 has none."""
    answer = end(peer, {"MCP-Protocol-Version": MODERN})
    assert (answer.status, answer.header("allow")) == (405, "POST")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        (b"1", -32600),
        (b"{}", -32600),
        (b'{"jsonrpc": "2.0"}', -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', -32600),
        (b'{"id": 1, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 2}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', -32600),
    ],
)
@pytest.mark.parametrize("version", [None, "2025-06-18", MODERN, "2099-01-01"])
def test_what_is_not_one_message_is_refused(peer, body, code, version):
    """In every era, and always as JSON."""
    headers = {} if version is None else {"MCP-Protocol-Version": version}
    answer = peer.post(body, headers=headers, accept="text/event-stream")
    assert (answer.status, answer.json["id"], answer.json["error"]["code"]) == (400, None, code)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (("tools/none", None), -32601, "tools/none"),
        (("notifications/initialized", None), -32601, "notifications/initialized"),
        (("logging/setLevel", {"level": "debug"}), -32601, "logging/setLevel"),
        (("tools/call", {"name": "none"}), -32602, "none"),
        (("tools/call", {"arguments": {}}), -32602, "`name`"),
        (("tools/call", {"name": "get_me", "arguments": []}), -32602, "$.arguments"),
        (("tools/call", {"name": "get_label", "arguments": {}}), -32602, "`owner`"),
        (
            ("tools/call", {"name": "get_label", "arguments": LABEL | {"name": None}}),
            -32602,
            "$.name",
        ),
        (("tools/list", {"cursor": "x"}), -32602, "cursor"),
        (("tools/list", {"cursor": 1}), -32602, "$.cursor"),
        (("prompts/get", {"name": "none"}), -32602, "none"),
        (("resources/read", {}), -32602, "`uri`"),
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_an_error_of_the_protocol(peer, asked, code, said, accept):
    """It is a response of HTTP 200 in the handshake era, and 400 or 404 since."""
    old = peer.post(rpc(*asked), headers=peer.session(), accept=accept)
    found = (events(old)[0] if accept.startswith("text") else old.json)["error"]
    assert (old.status, found["code"]) == (200, code)
    assert said in found["message"]

    new = peer.modern(*asked, accept=accept)
    assert (new.status, new.json["id"]) == (404 if code == -32601 else 400, 1)
    assert new.json["error"]["code"] == code
    assert said in new.json["error"]["message"]


@pytest.mark.parametrize(
    "uri", ["repo://testuser/webshop/contents/none", "repo://testuser/webshop/contents/src", "x"]
)
def test_a_resource_that_is_not_there(peer, uri):
    """Its code changed with the era; a directory is none."""
    old = peer.post(rpc("resources/read", {"uri": uri}), headers=peer.session()).json["error"]
    new = peer.modern("resources/read", {"uri": uri}).json["error"]
    assert (old["code"], new["code"]) == (-32002, -32602)
    assert old["data"] == new["data"] == {"uri": uri}


def test_discover_and_the_marks_of_a_modern_result(peer):
    """What is listed may be cached, and says how long."""
    found = peer.modern("server/discover").json["result"]
    assert found["supportedVersions"] == [*HANDSHAKE_VERSIONS, MODERN]
    listed = peer.modern("tools/list").json["result"]
    for result in (found, listed):
        assert (result["resultType"], result["ttlMs"]) == ("complete", 0)
        assert result["cacheScope"] == "private"
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "github"
    called = peer.modern("tools/call", CALL)
    assert called.json["result"]["resultType"] == "complete"
    assert "ttlMs" not in called.json["result"]
    assert called.header("mcp-session-id") is None


@pytest.mark.parametrize("version", ["2099-01-01", "x"])
def test_an_unknown_version_is_told_which_are_known(peer, version):
    """By the error that negotiating clients look for."""
    answer = peer.modern(
        "tools/list",
        headers={"MCP-Protocol-Version": version},
        meta={"protocolVersion": version},
    )
    assert (answer.status, answer.json["error"]["code"]) == (400, -32022)
    supported = [*HANDSHAKE_VERSIONS, MODERN]
    assert answer.json["error"]["data"] == {"supported": supported, "requested": version}
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
    refused = peer.post(note, headers={"MCP-Protocol-Version": version})
    assert (refused.status, refused.json["error"]["code"]) == (400, -32022)


def test_a_modern_notification_is_taken_and_a_response_is_not(peer):
    """A server asks for nothing since 2026-07-28."""
    headers = {"MCP-Protocol-Version": MODERN}
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
    assert peer.post(note, headers=headers).status == 202
    answer = peer.post({"jsonrpc": "2.0", "id": 1, "result": {}}, headers=headers)
    assert (answer.status, answer.json["error"]["code"]) == (400, -32600)


@pytest.mark.parametrize("method", ["initialize", "ping"])
def test_methods_of_the_handshake_era_are_gone(peer, method):
    """404, as for any unknown method."""
    answer = peer.modern(method)
    assert (answer.status, answer.json["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize(
    ("headers", "meta", "code", "said"),
    [
        ({}, {"protocolVersion": None}, -32602, "protocolVersion"),
        ({}, {"clientCapabilities": None}, -32602, "clientCapabilities"),
        ({}, {"protocolVersion": None, "clientCapabilities": None}, -32602, "protocolVersion"),
        ({"MCP-Protocol-Version": None}, {}, -32020, "mcp-protocol-version"),
        ({"MCP-Protocol-Version": "2099-01-01"}, {}, -32020, "mcp-protocol-version"),
        ({"Mcp-Method": None}, {}, -32020, "mcp-method"),
        ({"Mcp-Method": "tools/list"}, {}, -32020, "mcp-method"),
        ({"Mcp-Name": None}, {}, -32020, "mcp-name"),
        ({"Mcp-Name": "get_you"}, {}, -32020, "mcp-name"),
        ({"Mcp-Name": "=?base64?Z2V0X21?="}, {}, -32020, "mcp-name"),
        ({"Mcp-Name": "=?base64?/w==?="}, {}, -32020, "mcp-name"),
        ({"mcp-method": "tools/call"}, {}, -32020, "more than once"),
    ],
)
def test_headers_and_envelope_must_agree_with_the_body(peer, headers, meta, code, said):
    """The client information alone may be left out."""
    answer = peer.modern("tools/call", CALL, headers=headers, meta=meta)
    assert (answer.status, answer.json["error"]["code"]) == (400, code)
    assert said in answer.json["error"]["message"]


def test_a_name_may_be_coded(peer):
    """As a URI that is not ASCII must be; client information may be left out."""
    coded = f"=?base64?{base64.b64encode(b'get_me').decode()}?="
    answer = peer.modern("tools/call", CALL, headers={"Mcp-Name": coded}, meta={"clientInfo": None})
    assert answer.status == 200


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("application/json, text/event-stream", False),
        ("text/event-stream, application/json", False),
        ("text/event-stream", True),
        ("text/*", True),
        ("TEXT/event-stream; charset=utf-8", True),
        ("text/event-stream, application/json;q=0.9", True),
        ("application/json;q=0, */*", True),
        ("*/*;q=0.1, text/event-stream;q=0.2", True),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=none", None),
    ],
)
def test_accept_chooses_between_json_and_a_stream(peer, accept, stream):
    """JSON where both are equally welcome; a stream is marked as not to be cached."""
    answers = [
        peer.modern("tools/call", CALL, accept=accept),
        peer.initialize(accept=accept),
    ]
    for answer in answers:
        if stream is None:
            assert (answer.status, answer.json["error"]["code"]) == (406, -32600)
        elif stream:
            assert answer.header("cache-control") == "no-cache"
            assert [event["id"] for event in events(answer)] == [1]
        else:
            assert answer.json["id"] == 1
    if stream is not None:
        assert answers[1].header("mcp-session-id")


def test_progress_is_marked_with_its_token(peer):
    """It comes before the response, in a stream, for a call that succeeds."""
    asked = {"meta": {"progressToken": "p-1"}, "accept": "text/event-stream"}
    note, response = events(peer.modern("tools/call", CALL, **asked))
    assert note["method"] == "notifications/progress"
    assert note["params"] == {"progressToken": "p-1", "progress": 1, "total": 1}
    assert response["id"] == 1
    assert len(events(peer.modern("tools/list", **asked))) == 1


def test_the_body_must_be_declared_as_json(peer):
    """415 for anything else."""
    url, route = peer.url, {"x-route-authorization": f"Bearer {peer.token}"}
    answer = send(
        url, "POST", json_body=rpc("ping"), headers={**route, "Content-Type": "text/plain"}
    )
    assert (answer.status, answer.json["error"]["code"]) == (415, -32600)


@pytest.mark.parametrize("below", ["/x", "//", "/mcp"])
def test_below_the_endpoint_there_is_nothing(peer, below):
    """But a slash at its end does no harm."""
    assert Endpoint(f"{peer.url}{below}", peer.token).modern("tools/list").status == 404
    assert Endpoint(f"{peer.url}/", peer.token).modern("tools/list").status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic {token}"},
        {"x-route-authorization": "Bearer wrong", "Authorization": "Bearer {token}"},
        {"x-route-authorization": "", "Authorization": "Bearer {token}"},
    ],
)
def test_the_endpoint_wants_archals_token(archal, peer, headers):
    """`Authorization` counts where the route header is missing, and only there."""
    sent = {name: value.format(token=archal.token) for name, value in headers.items()}
    answer = send(peer.url, "POST", json_body=rpc("ping"), headers=sent)
    assert (answer.status, answer.json["code"]) == (401, "unauthorized")
    assert archal.requests[-1].clone_saw is None


def test_authorization_does_not_open_rest(archal, peer):
    """There it is the service's."""
    url = peer.url.removesuffix("mcp") + "api/user"
    answer = send(url, headers={"Authorization": f"Bearer {archal.token}"})
    assert answer.status == 401


def test_another_users_token_is_forbidden(archal, peer):
    """In either header."""
    for header in ("x-route-authorization", "Authorization"):
        sent = {header: f"Bearer {archal.other_token}"}
        assert send(peer.url, "POST", headers=sent).status == 403


def test_a_credential_of_the_service_reaches_the_tools(peer):
    """One that GitHub would not take fails there, as a result; none acts for the clone's user."""
    good = peer.modern("tools/call", CALL, headers={"Authorization": f"Bearer {GITHUB_TOKEN}"})
    assert not good.json["result"]["isError"]
    bad = peer.modern("tools/call", CALL, headers={"Authorization": "Digest x"}).json["result"]
    assert bad["isError"]
    assert "401 Bad credentials" in bad["content"][0]["text"]


def test_records_name_the_tool_and_never_its_arguments(archal, peer):
    """A name that is no tool's is an argument, too."""
    private = {"owner": "o-4711", "repo": "r-4711", "name": "n-4711"}
    peer.modern("tools/call", {"name": "get_label", "arguments": private})
    assert archal.requests[-1].tool == "get_label"
    assert (archal.requests[-1].clone, archal.requests[-1].clone_saw.path) == ("github", "/mcp")
    peer.modern("tools/call", {"name": "t-4711"}, headers={"Mcp-Name": None})
    assert archal.requests[-1].tool is None
    assert "4711" not in repr(archal.requests[-2:])


def test_the_session_says_where_mcp_is(archal):
    """For the clones that have it."""
    control = Control(archal.api_url, archal.token)
    created = control.create(clones=["github", "echo"]).json
    assert created["mcp"] == {"github": created["endpoints"]["github"].removesuffix("api") + "mcp"}
    assert archal.mcp_url("github").endswith(f"/runtime/{archal.session_id}/github/mcp")
    with pytest.raises(ValueError, match="echo has no MCP"):
        archal.mcp_url("echo")


def test_a_budget_counts_mcp_as_well(archal):
    """Once it is spent, the clone's own 429 comes."""
    peer = endpoint(archal, rateLimit=1)
    assert [peer.modern("tools/list").status for _ in range(2)] == [200, 429]


def test_the_oldest_session_goes_when_there_are_too_many(peer):
    """So that a client that never ends one does not fill the memory."""
    first = peer.session()
    for _ in range(1000):
        last = peer.initialize().header("mcp-session-id")
    assert peer.post(rpc("ping"), headers=first).status == 404
    assert peer.post(rpc("ping"), headers={"Mcp-Session-Id": last}).status == 200
