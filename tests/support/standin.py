"""An HTTP client for tests of the stand-in, which sends exactly what the test says, and a clone that echoes."""

from __future__ import annotations

import dataclasses
import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

GITHUB_TOKEN = "ghp_AaBbCcDdEeFfGgHhIiJjKkLlMmNnOoPpQqRrSsTt"


@dataclasses.dataclass(frozen=True)
class Answer:
    """One response, with every header field in order."""

    status: int
    fields: list
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def header(self, name):
        found = [value for key, value in self.fields if key.lower() == name]
        return found[0] if found else None


def send(url, method="GET", *, json_body=None, body=b"", headers=()):
    """Send one request on a connection of its own; the path goes out as it is written."""
    parts = urlsplit(url)
    fields = list(headers.items() if isinstance(headers, dict) else headers)
    if json_body is not None:
        body = json.dumps(json_body).encode()
    target = url.partition(parts.netloc)[2] or "/"
    connection = HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        own = any(name.lower() == "host" for name, _ in fields)
        connection.putrequest(method, target, skip_host=own, skip_accept_encoding=True)
        for name, value in fields:
            connection.putheader(name, value)
        if body or method in {"POST", "PUT", "PATCH"}:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        return Answer(response.status, response.getheaders(), response.read())
    finally:
        connection.close()


@dataclasses.dataclass(frozen=True)
class Control:
    """The control plane of one stand-in, asked with one token."""

    url: str
    token: str

    def __call__(self, method, path, json_body=None, *, body=b"", headers=()):
        authorization = [("Authorization", f"Bearer {self.token}"), *headers]
        return send(self.url + path, method, json_body=json_body, body=body, headers=authorization)

    def create(self, *, headers=(), **fields):
        """Create a session, with the GitHub clone unless told otherwise."""
        fields.setdefault("clones", ["github"])
        return self("POST", "/api/sessions", fields, headers=headers)


@dataclasses.dataclass(frozen=True)
class Route:
    """One clone of one session, asked with both headers of the route."""

    base: str
    token: str

    def __call__(self, method, path, json_body=None, *, body=b"", credential=GITHUB_TOKEN, **extra):
        headers = [("x-route-authorization", f"Bearer {self.token}")]
        if credential is not None:
            headers.append(("Authorization", f"Bearer {credential}"))
        headers += [(name.replace("_", "-"), value) for name, value in extra.items()]
        return send(self.base + path, method, json_body=json_body, body=body, headers=headers)


def route(archal, clone="github", **fields):
    """Open a session of its own and give the way to one of its clones."""
    control = Control(archal.api_url, archal.token)
    created = control.create(clones=[clone], **fields)
    assert created.status == 200, created.body
    return Route(created.json["apiBaseUrls"][clone], archal.token)


async def echo(scope, receive, send):
    """Answer with the request as the clone sees it; the query string may ask for more."""
    message = await receive()
    seen = {
        "method": scope["method"],
        "path": scope["path"],
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": [[key.decode(), value.decode("latin-1")] for key, value in scope["headers"]],
        "body": message["body"].decode("latin-1"),
    }
    extra = [
        pair.encode("latin-1").split(b": ", 1)
        for key, value in seen["headers"]
        if key == "x-answer"
        for pair in [value]
    ]
    headers = [(b"content-type", b"application/json"), *(tuple(pair) for pair in extra)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})
