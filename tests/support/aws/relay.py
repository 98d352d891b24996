"""A TCP relay that counts connections, and closes or forgets those that are open."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_NO_LINGER = struct.pack("ii", 1, 0)  # closing sends a reset instead of an end


class Link:
    """One connection: two sockets, and a thread for each direction."""

    def __init__(self, client, server):
        self._client, self._server = client, server
        self._forgotten = self._resetting = False
        ways = [(client, server), (server, client)]
        self._threads = [threading.Thread(target=self._carry, args=way) for way in ways]

    def start(self):
        """Begin to carry."""
        for thread in self._threads:
            thread.start()

    def close(self, *, reset=False):
        """Close both sides; when this returns, the peers' kernels know."""
        if reset:
            self._resetting = True
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        for sock in (self._client, self._server):
            self._shut(sock, socket.SHUT_RD if reset else socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def forget(self):
        """Stay open and carry nothing more, as a load balancer does that has forgotten the connection."""
        self._forgotten = True

    def _carry(self, source, target):
        try:
            while data := source.recv(65536):
                if not self._forgotten:
                    target.sendall(data)
        except OSError:
            pass
        if not self._resetting:
            self._shut(target, socket.SHUT_WR)

    @staticmethod
    def _shut(sock, how):
        with contextlib.suppress(OSError):  # it is closed already
            sock.shutdown(how)


class Relay:
    """Listens on loopback and carries each connection on to another port there.

    Args:
        port: Where to.

    Attributes:
        port: Where it listens.
        links: Every connection so far.
    """

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.links = []
        self._thread = threading.Thread(target=self._accept)

    def close_links(self, *, reset=False):
        """Close every connection that is open now."""
        for link in self.links:
            link.close(reset=reset)

    def forget_links(self):
        """Forget every connection that is open now."""
        for link in self.links:
            link.forget()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.links.append(Link(client, socket.create_connection(self._target)))
            self.links[-1].start()

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.close_links()
