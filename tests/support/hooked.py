"""A server on loopback that webhooks are sent to."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass
class Receiver:
    """What came, as pairs of headers and body; `status` is what is answered."""

    url: str
    status: int = 202
    received: list = dataclasses.field(default_factory=list)
    wait: threading.Event | None = None  # what an answer waits for


@contextlib.contextmanager
def receiver():
    """Listen until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            here.received.append(({k.lower(): v for k, v in self.headers.items()}, body))
            if here.wait is not None:
                here.wait.wait(10)
            with contextlib.suppress(OSError):
                self.send_response(here.status)
                self.send_header("X-Answer", "yes")
                self.end_headers()
                self.wfile.write(b"thanks")

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield here
        finally:
            server.shutdown()
            thread.join()
