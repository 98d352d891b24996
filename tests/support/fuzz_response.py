"""What any bytes from a peer become: a response or a TransportError, in time, within the limit, and in step.

The default tests drive `Target` with mutations of valid responses. For hours of it there is `fuzz.py`.
"""

from __future__ import annotations

import contextlib
import gzip
import time
import tracemalloc
import zlib

from archal_lambda import Clones, RetryPolicy, Settings, errors
from archal_lambda.testing.faulty_server import FaultServer, answer
from archal_lambda.transports._urllib3 import UrllibTransport
from support.faults.answers import chunk, chunked, coded, head

LIMIT = 20_000  # bytes of an answer
MEMORY = 2_000_000  # bytes
BUDGET = 0.03  # seconds
LATE = 0.7  # seconds, on a busy machine
BODY = b'{"a": [1, 2.5, "x", null]}'
_CLOSED, _HEAD = 1, 2  # bits of an input's first byte
_MARK = b"the answer of the next call"

SEEDS = [
    answer(BODY),
    answer(BODY) + answer(b"of another call"),
    answer(b""),
    answer(BODY, headers=["Connection: close", "X-Long: a\r\n b", "Content-Type: text/html"]),
    answer(BODY, version="HTTP/1.0", headers=["Connection: keep-alive"]),
    answer(BODY, length=False),
    answer(b"", status="204 No Content", length=False),
    head("Link: </a>", status="103 Early Hints") + answer(BODY),
    head(status="100 Continue") + chunked(chunk(BODY), b"0\r\n\r\n"),
    chunked(chunk(BODY[:3]), b"10;a=b\r\n" + BODY[3:19] + b"\r\n", b"0\r\nX: 1\r\n\r\n"),
    coded("gzip", gzip.compress(BODY)),
    coded("gzip", gzip.compress(b"\0" * 1_000_000)),
    coded("deflate", zlib.compress(BODY)),
    coded("gzip, deflate", zlib.compress(gzip.compress(BODY) * 3)),
    chunked(chunk(gzip.compress(BODY)), b"0\r\n\r\n", headers=["Content-Encoding: gzip"]),
    answer(b'{"error":"e","detail":"d","code":null}', status="503 X", headers=["Retry-After: 9"]),
    answer(BODY, status="401 Unauthorized", headers=["Retry-After: 1", "Content-Type: a; charset=x"]),
]  # fmt: skip
TOKENS = [
    b"\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b";", b",", b"-", b"+", b"0", b"1", b"9" * 20, b"f" * 16,
    b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 101 X\r\n", b"HTTP/1.1 304 X\r\n", b"HTTP/2 200\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n", b"Content-Encoding: gzip\r\n", b"Content-Encoding: gzip, gzip, gzip\r\n",
    b"Connection: close\r\n", b"X: 1\r\n", b"From x\r\n", b" folded\r\n", b"\x1f\x8b", b"\x78\x9c", b"\xff",
    b"x" * 5000,
]  # fmt: skip


class Target:
    """A peer that says what it is given, and the client that listens.

    Attributes:
        seen: What came of the inputs, and how often.
    """

    def __init__(self):
        self.server = FaultServer(self._script)
        self.seen = {}
        self._plan = b"", False

    def __enter__(self):
        self.server.__enter__()
        self._transport = UrllibTransport(max_response_bytes=LIMIT)
        settings = Settings(clone_urls={"svc": f"{self.server.origin}/svc/api"}, token="t")
        clones = Clones(settings, transport=self._transport, retry=RetryPolicy(attempts=1))
        self._clone = clones["svc"]
        self.check(bytes(1) + SEEDS[0])  # what is loaded once
        tracemalloc.start()
        return self

    def __exit__(self, *_):
        tracemalloc.stop()
        self._transport.close()
        self.server.__exit__()
        assert not self.server.failures

    def check(self, data):
        """Play an input to one call, and make another.

        Args:
            data: A first byte of flags, and what the peer says.
        """
        flags, said = (data[0], data[1:]) if data else (0, b"")
        closed = bool(flags & _CLOSED)
        outcome = self._call("HEAD" if flags & _HEAD else "POST", said, closed=closed)
        name = outcome if isinstance(outcome, int) else type(outcome).__name__
        self.seen[name] = self.seen.get(name, 0) + 1
        after = self._call("PUT", answer(_MARK), closed=False)
        # A peer that closes may be found out only by the call that comes next.
        assert after == _MARK or (closed and type(after) is errors.ConnectionLost), after

    def _call(self, method, said, *, closed):
        self._plan = said, closed
        self.server.requests.clear()
        if tracemalloc.is_tracing():
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
        started = time.monotonic()
        try:
            response = self._clone.request(
                method, "/", timeout=LATE if said[-27:] == _MARK else BUDGET
            )
        except errors.TransportError as error:
            outcome = error
        else:
            assert 200 <= response.status_code <= 999
            assert len(response.content) <= LIMIT
            assert isinstance(response.text, str)
            assert response.rejected_by in {"clone", "route", None}
            with contextlib.suppress(errors.DecodeError):
                response.json()
            with contextlib.suppress(errors.StatusError):
                response.raise_for_status()
            assert all(
                "\n" not in value and "\r" not in value for _, value in response.headers.pairs
            )
            outcome = response.content if method == "PUT" else response.status_code
        assert time.monotonic() - started < BUDGET + 2 * LATE
        if tracemalloc.is_tracing():
            assert tracemalloc.get_traced_memory()[1] - before < MEMORY
        return outcome

    def _script(self, conn, _index):
        while True:
            conn.read_request()
            said, closed = self._plan
            conn.send(said)
            if closed:
                return
