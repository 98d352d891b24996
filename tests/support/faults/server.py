"""A server that misbehaves on purpose, byte by byte.

It speaks no HTTP of its own: a script says what goes out on each connection and when. A script is a function
`(conn, index)`, or a list of steps, each a function `(conn)`, made by the helpers below.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import ssl
import struct
import threading
import time

SAFETY_SECONDS = 10.0  # nothing here waits longer, whatever a test forgets
BLACKHOLE_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
class Received:
    """One request as it came, and the number of the connection it came on."""

    connection: int
    head: bytes
    body: bytes

    @property
    def method(self):
        return self.head.split(b" ", 1)[0].decode()

    @property
    def target(self):
        return self.head.split(b" ", 2)[1].decode()

    def header(self, name):
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.lower() == name.lower().encode():
                return value.strip().decode("latin-1")
        return None


class Conn:
    """The server's end of one connection."""

    def __init__(self, server, sock, index):
        self.server = server
        self.sock = sock
        self.index = index
        self._unread = b""

    def handshake(self, context):
        self.sock = context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
        self.sock.do_handshake()

    def read_request(self):
        """Read one request to its end, or end the script if the client has gone."""
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

    def send(self, data):
        self.sock.sendall(data)

    def drip(self, data, every):
        for index in range(len(data)):
            self.send(data[index : index + 1])
            self.pause(every)

    def flood(self, data):
        """Send the same again and again until the client has had enough."""
        while not self.server.stopping.is_set():
            self.send(data)

    def pause(self, seconds):
        if self.server.stopping.wait(seconds):
            raise ConnectionAbortedError("the server stops")

    def hold(self):
        """Do nothing, not even read, until the server stops."""
        self.server.stopping.wait(SAFETY_SECONDS)

    def drain(self):
        """Read and say nothing until the client goes."""
        while self.sock.recv(65536):
            pass

    def reset(self):
        """Close with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def end(self):
        """Close in good order: over TLS with its closing alert, then FIN, then what is still coming."""
        if isinstance(self.sock, ssl.SSLSocket):
            with contextlib.suppress(OSError, ValueError):  # the alert is out, that is enough
                self.sock.settimeout(0.02)
                self.sock = self.sock.unwrap()
        self.close()

    def close(self):
        self.sock.close()

    def _fill(self):
        data = self.sock.recv(65536)
        if not data:
            raise ConnectionAbortedError("the client is gone")
        self._unread += data


class FaultServer:
    """Plays a script to every connection on a port of its own on loopback.

    Args:
        script: A function `(conn, index)`, or a list of steps for every connection.
        tls: A server-side SSL context, or None for plain TCP.
        scheme: What clients are told to speak, if it is not what the server does.

    Attributes:
        requests: What was read, in order.
        connections: How many were accepted.
        failures: Errors of the script itself; those of the sockets are part of the play.
    """

    def __init__(self, script, *, tls=None, scheme=None):
        self._scheme = scheme or ("http" if tls is None else "https")
        self._script = script if callable(script) else in_turn(script)
        self._tls = tls
        self._threads = []
        self._conns = []
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.requests = []
        self.failures = []
        self.connections = 0

    @property
    def port(self):
        return self._listener.getsockname()[1]

    @property
    def origin(self):
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._acceptor = threading.Thread(target=self._accept, name="fault-accept")
        self._acceptor.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.refuse()
        self._acceptor.join(SAFETY_SECONDS)
        self._listener.close()
        with self._lock:
            for conn in self._conns:
                with contextlib.suppress(OSError):
                    conn.sock.shutdown(socket.SHUT_RDWR)  # wakes recv() and send()
        for thread in self._threads:
            thread.join(SAFETY_SECONDS)

    def refuse(self):
        """Accept no further connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(), too

    def wait_for(self, condition):
        """Wait until something has happened on the server's side; tell whether it did."""
        until = time.monotonic() + SAFETY_SECONDS
        while not condition(self) and time.monotonic() < until:
            time.sleep(0.002)
        return condition(self)

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(SAFETY_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = Conn(self, sock, self.connections)
            self.connections += 1
            thread = threading.Thread(target=self._play, args=(conn,), name="fault-conn")
            with self._lock:
                self._conns.append(conn)
                self._threads = [one for one in self._threads if one.is_alive()] + [thread]
                thread.start()

    def _play(self, conn):
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


def handshake(context):
    """Step: let a plain connection begin TLS."""
    return lambda conn: conn.handshake(context)


def in_turn(steps):
    """Play the same steps to every connection."""

    def script(conn, _index):
        for step in steps:
            step(conn)

    return script


def by_connection(*scripts):
    """Play another script to each connection; the last one serves all further ones."""
    ready = [script if callable(script) else in_turn(script) for script in scripts]

    def script(conn, index):
        ready[min(index, len(ready) - 1)](conn, index)

    return script


def read(conn):
    """Step: read one request."""
    conn.read_request()


def hold(conn):
    """Step: say nothing and read nothing until the test is over."""
    conn.hold()


def reset(conn):
    """Step: break the connection."""
    conn.reset()


def end(conn):
    """Step: close the connection in good order."""
    conn.end()


def cut(conn):
    """Step: close the connection, over TLS without its closing alert."""
    conn.close()


def send(data):
    """Step: send bytes at once."""
    return lambda conn: conn.send(data)


def drip(data, every=0.02):
    """Step: send bytes one by one."""
    return lambda conn: conn.drip(data, every)


def flood(data):
    """Step: send the same bytes for ever."""
    return lambda conn: conn.flood(data)


def pause(seconds):
    """Step: wait."""
    return lambda conn: conn.pause(seconds)


def answer(body=b"{}", *, status="200 OK", headers=(), version="HTTP/1.1", length=True):
    """Make the bytes of a response."""
    fields = list(headers)
    if length:
        fields.append(f"Content-Length: {len(body)}")
    lines = [f"{version} {status}", *fields]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def serve(conn):
    """Step: answer every request properly, each with the number of its connection and its target."""
    while True:
        received = conn.read_request()
        conn.send(answer(f"{conn.index} {received.target}".encode()))


def good(conn, _index):
    """Script: a server without faults."""
    serve(conn)


@contextlib.contextmanager
def blackhole():
    """Give a port whose connections are neither accepted nor refused: its queue is full."""
    with socket.socket() as listener, contextlib.ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(16):
            sock = stack.enter_context(socket.socket())
            sock.settimeout(BLACKHOLE_SECONDS)
            try:
                sock.connect(address)
            except TimeoutError:
                break
        else:
            raise RuntimeError("this system accepts connections beyond the backlog")
        yield f"127.0.0.1:{address[1]}"
