"""Peers that misbehave in one way each, made of the fault server of the tests."""

from __future__ import annotations

import contextlib
import sys

import measure
import server

sys.path.insert(0, str(measure.TESTS))

from support.faults.tls import dripped_handshake

from archal_lambda.testing import faulty_server as faults

ANSWER = server.answer(200)
HEAD, _, BODY = ANSWER.partition(b"\r\n\r\n")
HEAD += b"\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def repeat(data, every):
    """Step: send the same for ever, so slowly that it is no flood."""

    def step(conn):
        while True:
            conn.send(data)
            conn.pause(every)

    return step


def sip(conn):
    """Step: read so slowly that a large body takes long."""
    while conn.sock.recv(16384):
        conn.pause(0.05)


NONE = "nothing wrong"
# What the peer does instead of an answer, once it has read the request.
ANSWERING = {
    "no answer": [faults.hold],
    "100 Continue for ever": [repeat(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05)],
    "103 Early Hints for ever": [repeat(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", 0.05)],
    "headers dripped": [faults.drip(HEAD, 0.1)],
    "headers for ever": [faults.send(HEAD[:-2]), repeat(b"X-More: 1\r\n", 0.05)],
    "body stops half way": [faults.send(ANSWER[: -len(BODY) // 2]), faults.hold],
    "body dripped": [faults.send(HEAD), faults.drip(BODY, 0.1)],
    "chunks dripped": [
        faults.send(CHUNKED),
        faults.drip(b"".join(b"1\r\n%c\r\n" % byte for byte in BODY), 0.05),
    ],
    "chunks for ever": [faults.send(CHUNKED), repeat(b"4000\r\n" + b" " * 16384 + b"\r\n", 0.02)],
    "trailers for ever": [
        faults.send(CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY)),
        repeat(b"X-More: 1\r\n", 0.05),
    ],
}
# What it does with a large request.
READING = {"request never read": [faults.hold], "request sipped": [sip]}
# What it does before there is a request.
SILENT = {"TLS handshake silent": faults.in_turn([faults.hold])}
CONNECTING = ("name never resolved", "connection never accepted", *SILENT, "TLS handshake dripped")
FAULTS = (*CONNECTING, *READING, *ANSWERING)


@contextlib.contextmanager
def peer(fault, scheme, authority, *, reused):
    """Run the peer of a fault; give its origin. On a reused connection it first answers one request well."""
    if fault == "connection never accepted":
        with faults.blackhole() as address:
            yield f"{scheme}://{address}"
        return
    tls = authority.trusted if scheme == "https" else None
    if fault == "TLS handshake dripped":
        script = dripped_handshake(tls, every=0.01)
    elif fault in SILENT or fault == "name never resolved":
        script = faults.in_turn([faults.hold])
    else:
        warm = [faults.read, faults.send(ANSWER)]
        steps = READING.get(fault) or [faults.read, *ANSWERING.get(fault, [faults.send(ANSWER)])]
        script = faults.in_turn([*(warm if reused else []), *steps])
    handshaken = not fault.startswith("TLS")
    with faults.FaultServer(script, tls=tls if handshaken else None, scheme=scheme) as running:
        host = "localhost" if fault == "name never resolved" else "127.0.0.1"
        yield f"{scheme}://{host}:{running.port}"
