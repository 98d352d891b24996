"""From the name to the finished TLS handshake: nothing is sent, and the time is bounded."""

from __future__ import annotations

import socket
import threading

import pytest
import urllib3.util.ssl_
from support.faults.client import Site, clones_at
from support.faults.tls import dripped_handshake

from archal_lambda import Deadline, Request, Timeout
from archal_lambda.errors import (
    CertificateError,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    RequestTimeout,
)
from archal_lambda.testing.faulty_server import (
    answer,
    blackhole,
    by_connection,
    good,
    handshake,
    hold,
    read,
    reset,
    send,
    serve,
)
from archal_lambda.transports._urllib3 import UrllibTransport

BUDGET = 0.2


class Elsewhere(Site):
    """A site whose clones are told another origin than the server's."""

    def move(self, origin):
        self.clones = clones_at(origin, self.transport)
        return self


@pytest.fixture
def elsewhere(authority):
    with Elsewhere(good, ca_file=authority.file) as here:
        yield here


@pytest.fixture
def resolver(monkeypatch):
    """Replace the resolver by a function for the length of a test."""
    return lambda function: monkeypatch.setattr(socket, "getaddrinfo", function)


def addresses(*ports):
    """Make the resolver's answer: these ports on loopback."""
    return [
        (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))
        for port in ports
    ]


@pytest.fixture
def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound but not listening: nobody else gets it, and it refuses
        yield sock.getsockname()[1]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_port_that_refuses_is_a_connect_error(elsewhere, closed_port, scheme):
    """Nothing was sent, so even POST is tried once more."""
    error = elsewhere.move(f"{scheme}://127.0.0.1:{closed_port}").fail(error=ConnectError)
    assert (error.sent, error.attempts) == (False, 2)
    assert "Connection refused" in str(error)


def unknown(*_args, **_options):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


@pytest.mark.parametrize(
    ("lookup", "reason"),
    [
        (unknown, "Name or service not known"),
        (lambda *_args, **_options: [], "OSError"),
    ],
    ids=["no such name", "no address"],
)
def test_a_name_that_does_not_resolve_is_a_connect_error(elsewhere, resolver, lookup, reason):
    """Whatever is wrong with the name, nothing was sent."""
    resolver(lookup)
    error = elsewhere.move("https://nowhere.invalid").fail(error=ConnectError)
    assert (error.sent, error.attempts) == (False, 2)
    assert reason in str(error)


def test_a_resolver_that_hangs_costs_the_budget_and_no_more(elsewhere, resolver):
    """getaddrinfo() has no timeout. The call returns all the same."""
    release = threading.Event()

    def hang(*_args, **_options):
        release.wait(10.0)
        return []

    resolver(hang)
    try:
        error = elsewhere.move("https://nowhere.invalid").fail(
            error=RequestTimeout, timeout=BUDGET, within=BUDGET
        )
    finally:
        release.set()
    assert (error.phase, error.sent, error.attempts) == ("resolve", False, 1)


def test_a_real_name_is_resolved_by_the_system(elsewhere):
    port = elsewhere.server.port
    assert elsewhere.move(f"http://localhost:{port}").call().status_code == 200


def test_an_address_that_refuses_is_passed_over(elsewhere, resolver, closed_port):
    port = elsewhere.server.port
    resolver(lambda *_args, **_options: addresses(closed_port, closed_port, port))
    response = elsewhere.move(f"http://localhost:{port}").call()
    assert (response.status_code, response.attempts) == (200, 1)


def test_an_address_that_is_silent_leaves_time_for_the_next(elsewhere, resolver):
    """The time for connecting is shared out, so that a dead address does not use it up."""
    port = elsewhere.server.port
    with blackhole() as dead:
        resolver(lambda *_args, **_options: addresses(int(dead.partition(":")[2]), port))
        response = elsewhere.move(f"http://localhost:{port}").call(timeout=1.0)
    assert (response.status_code, response.attempts) == (200, 1)


def test_addresses_that_are_all_silent_share_the_budget(elsewhere, resolver):
    with blackhole() as dead:
        resolver(lambda *_args, **_options: addresses(*[int(dead.partition(":")[2])] * 4))
        error = elsewhere.move("http://localhost").fail(
            error=RequestTimeout, timeout=BUDGET, within=BUDGET
        )
    assert (error.phase, error.sent, error.attempts) == ("connect", False, 1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_connection_nobody_accepts_costs_the_budget_and_no_more(elsewhere, scheme):
    """The peer drops the SYN."""
    with blackhole() as dead:
        error = elsewhere.move(f"{scheme}://{dead}").fail(
            error=RequestTimeout, timeout=BUDGET, within=BUDGET
        )
    assert (error.phase, error.sent, error.attempts) == ("connect", False, 1)


def test_the_connect_limit_leaves_time_for_one_retry(elsewhere):
    """A connect limit below the total ends the attempt. Nothing was sent, so there is one more."""
    with blackhole() as dead:
        error = elsewhere.move(f"http://{dead}").fail(
            error=RequestTimeout, timeout=Timeout(5.0, connect=BUDGET), within=2 * BUDGET
        )
    assert (error.phase, error.sent, error.attempts) == ("connect", False, 2)


def test_the_connect_limit_ends_with_connecting(plain_site):
    here = plain_site([read, lambda conn: conn.pause(0.15), send(answer(b"{}"))])
    assert here.call(timeout=Timeout(5.0, connect=0.1)).content == b"{}"


TLS_SILENCES = {
    "silence": [hold],
    "part of a record": [send(b"\x16\x03\x03\x00\x7a\x02"), hold],
    "records dripped": [lambda conn: conn.drip(b"\x16\x03\x03\x40\x00" + b"\0" * 999, 0.02)],
}


@pytest.mark.parametrize("name", [*TLS_SILENCES, "a good handshake dripped"])
def test_a_handshake_that_stalls_costs_the_budget_and_no_more(plain_site, authority, name):
    """A silent or dripping TLS peer holds the call for its budget, and nothing was sent."""
    script = TLS_SILENCES.get(name) or dripped_handshake(authority.trusted)
    here = plain_site(script, scheme="https", ca_file=authority.file)
    error = here.fail(error=RequestTimeout, timeout=BUDGET, within=BUDGET)
    assert (error.phase, error.sent, error.attempts) == ("tls", False, 1)


TLS_BREAKS = {
    "reset": [reset],
    "closed": [lambda conn: conn.close()],
    "reset after the greeting": [lambda conn: conn.sock.recv(10_000), reset],
    "closed after the greeting": [lambda conn: conn.sock.recv(10_000)],
    "HTTP": [send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")],
    "alert": [send(b"\x15\x03\x03\x00\x02\x02\x28")],
}


@pytest.mark.parametrize("name", TLS_BREAKS)
def test_a_handshake_that_fails_is_a_connect_error(plain_site, authority, name):
    """Whatever ends the handshake, nothing was sent: even POST is tried once more."""
    here = plain_site(TLS_BREAKS[name], scheme="https", ca_file=authority.file)
    error = here.fail(error=ConnectError)
    assert (error.sent, error.attempts, here.server.connections) == (False, 2, 2)


@pytest.mark.parametrize("name", TLS_BREAKS)
def test_a_post_that_was_not_sent_is_tried_again(plain_site, authority, name):
    """A handshake that fails once costs one attempt, and the POST arrives exactly once."""
    here = plain_site(
        by_connection(TLS_BREAKS[name], [handshake(authority.trusted), serve]),
        scheme="https",
        ca_file=authority.file,
    )
    assert here.call().attempts == 2
    assert [one.connection for one in here.server.requests] == [1]


@pytest.mark.parametrize("certificate", ["wrong_host", "expired", "untrusted"])
def test_a_bad_certificate_is_an_error_of_its_own(plain_site, authority, certificate):
    """A certificate for another host, out of date or of an unknown CA: nothing is sent, nothing tried again."""
    here = plain_site([serve], tls=getattr(authority, certificate), ca_file=authority.file)
    error = here.fail(error=CertificateError)
    assert (error.sent, error.attempts, here.server.connections) == (False, 1, 1)
    assert "certificate not accepted" in str(error)
    assert not here.server.requests


def test_the_systems_authorities_are_the_default(plain_site, authority):
    """Our CA is not among them."""
    here = plain_site([serve], tls=authority.trusted)
    error = here.fail(error=CertificateError)
    assert "certificate not accepted" in str(error)


def test_a_certificate_for_another_host_is_found_out_by_urllib3_too(
    plain_site, authority, monkeypatch
):
    """With an old OpenSSL it compares names itself, and raises an error that is neither the system's nor its own."""
    monkeypatch.setattr(urllib3.util.ssl_, "HAS_NEVER_CHECK_COMMON_NAME", False)
    here = plain_site([serve], tls=authority.wrong_host, ca_file=authority.file)
    error = here.fail(error=CertificateError)
    assert (error.sent, error.attempts, here.server.requests) == (False, 1, [])


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_ca_file_that_cannot_be_read_is_a_configuration_error(
    plain_site, authority, tmp_path, content
):
    """A missing or wrong CA file is named by its variable, before anything is sent."""
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    here = plain_site([serve], tls=authority.trusted, ca_file=str(file))
    error = here.fail(error=ConfigurationError)
    assert error.variable == "SSL_CERT_FILE"
    assert here.server.connections == 0


def test_an_interruption_leaves_no_connection(plain_site, resolver, closed_port):
    """What is not an Exception, such as Ctrl-C, passes through, and its socket is closed."""
    here = plain_site([serve])

    def interrupted(*_args):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", interrupted)
        with pytest.raises(KeyboardInterrupt):
            here.call()
    assert here.call().status_code == 200


def test_a_transport_refuses_a_request_without_base():
    with pytest.raises(TypeError, match="no base"):
        UrllibTransport().send(Request("GET", "/"), Deadline.after(1), Timeout(1))


def test_a_peer_that_accepts_and_does_nothing_costs_the_budget_and_no_more(plain_site):
    """The request goes into the buffers of a peer that never reads it. It counts as sent."""
    here = plain_site([hold])
    error = here.fail(error=RequestTimeout, timeout=BUDGET, within=BUDGET)
    assert (error.phase, error.sent, error.attempts) == ("headers", True, 1)


def test_a_peer_that_accepts_and_resets_is_lost(plain_site):
    """Nobody knows how far the request came, so a POST is not sent again."""
    here = plain_site(by_connection([lambda conn: conn.sock.recv(1), reset], [serve]))
    error = here.fail(error=ConnectionLost)
    assert (error.sent, error.attempts, here.server.connections) == (True, 1, 1)


def test_the_longest_timeout_is_a_timeout_like_any(plain_site):
    """poll() counts milliseconds in 32 bits."""
    here = plain_site([serve])
    assert here.call(timeout=1e9).status_code == 200
    outcomes = here.clones.gather([("svc", Request("GET", "/", timeout=1e9))], timeout=1e9)
    assert [one.status_code for one in outcomes] == [200]
