"""SnapStart: what the first call needs is in the snapshot, and what must be new is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.faults.tls import Authority

from archal_lambda.testing.faulty_server import FaultServer

SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
CREATED = json.dumps({"id": 1, "full_name": "me/x", "html_url": "", "private": False}).encode()
RESPONSE = b"HTTP/1.1 201 Created\r\nContent-Length: %d\r\n\r\n%s" % (len(CREATED), CREATED)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def clone(authority):
    """A clone behind TLS."""

    def script(conn, _index):
        while True:
            conn.read_request()
            conn.send(RESPONSE)

    with FaultServer(script, tls=authority.trusted) as server:
        yield server


@pytest.fixture
def settings(authority, clone):
    urls = {"github": f"https://localhost:{clone.port}/github/api"}
    return SNAP_START | {
        "AGENT_CLONE_URLS": json.dumps(urls),
        "ARCHAL_TOKEN": "any-token",
        "SSL_CERT_FILE": authority.file,
    }


def test_the_first_call_after_a_restore_loads_and_reads_nothing(
    drive, authority, clone, settings, event
):
    """All modules and the CA certificates are in the snapshot; no name is resolved and nothing is opened for it."""
    api, _ = drive("primed.handler", settings)
    api.wait_for_snapshot()
    assert clone.connections == 0
    Path(authority.file).unlink()
    api.restore()

    (outcome,) = api.invoke(event("create_repo"))

    assert (outcome.kind, outcome.value["status"]) == ("response", 201)
    assert outcome.value["loaded"] == []
    ours = [phase for phase, what in outcome.value["noted"] if what in {"localhost", clone.port}]
    assert set(ours) == {"call"}  # the runtime itself connects to Lambda before
    assert clone.connections == 1


def test_bad_settings_do_not_keep_a_version_from_being_published(drive, settings, event, tmp_path):
    """Neither a missing CA file nor a bad URL is an error before the first call, which says so."""
    bad = settings | {"SSL_CERT_FILE": str(tmp_path / "none.pem"), "AGENT_CLONE_URLS": "{"}
    api, _ = drive("primed.handler", bad)
    api.wait_for_snapshot()
    api.restore()

    (outcome,) = api.invoke(event("create_repo"))

    assert (outcome.kind, outcome.value["status"]) == ("response", 502)
    assert api.failures.empty()


def test_an_ordinary_start_primes_nothing(drive, settings, event, authority, clone):
    """Without SnapStart the certificates are read by the call that needs them."""
    api, _ = drive("primed.handler", settings | {"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"})
    certificates = Path(authority.file).read_bytes()
    Path(authority.file).unlink()

    (outcome,) = api.invoke(event("create_repo"))
    Path(authority.file).write_bytes(certificates)
    (other,) = api.invoke(event("create_repo"))

    assert [one.value["status"] for one in (outcome, other)] == [502, 201]
