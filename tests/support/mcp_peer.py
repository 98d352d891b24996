"""The official MCP client, and bare requests, against the stand-in's MCP endpoints."""

from __future__ import annotations

import contextlib
import dataclasses
import json

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from support.standin import Control, send

HANDSHAKE_VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
MODERN = "2026-07-28"
_META = "io.modelcontextprotocol/"


@contextlib.asynccontextmanager
async def official(url, token, *, mode, stream=False, header="x-route-authorization"):
    """Connect the official client; it accepts both forms of a response, so that `stream` says which it prefers."""

    async def prefer(request):
        if stream:
            request.headers["accept"] = "text/event-stream, application/json;q=0.5"

    headers = {header: f"Bearer {token}"}
    hooks = {"request": [prefer]}
    async with (
        httpx2.AsyncClient(headers=headers, event_hooks=hooks, timeout=10) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One MCP endpoint, asked with exactly what a test says."""

    url: str
    token: str

    def post(self, message, *, headers=(), accept="application/json, text/event-stream"):
        """Send a message, or bytes as they are."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        fields = [
            ("x-route-authorization", f"Bearer {self.token}"),
            ("Content-Type", "application/json"),
        ]
        if accept is not None:
            fields.append(("Accept", accept))
        return send(self.url, "POST", body=body, headers=[*fields, *dict(headers).items()])

    def initialize(self, version="2025-11-25", *, headers=(), **more):
        """Begin a session."""
        params = {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        }
        return self.post(rpc("initialize", params), headers=headers, **more)

    def session(self, version="2025-11-25"):
        """Begin a session and give the headers that every later request carries."""
        answer = self.initialize(version)
        headers = {
            "Mcp-Session-Id": answer.header("mcp-session-id"),
            "MCP-Protocol-Version": answer.json["result"]["protocolVersion"],
        }
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=headers)
        return headers

    def modern(self, method, params=None, *, headers=(), meta=(), **more):
        """Send a request of 2026-07-28; headers and meta given as None are left out."""
        params = dict(params or {})
        envelope = {
            f"{_META}protocolVersion": MODERN,
            f"{_META}clientCapabilities": {},
            f"{_META}clientInfo": {"name": "test", "version": "0"},
            **{
                (key if key == "progressToken" else _META + key): value
                for key, value in dict(meta).items()
            },
        }
        params["_meta"] = {key: value for key, value in envelope.items() if value is not None}
        fields = {"MCP-Protocol-Version": MODERN, "Mcp-Method": method}
        name = params.get("uri" if method == "resources/read" else "name")
        if name is not None:
            fields["Mcp-Name"] = name
        fields = {
            key: value for key, value in {**fields, **dict(headers)}.items() if value is not None
        }
        return self.post(rpc(method, params), headers=fields, **more)


def endpoint(archal, **fields):
    """Open a session of its own and give the MCP endpoint of its GitHub clone."""
    created = Control(archal.api_url, archal.token).create(**fields)
    assert created.status == 200, created.body
    return Endpoint(created.json["mcp"]["github"], archal.token)


def rpc(method, params=None, request_id=1):
    """Write a request."""
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def error(answer):
    """Read the code and the words of a JSON-RPC error."""
    found = answer.json["error"]
    return found["code"], found["message"]


def events(answer):
    """Read the messages of an event stream."""
    assert answer.header("content-type") == "text/event-stream"
    lines = answer.body.decode().split("\n")
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data:")]
