"""The server of the conformance suite: what it does is said by the path, what it saw can be asked for.

`/svc/api/<behaviour>/<key>` behaves, `/svc/api/seen/<key>` tells of the requests with that key.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib

from archal_lambda.testing.faulty_server import FaultServer, answer

PIECES = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SESSION = {
    "sessionId": "ses-1",
    "status": "running",
    "cloneIds": ["svc"],
    "endpoints": {},
    "apiBaseUrls": {},
    "createdAt": "2026-01-02T03:04:05Z",
    "expiresAt": "2026-01-02T03:34:05Z",
}


def told(received):
    """Describe a request as JSON."""
    lines = [line.partition(b":") for line in received.head.split(b"\r\n")[1:]]
    return {
        "method": received.method,
        "target": received.target,
        "headers": {
            key.decode("latin-1").lower(): value.strip().decode("latin-1")
            for key, _, value in lines
        },
        "body": base64.b64encode(received.body).decode(),
    }


def asked(received):
    """Give the first thing of a query, such as a status."""
    return received.target.partition("?")[2].partition("&")[0]


def with_key(server, key):
    """Find the requests that a check has made."""
    return [
        one
        for one in server.requests
        if key in one.target.partition("?")[0].split("/") and "/seen/" not in one.target
    ]


def body(document, **options):
    """Make a JSON response."""
    headers = ["Content-Type: application/json", *options.pop("headers", ())]
    return answer(json.dumps(document).encode(), headers=headers, **options)


def seen(conn, _received, key):
    conn.send(body([told(one) for one in with_key(conn.server, key)]))


def echo(conn, received, _key):
    conn.send(body(told(received)))


def raw(conn, received, _key):
    conn.send(answer(received.body or bytes(range(256))))


def refusal(conn, received, _key):
    status = asked(received)
    conn.send(body({"message": "no", "documentation_url": "x"}, status=f"{status} Status"))


def route(conn, _received, _key):
    conn.send(body({"error": "unauthorized", "code": "bad_route"}, status="403 Forbidden"))


def redirect(conn, received, key):
    status = asked(received)
    conn.send(answer(status=f"{status} Moved", headers=[f"Location: /svc/api/echo/landed-{key}"]))


def slow(conn, received, _key):
    conn.pause(1.2)
    conn.send(body(told(received)))


def silent(conn, _received, _key):
    conn.drain()


def stall(conn, _received, _key):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nabc")
    conn.drain()


def drip(conn, _received, _key):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
    conn.drip(b"x" * 900, 0.02)


def drip_head(conn, _received, _key):
    conn.drip(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100, 0.02)


def lost(conn, _received, _key):
    conn.reset()


def lost_once(conn, received, key):
    if len(with_key(conn.server, key)) == 1:
        conn.reset()
    echo(conn, received, key)


def cut(conn, _received, _key):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nabc")
    conn.end()


def cut_chunk(conn, _received, _key):
    conn.send(PIECES + b"3\r\nabc\r\n")
    conn.end()


def large(conn, _received, _key):
    conn.send(answer(b"x" * 300_000))


def large_in_pieces(conn, _received, _key):
    conn.send(PIECES)
    for _ in range(60):
        conn.send(b"1388\r\n" + b"x" * 5000 + b"\r\n")
    conn.send(b"0\r\n\r\n")


def coded_as(conn, received, _key):
    """Answer in any of the codings that everybody reads."""
    name = asked(received)
    plain = b"plain " * 50
    packed = {
        "gzip": gzip.compress(plain),
        "x-gzip": gzip.compress(plain),
        "deflate": zlib.compress(plain),
        "raw-deflate": zlib.compress(plain, wbits=-15),
        "gzip-deflate": zlib.compress(gzip.compress(plain)),
        "gzip-raw-deflate": zlib.compress(gzip.compress(plain), wbits=-15),
    }[name]
    coding = name if name == "x-gzip" else name.replace("raw-", "").replace("-", ", ")
    conn.send(answer(packed, headers=[f"Content-Encoding: {coding}"]))


def many_fields(conn, received, _key):
    count = int(asked(received))
    conn.send(body({}, headers=[f"X-{number % 400}:{number}" for number in range(count)]))


def spaced(conn, _received, _key):
    headers = ["X-Behind : b", "X Within: c", "X-After: d"]
    conn.send(body({"message": "no"}, headers=headers, status="401 Unauthorized"))


MALFORMED = {
    "field": b"HTTP/1.1 401 No\r\nX-A\r\nContent-Length: 0\r\n\r\n",
    "lengths": b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "length": b"HTTP/1.1 401 No\r\nContent-Length: -1\r\n\r\n",
    "chunk": b"HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n{}\r\n0\r\n\r\n",
    "coding": b"HTTP/1.1 401 No\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    "not-http": b"SSH-2.0-OpenSSH_9.9\r\n\r\n",
}


def malformed(conn, received, _key):
    conn.send(MALFORMED[asked(received)])
    conn.end()


def bomb(conn, _received, _key):
    packed = gzip.compress(b"x" * 5_000_000)
    conn.send(answer(packed, headers=["Content-Encoding: gzip"]))


def fields(conn, _received, _key):
    headers = ["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2", "X-Name: caf\xe9", "X-Twice: 1"]
    conn.send(body({}, headers=[*headers, "X-Twice: 2"]))


def empty(conn, received, _key):
    status = asked(received)
    conn.send(answer(b"", status=f"{status} Nothing", length=status == "200"))


def to_the_end(conn, _received, _key):
    conn.send(answer(b"until the end", length=False, headers=["Connection: close"]))
    conn.end()


def pages(conn, received, key):
    number = int(asked(received).removeprefix("page=") or 1)
    link = f'Link: <https://other.test/svc/api/pages/{key}?page={number + 1}>; rel="next"'
    headers = [link] if number < 3 else []
    conn.send(body([{"number": 2 * number - 1}, {"number": 2 * number}], headers=headers))


def mcp_stream(conn, received, key):
    """MCP, stateless: a stream with all that may be in one, which stays open after the answer."""
    message = json.loads(received.body)
    if "method" not in message:
        conn.send(answer(status="202 Accepted"))
        return
    progress = {"progressToken": message["id"], "progress": 1, "total": 2}
    other = {"jsonrpc": "2.0", "id": f"{message['id']}", "result": {"content": []}}
    found = {"content": [{"type": "text", "text": "wörd"}], "structuredContent": {"total": 7}}
    messages = [
        {"jsonrpc": "2.0", "id": "ours", "method": "ping"},
        {"jsonrpc": "2.0", "method": "notifications/progress", "params": progress},
        other,
        {"jsonrpc": "2.0", "id": message["id"], "result": found},
    ]
    conn.send(PIECES.replace(b"OK", b"OK\r\nContent-Type: text/event-stream", 1))
    for mark, some in (("\ufeff: hello\r\n", messages[:2]), ("", messages[2:])):
        events = mark + "".join(f"data: {json.dumps(one)}\r\n\r\n" for one in some)
        whole = events.encode()
        for piece in (whole[at : at + 50] for at in range(0, len(whole), 50)):
            conn.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        # The answer would spare the client its reply.
        conn.server.wait_for(
            lambda server: any(b'"ours"' in one.body for one in with_key(server, key))
        )
    conn.drain()


def mcp_stalled(conn, _received, _key):
    conn.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    conn.drip(b": ping\n\n" * 900, 0.02)


def mcp_of_old(conn, received, key):
    """MCP of the handshake era; its first session is lost after one call."""
    message = json.loads(received.body)
    method, number = message["method"], message.get("id")
    session = received.header("mcp-session-id")
    opened = sum(b'"initialize"' in one.body for one in with_key(conn.server, key))
    if method == "initialize":
        headers = [f"Mcp-Session-Id: {key}-{opened}"]
        agreed = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {}}
        conn.send(body({"jsonrpc": "2.0", "id": number, "result": agreed}, headers=headers))
    elif number is None:
        conn.send(answer(status="202 Accepted"))
    elif session is None:
        conn.send(answer(b"Bad Request: no session", status="400 Bad Request"))
    elif session == f"{key}-1" and message["params"]["arguments"]["n"] > 1:
        conn.send(body({"error": "session not found"}, status="404 Not Found"))
    else:
        said = json.dumps(message["params"]["arguments"])
        result = {"content": [{"type": "text", "text": said}]}
        conn.send(body({"jsonrpc": "2.0", "id": number, "result": result}))


def sessions(conn, received, _key):
    """Control plane: the first try of each creation fails."""
    key = received.header("idempotency-key")
    tries = [one for one in conn.server.requests if one.header("idempotency-key") == key]
    if len(tries) == 1:
        conn.send(body({"error": "e", "code": "busy"}, status="503 Busy"))
    else:
        conn.send(body({**SESSION, "lastError": json.dumps([told(one) for one in tries])}))


BEHAVIOURS = {
    "bomb": bomb,
    "coded-as": coded_as,
    "cut": cut,
    "cut-chunk": cut_chunk,
    "drip": drip,
    "drip-head": drip_head,
    "echo": echo,
    "empty": empty,
    "fields": fields,
    "large": large,
    "large-in-pieces": large_in_pieces,
    "malformed": malformed,
    "many-fields": many_fields,
    "lost": lost,
    "lost-once": lost_once,
    "mcp-of-old": mcp_of_old,
    "mcp-stalled": mcp_stalled,
    "mcp-stream": mcp_stream,
    "pages": pages,
    "raw": raw,
    "redirect": redirect,
    "route": route,
    "seen": seen,
    "sessions": sessions,
    "silent": silent,
    "slow": slow,
    "spaced": spaced,
    "stall": stall,
    "status": refusal,
    "to-the-end": to_the_end,
}


def script(conn, _index):
    while True:
        received = conn.read_request()
        parts = received.target.partition("?")[0].split("/")
        behaviour, key = [*parts, ""][3:5] if parts[1] == "svc" else (parts[2], "")
        BEHAVIOURS[behaviour](conn, received, key)


def server():
    """Make the server, not yet started."""
    return FaultServer(script)
