"""A server that costs as little as Python allows: it looks at nothing but the path and the length.

`/svc/api/<bytes>/<milliseconds>` answers with so many bytes of repositories, after so long.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from functools import cache

_REPO = 1000  # bytes of each listed repository, about
_PATH = re.compile(rb"/svc/api/(\d+)/(\d+) ")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@cache
def answer(size):
    """Make an answer of about `size` bytes."""
    count = max(size // _REPO, 1)
    body = json.dumps({"items": [repo(number, size // count) for number in range(count)]}).encode()
    fields = [
        "HTTP/1.1 200 OK",
        "Content-Type: application/json; charset=utf-8",
        "Date: Wed, 01 Jan 2025 00:00:00 GMT",
        "Server: bench",
        "X-Request-Id: 0123456789abcdef",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + body


def repo(number, size):
    name = f"octocat/measured-{number}"
    made = {"id": number, "full_name": name, "html_url": f"https://github.test/{name}"}
    made |= {"private": False, "description": ""}
    return made | {"description": "x" * max(size - len(json.dumps(made)), 0)}


def serve(conn):
    """Answer until the client goes."""
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            if not (more := conn.recv(262144)):
                return
            data += more
        head, _, data = data.partition(b"\r\n\r\n")
        length = int(_LENGTH.search(head)[1])
        while len(data) < length:
            data += conn.recv(262144)
        data = data[length:]
        size, latency = map(int, _PATH.search(head).groups())
        if latency:
            time.sleep(latency / 1000)
        conn.sendall(answer(size))


def main():
    """Print the port, then serve until standard input ends."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)

    def accept():
        while True:
            conn, _ = listener.accept()
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=serve, args=(conn,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
