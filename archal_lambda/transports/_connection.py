"""One socket under one deadline.

This module owns the promise that no step of a connection outlives its budget, and who may touch a connection while it
is handed from one call to the next. It uses the standard library alone, and must not know requests, responses or HTTP.

How the promise is kept: a socket's timeout counts for one wait, so a peer that drips a byte at a time restarts it with
every byte. Here the socket is given the time that is left before every wait, however small: each `connect`, each
`send` of a piece, each `recv`. Nothing runs beside the call to watch it, neither a thread nor a timer. Whoever
reads or writes goes through `receive` and `write`, and a TLS handshake through the socket that `dial` returns, so there
is no way round the clock.

What a connection knows of itself is fact, not inference. `sent` turns true right before the first byte of a request may
leave, and `phase` is the step under way, so an error made of them never has to guess from the kind of an exception.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from collections.abc import Callable
from typing import Any

from archal_lambda.core.records import Transfer
from archal_lambda.core.timeouts import Deadline
from archal_lambda.errors import Phase
from archal_lambda.transports._dial import connect
from archal_lambda.transports._locks import Latch
from archal_lambda.transports._resolve import resolve

__all__ = ["CancelHandle", "Connection", "Reader", "current"]

_BUFFER = 16384  # bytes
_CANCELLED = "the call was cancelled"


class Connection:
    """A connection's socket, its deadline, and how far the exchange on it has come.

    `deadline` is that of the first exchange; `phase`, `sent` and `reused` tell of the current one. `reader` is buffered
    input that outlives each response, so that bytes left over are seen.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.sock: socket.socket | None = None
        self.phase: Phase = "resolve"
        self.sent = False
        self.reused = False
        self._bytes_sent = 0
        self._bytes_received = 0
        self._marks: list[tuple[Phase, float]] = []
        self.reader = Reader(self.receive)
        self._deadline = deadline
        self._read_limit: float | None = None
        self._aborted = False
        self._dialing: list[socket.socket] = []

    def begin(self, deadline: Deadline, read_limit: float | None) -> None:
        """Start an exchange on the open connection; `read_limit` is the longest silence of the peer in seconds.

        A `ConnectionAbortedError` if the exchange was given up before it began.
        """
        if self._aborted:
            raise ConnectionAbortedError(_CANCELLED)
        self.reused = self.phase == "body"
        if self.reused:
            self._marks.clear()
            self._bytes_sent = self._bytes_received = 0
        self.sent = False
        self._deadline, self._read_limit = deadline, read_limit
        self.enter("send")

    def enter(self, phase: Phase) -> None:
        """Note that the next step begins."""
        self.phase = phase
        self._marks.append((phase, self._deadline.clock()))

    def transfer(self) -> Transfer:
        """Sum up the exchange so far."""
        return Transfer(
            reused=self.reused,
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
            marks=(*self._marks, (self.phase, self._deadline.clock())),
        )

    def dial(self, host: str, port: int) -> socket.socket:
        """Resolve a name and connect to it.

        The result is a connected socket whose timeout is the time left, ready for a TLS handshake.
        """
        self.enter("resolve")
        addresses = resolve(host, port, self._left())
        self.enter("connect")
        self.sock = connect((host, port), addresses, self._still, self._dialing)
        return self.sock

    def write(self, data: memoryview) -> None:
        """Send all of a buffer."""
        sock = self._socket()
        while data:
            # Not sendall(): over TLS it restarts the timeout for every record.
            sock.settimeout(self._left())
            self.sent = True
            sent = sock.send(data)
            self._bytes_sent += sent
            data = data[sent:]

    def leftover(self) -> bool:
        """Tell whether bytes arrived that belong to no response read so far: the connection is out of step."""
        if self.reader.buffered():
            return True
        # A TLS record is decrypted whole: the rest of the last one is neither in the reader nor in the kernel.
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def receive(self, buffer: memoryview) -> int:
        """Read what is there, no longer than the budget allows, and return the number of bytes; 0 is the end."""
        sock = self._socket()
        left = self._left()
        limit = self._read_limit
        sock.settimeout(left if limit is None or left < limit else limit)
        received = sock.recv_into(buffer)
        self._bytes_received += received
        return received

    def abort(self) -> None:
        """Make the exchange fail, from another thread: what waits on the socket wakes up."""
        self._aborted = True
        for sock in (self.sock, *self._dialing):
            if sock is not None:
                with contextlib.suppress(OSError):
                    # Not SSLSocket's own, which drops the encryption first, so that a write in between would be plain.
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket, if there is one; closing again does nothing."""
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise ConnectionError("the connection is closed")
        return self.sock

    def _still(self) -> float:
        if self._aborted:
            raise ConnectionAbortedError(_CANCELLED)
        return self._left()

    def _left(self) -> float:
        left = self._deadline.at - self._deadline.clock()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left


class Reader(io.BufferedReader):
    """Buffered input that the responses of a connection share; `receive` fills a buffer from its start."""

    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        self._input = _Input(receive)
        super().__init__(self._input, _BUFFER)

    def buffered(self) -> bool:
        """Tell whether something came that nobody has read; the socket is not asked."""
        self._input.probing = True  # makes peek() look at the buffer alone
        try:
            return bool(self.peek(1))
        finally:
            self._input.probing = False


class _Input(io.RawIOBase):
    def __init__(self, receive: Callable[[memoryview], int]) -> None:
        super().__init__()
        self._receive = receive
        self.probing = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer, as in io
        return None if self.probing else self._receive(buffer)


class CancelHandle:
    """Ends one call from another thread, whatever connection it is on."""

    def __init__(self) -> None:
        # It guards no wait. A signal handler that cancels may interrupt the call itself, on the thread that holds it.
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        self._cancelled = False

    def attach(self, connection: Connection) -> None:
        """Begin, on the thread that makes the call; a `ConnectionAbortedError` if it was given up before."""
        with self._lock:
            if self._cancelled:
                raise ConnectionAbortedError(_CANCELLED)
            self._connection = connection

    def detach(self) -> None:
        """End; from here on the connection may be another call's."""
        with self._lock:
            self._connection = None

    def cancel(self) -> None:
        """Give the call up: what waits on its connection fails at once. Any thread may do so, at any time."""
        with self._lock:
            self._cancelled = True
            if self._connection is not None:
                self._connection.abort()


class _Current(threading.local):
    # What ends the calls of this thread, if anything does.
    handle: CancelHandle | None = None
    cancelled: Latch | None = None


current = _Current()
