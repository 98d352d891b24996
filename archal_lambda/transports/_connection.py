"""One socket under one deadline.

This module owns the promise that no step of a connection outlives its budget. It uses the standard library alone, and
must not know requests, responses or HTTP, nor how this host waits.

How the promise is kept: the socket never blocks. Whoever would have to wait yields a `Wait` of the time that is left,
however small: for each address, each piece written, each piece read. So a peer that drips a byte at a time does not
restart a clock. TLS is no way round it: its records are fed to OpenSSL in memory, a few at a time, and the clock is
looked at in between. A peer may send records without end that hold nothing (RFC 8446, section 4.6.1, session tickets),
and a TLS socket would read them all in one call.

What a connection knows of itself is fact, not inference. `sent` turns true right before the first byte of a request may
leave, and `phase` is the step under way, so an error made of them never has to guess from the kind of an exception.
"""

from __future__ import annotations

import contextlib
import socket
import ssl

from archal_lambda.core.records import Transfer
from archal_lambda.core.timeouts import Deadline
from archal_lambda.errors import Phase
from archal_lambda.transports._dial import connect
from archal_lambda.transports._resolve import resolve
from archal_lambda.transports._steps import Steps, Wait, block
from archal_lambda.transports._tls import Secured, Trust

__all__ = ["Connection"]

_RECORD = 16384  # bytes; the most of a TLS record
_TURN = 16 * _RECORD  # bytes
_INTERIM = b"HTTP/1.1 1"
_HEAD_END = b"\r\n\r\n"
_MAX_EARLY = 262_144  # bytes; then the reader says what is wrong with it


class Connection:
    """A connection's socket, its deadline, and how far the exchange on it has come.

    `deadline` is that of the first exchange; `phase`, `sent` and `reused` tell of the current one.
    """

    def __init__(self, deadline: Deadline) -> None:
        self.sock: socket.socket | None = None
        self._readable: Wait | None = None  # the one wait of nearly every exchange
        self.phase: Phase = "resolve"
        self.sent = False
        self.reused = False
        self._tls: Secured | None = None
        self._early = b""  # what came while the request was under way
        self._bytes_sent = 0
        self._bytes_received = 0
        self._marks: list[tuple[Phase, float]] = []
        self._at, self._clock = deadline.at, deadline.clock
        self._read_limit: float | None = None

    def open(self, host: str, port: int) -> Steps[None]:
        """Resolve a name and connect to it."""
        self.enter("resolve")
        addresses = yield from resolve(host, port, self._left)
        self.enter("connect")
        self.sock = yield from connect((host, port), addresses, self._left)

    def secure(self, trust: Trust, host: str, origin: str) -> Steps[None]:
        """Set up TLS on the open connection, and go on with an earlier session with the origin if there is one."""
        self.enter("tls")
        tls = self._tls = Secured(trust, host, origin)
        try:
            while not tls.shake_hands():
                yield from self._flush()
                yield from self._feed()
            yield from self._flush()
        except ssl.SSLError:
            tls.forget()
            with contextlib.suppress(OSError):
                yield from self._flush()  # the alert that says why
            raise
        except OSError:
            tls.forget()
            raise

    def begin(self, deadline: Deadline, read_limit: float | None) -> None:
        """Start an exchange on the open connection; `read_limit` is the longest silence of the peer in seconds."""
        self.reused = self.phase == "body"
        self._at, self._clock, self._read_limit = deadline.at, deadline.clock, read_limit
        self.sent, self.phase = False, "send"
        if self.reused:
            self._marks = []
            self._bytes_sent = self._bytes_received = 0
        now = self._clock()
        self._marks.append(("send", now))
        if not now < self._at:
            raise _late()

    def enter(self, phase: Phase) -> None:
        """Note that the next step begins."""
        self.phase = phase
        self._marks.append((phase, self._clock()))

    def transfer(self, *, at_once: bool = False) -> Transfer:
        """Sum up the exchange so far; the body may have come `at_once` with the headers."""
        now = self._clock()
        if at_once:
            self.phase = "body"
            self._marks.append(("body", now))
        return Transfer(
            reused=self.reused,
            bytes_sent=self._bytes_sent,
            bytes_received=self._bytes_received,
            marks=(*self._marks, (self.phase, now)),
        )

    def offer(self, data: bytes) -> bytes:
        """Send what the socket takes right after `begin`, and give the rest: all of it, where TLS has to go first."""
        self.sent = True
        if self._tls is not None or self.sock is None:
            return data
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            return data
        self._bytes_sent += sent
        return data[sent:]

    def write(self, data: bytes) -> Steps[None]:
        """Send all of it."""
        sock = self._socket()
        self._left()
        self.sent = True
        if self._tls is None:
            return (yield from self._push(sock, data))
        for at in range(0, len(data), _RECORD):
            if at and at % _TURN == 0:
                # A peer that takes all at once leaves others no time, and the clock no look.
                yield Wait((sock,), 0.0, write=True)
                self._left()
            self._bytes_sent += self._tls.write(data[at : at + _RECORD])
            yield from self._flush()
        return None

    def receive(self, most: int) -> Steps[bytes]:
        """Read what is there, no longer than the budget allows; nothing is the end."""
        # A generator less, for all but a few.
        plain = self._tls is None and not self._early
        return self._pull(most) if plain else self._unwrapped(most)

    def untouched(self) -> bool:
        """Tell whether there is nothing to read: else the peer closed it, or sent what nobody asked for."""
        readable = self._readable
        if self.sock is None or readable is None:
            return False
        if readable.poller is not None:
            return not readable.poller.poll(0)
        readable.seconds = 0.0
        return not block(readable)

    def leftover(self) -> bool:
        """Tell whether more came with what was read: the connection is out of step, or at its end."""
        if self._tls is None:
            return False
        if not self.reused:
            self._tls.remember()
        return self._tls.leftover()

    def close(self) -> None:
        """Close the socket, if there is one; closing again does nothing."""
        if self.sock is not None:
            self.sock.close()
            self.sock = self._readable = None

    def _unwrapped(self, most: int) -> Steps[bytes]:
        if self._tls is None or self._early:
            data, self._early = self._early[:most], self._early[most:]
        else:
            while (found := self._tls.read(most)) is None:
                yield from self._flush()
                yield from self._feed()
            data = found
        self._bytes_received += len(data)
        return data

    def _pull(self, most: int) -> Steps[bytes]:
        sock, readable = self.sock, self._readable
        if sock is None or readable is None:
            sock = self._socket()
            readable = self._readable = Wait((sock,), 0.0)
        while True:
            left, limit = self._left(), self._read_limit
            readable.seconds = left if limit is None or left < limit else limit
            if not (yield readable):
                raise TimeoutError("the peer was silent for too long")
            try:
                data = sock.recv(most)
            except BlockingIOError:
                continue  # the kernel threw away what had come
            if self._tls is None:
                self._bytes_received += len(data)
            return data

    def _push(self, sock: socket.socket, data: bytes) -> Steps[None]:
        rest: bytes | memoryview = data
        while True:
            try:
                sent = sock.send(rest)
            except BlockingIOError:
                sent = 0
            if self._tls is None:
                self._bytes_sent += sent
            if sent == len(rest):
                return
            rest = memoryview(rest)[sent:]
            if not (yield Wait((sock,), self._left(), read=self.sent, write=True)):
                raise TimeoutError("the peer took nothing for too long")
            if self.sent and self._heard():
                raise BrokenPipeError("the peer answered before it had read all")

    def _heard(self) -> bool:
        """Tell whether a response came, or the end, while the request is under way (RFC 9112, section 9.5)."""
        sock = self._socket()
        try:
            raw = sock.recv(_RECORD)
        except BlockingIOError:
            return False
        if self._tls is None:
            self._early += raw
        elif raw:
            self._tls.feed(raw)
            while piece := self._tls.read(_RECORD):
                self._early += piece
        # An interim response (RFC 9110, section 15.2) says that the rest is waited for; another may be behind it.
        at = 0
        while self._early.startswith(_INTERIM, at) and (end := self._early.find(_HEAD_END, at)) > 0:
            at = end + len(_HEAD_END)
        interim = _INTERIM.startswith(self._early[at : at + len(_INTERIM)])
        return not raw or not interim or len(self._early) > _MAX_EARLY

    def _flush(self) -> Steps[None]:
        if self._tls is not None and (records := self._tls.to_send()):
            yield from self._push(self._socket(), records)

    def _feed(self) -> Steps[None]:
        raw = yield from self._pull(_RECORD)
        if self._tls is not None:
            self._tls.feed(raw)

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise ConnectionError("the connection is closed")
        return self.sock

    def _left(self) -> float:
        left = self._at - self._clock()
        if left <= 0:
            raise _late()
        return left


def _late() -> TimeoutError:
    return TimeoutError("the deadline has passed")
