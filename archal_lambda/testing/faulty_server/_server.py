"""The server, its connections and what they read.

This module owns the sockets and threads. It must not know what a script does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Self

__all__ = ["Conn", "FaultServer", "Received", "Script", "Step", "in_turn", "script_of"]

_SAFETY_SECONDS = 10.0  # nothing here waits longer, whatever a test forgets
_LINGER = "hh" if os.name == "nt" else "ii"
_POLL = 0.002
_PIECE = 65536


@dataclasses.dataclass(frozen=True)
class Received:
    """One request as it came.

    Args:
        connection: The number of the connection it came on, from 0.
        head: Request line and headers, without the empty line behind them.
        body: As many bytes as `Content-Length` says.
    """

    __module__ = "archal_lambda.testing.faulty_server"

    connection: int
    head: bytes
    body: bytes

    @property
    def method(self) -> str:
        """The method of the request line."""
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self) -> str:
        """Path and query of the request line."""
        return self.head.split(b" ", 2)[1].decode()

    def header(self, name: str) -> str | None:
        """Find the first value of a header.

        Args:
            name: Its name in any case.

        Returns:
            The value without space around it, or None if there is no such header.
        """
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return None


class Conn:
    """The server's end of one connection.

    Args:
        server: The server that accepted it.
        sock: Its socket.
        index: Its number, from 0.
    """

    __module__ = "archal_lambda.testing.faulty_server"

    def __init__(self, server: FaultServer, sock: socket.socket, index: int) -> None:
        self.server = server
        self.sock = sock
        self.index = index
        self._unread = b""

    def handshake(self, context: ssl.SSLContext) -> None:
        """Begin TLS.

        Args:
            context: A context for servers.
        """
        tls = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        self.sock = tls
        tls.do_handshake()

    def read_request(self) -> Received:
        """Read one request to its end.

        Returns:
            The request, which is among the server's `requests`, too.

        Raises:
            ConnectionAbortedError: If the client has gone, which ends the script.
        """
        while b"\r\n\r\n" not in self._unread:
            self._fill()
        head, _, rest = self._unread.partition(b"\r\n\r\n")
        received = Received(self.index, head, b"")
        length = int(received.header("content-length") or 0)
        while len(rest) < length:
            self._unread = rest
            self._fill()
            rest = self._unread
        self._unread = rest[length:]
        received = dataclasses.replace(received, body=rest[:length])
        self.server.requests.append(received)
        return received

    def send(self, data: bytes) -> None:
        """Send bytes at once.

        Args:
            data: The bytes.
        """
        self.sock.sendall(data)

    def drip(self, data: bytes, every: float) -> None:
        """Send bytes one by one.

        Args:
            data: The bytes.
            every: Seconds behind each.
        """
        for index in range(len(data)):
            self.send(data[index : index + 1])
            self.pause(every)

    def flood(self, data: bytes) -> None:
        """Send the same again and again until the client has had enough.

        Args:
            data: The bytes.
        """
        while not self.server.stopping.is_set():
            self.send(data)

    def pause(self, seconds: float) -> None:
        """Wait.

        Args:
            seconds: How long.

        Raises:
            ConnectionAbortedError: If the server stops meanwhile, which ends the script.
        """
        if self.server.stopping.wait(seconds):
            raise ConnectionAbortedError("the server stops")

    def hold(self) -> None:
        """Do nothing, not even read, until the server stops."""
        self.server.stopping.wait(_SAFETY_SECONDS)

    def drain(self) -> None:
        """Read and say nothing until the client goes."""
        while self.sock.recv(_PIECE):
            pass

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(_LINGER, 1, 0))
        self.close()

    def end(self) -> None:
        """Close in good order: over TLS with its closing alert, then FIN, then what is still coming."""
        if isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):  # the alert is out, that is enough
                self.sock.settimeout(0.02)
                self.sock = self.sock.unwrap()
        self.close()

    def close(self) -> None:
        """Close with FIN, over TLS without its closing alert."""
        self.sock.close()

    def _fill(self) -> None:
        data = self.sock.recv(_PIECE)
        if not data:
            raise ConnectionAbortedError("the client is gone")
        self._unread += data


Step = Callable[[Conn], object]
Script = Callable[[Conn, int], object]


def in_turn(steps: Sequence[Step]) -> Script:
    """Script: play the same steps to every connection."""

    def script(conn: Conn, _index: int) -> None:
        for step in steps:
            step(conn)

    return script


in_turn.__module__ = "archal_lambda.testing.faulty_server"  # where users import it from


def script_of(script: Script | Sequence[Step]) -> Script:
    """Make a script of what may be a list of steps."""
    return script if callable(script) else in_turn(script)


class FaultServer:
    """Plays a script to every connection on a port of its own on loopback; a context manager.

    Args:
        script: A function `(conn, index)`, or a list of steps for every connection.
        tls: A server-side SSL context, or None for plain TCP.
        scheme: What clients are told to speak, if it is not what the server does.

    Attributes:
        requests: What was read, in order.
        connections: How many were accepted.
        failures: Errors of the script itself; those of the sockets are part of the play.
        stopping: Set when the server stops.
    """

    __module__ = "archal_lambda.testing.faulty_server"

    def __init__(
        self,
        script: Script | Sequence[Step],
        *,
        tls: ssl.SSLContext | None = None,
        scheme: str | None = None,
    ) -> None:
        self._scheme = scheme or ("http" if tls is None else "https")
        self._script = script_of(script)
        self._tls = tls
        self._threads: list[threading.Thread] = []
        self._conns: list[Conn] = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.requests: list[Received] = []
        self.failures: list[Exception] = []
        self.connections = 0

    @property
    def port(self) -> int:
        """The TCP port, once the server runs."""
        if not hasattr(self, "_listener"):
            raise RuntimeError("the server does not run: use it as a context manager")
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def origin(self) -> str:
        """The base URL without a path, once the server runs."""
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._acceptor = threading.Thread(target=self._accept, name="fault-accept")
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.refuse()
        self._acceptor.join(_SAFETY_SECONDS)
        self._listener.close()
        with self._lock:
            for conn in self._conns:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)  # wakes recv() and send()
        for thread in self._threads:
            thread.join(_SAFETY_SECONDS)

    def refuse(self) -> None:
        """Accept no further connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), too

    def wait_for(self, condition: Callable[[FaultServer], bool]) -> bool:
        """Wait until something has happened on the server's side, at most 10 seconds.

        Args:
            condition: Tells whether it has, from the server.

        Returns:
            Whether it did.
        """
        until = time.monotonic() + _SAFETY_SECONDS
        while not condition(self) and time.monotonic() < until:
            time.sleep(_POLL)
        return condition(self)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(_SAFETY_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = Conn(self, sock, self.connections)
            self.connections += 1
            thread = threading.Thread(target=self._play, args=(conn,), name="fault-conn")
            with self._lock:
                self._conns.append(conn)
                self._threads = [one for one in self._threads if one.is_alive()] + [thread]
                thread.start()

    def _play(self, conn: Conn) -> None:
        try:
            if self._tls is not None:
                conn.handshake(self._tls)
            self._script(conn, conn.index)
        except OSError:  # the client left or the server stops: ssl.SSLError is one, too
            pass
        except Exception as error:  # noqa: BLE001 - told to the test, never raised on this thread
            self.failures.append(error)
        finally:
            with self._lock, contextlib.suppress(OSError):
                self._conns.remove(conn)
                conn.close()
