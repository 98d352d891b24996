"""One socket under one deadline.

This module owns the promise that no step of a connection outlives its budget: before every wait the socket
is given the time that is left, so a peer that drips bytes cannot restart the clock. It uses the standard
library alone, and must not know requests, responses or HTTP.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import TYPE_CHECKING

from archal_lambda.core.transfer import Transfer
from archal_lambda.transports._reader import Reader
from archal_lambda.transports._resolve import resolve

if TYPE_CHECKING:
    from archal_lambda.core.deadline import Deadline
    from archal_lambda.errors import Phase

__all__ = ["Wire"]


class Wire:
    """A connection's socket, its deadline, and how far the exchange on it has come.

    Args:
        deadline: When the first exchange must be over.

    Attributes:
        phase: The step under way, for the error when time runs out.
        sent: Whether a byte of the current request may have left.
        reused: Whether an earlier exchange used the connection.
        reader: Buffered input; it outlives each answer, so that bytes left over are seen.
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

    def begin(self, deadline: Deadline, read_limit: float | None) -> None:
        """Start an exchange on the open connection.

        Args:
            deadline: When it must be over.
            read_limit: The longest silence of the peer in seconds, or None.

        Raises:
            ConnectionAbortedError: If the exchange was given up before it began.
        """
        if self._aborted:
            raise ConnectionAbortedError("the call was cancelled")
        self.reused = self.phase == "body"
        if self.reused:
            self._marks.clear()
            self._bytes_sent = self._bytes_received = 0
        self.sent = False
        self._deadline, self._read_limit = deadline, read_limit
        self.enter("send")

    def enter(self, phase: Phase) -> None:
        """Note that the next step begins.

        Args:
            phase: The step.
        """
        self.phase = phase
        self._marks.append((phase, self._deadline.clock()))

    def transfer(self) -> Transfer:
        """Sum up the exchange so far.

        Returns:
            What travelled, and how long each phase took.
        """
        return Transfer(
            reused=self.reused,
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
            marks=(*self._marks, (self.phase, self._deadline.clock())),
        )

    def dial(self, host: str, port: int) -> socket.socket:
        """Resolve a name and connect to it.

        Args:
            host: A host name or address.
            port: The port.

        Returns:
            A connected socket whose timeout is the time left, ready for a TLS handshake.

        Raises:
            TimeoutError: If the deadline passes.
            OSError: If the name does not resolve or nothing accepts the connection.
        """
        self.enter("resolve")
        addresses = resolve(host, port, self._left())
        self.enter("connect")
        failure: OSError = OSError("the name has no address")
        for untried, (family, kind, protocol, _, address) in zip(
            range(len(addresses), 0, -1), addresses, strict=True
        ):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError as error:  # the kernel may lack the family
                failure = error
                continue
            self.sock = sock  # so that abort() finds it
            try:
                # An equal share for each address, so that a dead first one does not starve the next.
                sock.settimeout(self._left() / untried)
                # A request goes out in one or two writes; Nagle's algorithm would hold the second back until
                # the peer's delayed acknowledgement, about 40 ms.
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.connect(address)
                sock.settimeout(self._left())
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure

    def write(self, data: memoryview) -> None:
        """Send all of a buffer.

        Args:
            data: A view, not the bytes themselves: a view shows nothing of them in a traceback.

        Raises:
            TimeoutError: If the deadline passes.
            OSError: If the connection breaks.
        """
        sock = self._socket()
        while data:
            # Not sendall(): over TLS it restarts the timeout for every record.
            sock.settimeout(self._left())
            self.sent = True
            sent = sock.send(data)
            self._bytes_sent += sent
            data = data[sent:]

    def leftover(self) -> bool:
        """Tell whether bytes arrived that belong to no answer read so far.

        Returns:
            True if the connection is out of step and must not be used again.
        """
        if self.reader.buffered():
            return True
        # A TLS record is decrypted whole: the rest of the last one is neither in the reader nor in the kernel.
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def receive(self, buffer: memoryview) -> int:
        """Read what is there, waiting no longer than the budget allows.

        Args:
            buffer: Filled from its start.

        Returns:
            The number of bytes, 0 at the end of the stream.

        Raises:
            TimeoutError: If the deadline or the read limit passes.
            OSError: If the connection breaks.
        """
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
        sock = self.sock
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

    def _left(self) -> float:
        left = self._deadline.at - self._deadline.clock()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left
