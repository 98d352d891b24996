"""Answers made by hand, whole ones and the parts of those that are not."""

from __future__ import annotations

from archal_lambda.testing.faulty_server import answer


def head(*lines, status="200 OK"):
    """Make a status line and headers."""
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(*rest, version="HTTP/1.1", headers=()):
    """Make a response in chunks of what is given as chunks."""
    fields = ["Transfer-Encoding: chunked", *headers]
    return answer(b"".join(rest), headers=fields, length=False, version=version)


def coded(coding, body):
    return answer(body, headers=[f"Content-Encoding: {coding}"])
