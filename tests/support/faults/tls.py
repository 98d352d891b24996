"""Certificates that are right, and those that are each wrong in one way."""

from __future__ import annotations

import contextlib
import datetime as dt
import ssl
from functools import cached_property

import trustme

HOSTS = ("127.0.0.1", "localhost")


class Authority:
    """A CA of our own.

    Args:
        folder: Where the CA's certificate is written for the client to read.
    """

    def __init__(self, folder):
        self._ca = trustme.CA()
        self.file = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, file):
        """Write a key and a certificate that is right, for a server in another process."""
        self._ca.issue_cert(*HOSTS).private_key_and_cert_chain_pem.write_to_path(file)

    @cached_property
    def trusted(self):
        return _context(self._ca.issue_cert(*HOSTS))

    @cached_property
    def wrong_host(self):
        return _context(self._ca.issue_cert("elsewhere.invalid"))

    @cached_property
    def expired(self):
        yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        return _context(
            self._ca.issue_cert(
                *HOSTS, not_before=yesterday - dt.timedelta(days=9), not_after=yesterday
            )
        )

    @cached_property
    def untrusted(self):
        return _context(trustme.CA().issue_cert(*HOSTS))


def dripped_handshake(context, every=0.02):
    """Script for a plain server: a proper TLS handshake, but one byte at a time."""

    def script(conn, _index):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                tls.do_handshake()
            conn.drip(outgoing.read(), every)
            incoming.write(conn.sock.recv(65536))

    return script


def _context(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
