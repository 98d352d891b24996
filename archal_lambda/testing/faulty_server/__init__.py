"""A server that misbehaves on purpose, byte by byte, for what no fault of the local Archal covers.

It speaks no HTTP of its own: a script says what goes out on each connection and when. A script is a function
`(conn, index)`, or a list of steps, each a function `(conn)`, made by the helpers below. It needs the standard library
alone, and listens on 127.0.0.1.

Example:
    >>> from archal_lambda import Clones, ConnectionLost, Settings
    >>> from archal_lambda.testing.faulty_server import FaultServer, answer, cut, read, send
    >>> with FaultServer([read, send(answer(b"whole")[:-1]), cut]) as server:
    ...     settings = Settings(clone_urls={"svc": f"{server.origin}/svc/api"}, token="t")
    ...     try:
    ...         Clones(settings)["svc"].post("/things")
    ...     except ConnectionLost as error:
    ...         error.sent, server.requests[0].target
    (True, '/svc/api/things')
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Generator, Iterable, Sequence

from archal_lambda.testing.faulty_server._server import (
    Conn,
    FaultServer,
    Received,
    Script,
    Step,
    in_turn,
    script_of,
)

__all__ = [
    "Conn",
    "FaultServer",
    "Received",
    "Script",
    "Step",
    "answer",
    "blackhole",
    "by_connection",
    "cut",
    "drip",
    "end",
    "flood",
    "good",
    "handshake",
    "hold",
    "in_turn",
    "pause",
    "read",
    "reset",
    "send",
    "serve",
]

_BLACKHOLE_SECONDS = 0.1


def handshake(context: ssl.SSLContext) -> Step:
    """Step: let a plain connection begin TLS."""
    return lambda conn: conn.handshake(context)


def by_connection(*scripts: Script | Sequence[Step]) -> Script:
    """Script: play another one to each connection; the last one serves all further ones."""
    ready = [script_of(script) for script in scripts]

    def script(conn: Conn, index: int) -> None:
        ready[min(index, len(ready) - 1)](conn, index)

    return script


def read(conn: Conn) -> None:
    """Step: read one request."""
    conn.read_request()


def hold(conn: Conn) -> None:
    """Step: say nothing and read nothing until the test is over."""
    conn.hold()


def reset(conn: Conn) -> None:
    """Step: break the connection."""
    conn.reset()


def end(conn: Conn) -> None:
    """Step: close the connection in good order."""
    conn.end()


def cut(conn: Conn) -> None:
    """Step: close the connection, over TLS without its closing alert."""
    conn.close()


def send(data: bytes) -> Step:
    """Step: send bytes at once."""
    return lambda conn: conn.send(data)


def drip(data: bytes, every: float = 0.02) -> Step:
    """Step: send bytes one by one, so many seconds apart."""
    return lambda conn: conn.drip(data, every)


def flood(data: bytes) -> Step:
    """Step: send the same bytes for ever."""
    return lambda conn: conn.flood(data)


def pause(seconds: float) -> Step:
    """Step: wait."""
    return lambda conn: conn.pause(seconds)


def answer(
    body: bytes = b"{}",
    *,
    status: str = "200 OK",
    headers: Iterable[str] = (),
    version: str = "HTTP/1.1",
    length: bool = True,
) -> bytes:
    """Make the bytes of a response.

    Args:
        body: The body.
        status: Status and phrase.
        headers: Header lines.
        version: What the status line begins with.
        length: Whether there is a `Content-Length`.

    Returns:
        Head and body.
    """
    fields = list(headers)
    if length:
        fields.append(f"Content-Length: {len(body)}")
    lines = [f"{version} {status}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def serve(conn: Conn) -> None:
    """Step: answer every request properly, each with the number of its connection and its target."""
    while True:
        received = conn.read_request()
        conn.send(answer(f"{conn.index} {received.target}".encode()))


def good(conn: Conn, _index: int) -> None:
    """Script: a server without faults."""
    serve(conn)


@contextlib.contextmanager
def blackhole() -> Generator[str]:
    """Give a port whose connections are neither accepted nor refused: its queue is full.

    Yields:
        Host and port.

    Raises:
        RuntimeError: If this system accepts connections beyond the queue.
    """
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(16):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(_BLACKHOLE_SECONDS)
            try:
                sock.connect(address)
            except TimeoutError:
                break
        else:
            raise RuntimeError("this system accepts connections beyond the backlog")
        yield f"127.0.0.1:{address[1]}"
