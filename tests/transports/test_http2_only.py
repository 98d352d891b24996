"""Servers that speak HTTP/2 alone: the error says so, because nothing else about the call is wrong."""

from __future__ import annotations

import subprocess

import pytest
from support.faults.client import clones_at

from archal_lambda.errors import ConnectError, ProtocolError
from archal_lambda.transports._urllib3 import UrllibTransport

# Two servers of Node's, over TLS and without; they end with their standard input.
PROGRAM = """
const http2 = require('http2'), fs = require('fs');
const pem = fs.readFileSync(process.argv[1]);
const servers = [http2.createSecureServer({ key: pem, cert: pem }), http2.createServer()];
let open = 0;
for (const server of servers) {
  for (const event of ['sessionError', 'error']) server.on(event, () => {});
  server.listen(0, '127.0.0.1', () => {
    if (++open === 2) console.log(servers.map((one) => one.address().port).join(' '));
  });
}
process.stdin.on('end', () => process.exit()).resume();
"""


@pytest.fixture(scope="module")
def ports(authority, tmp_path_factory):
    file = tmp_path_factory.mktemp("http2") / "server.pem"
    authority.issue(file)
    node = subprocess.Popen(
        ["node", "-e", PROGRAM, str(file)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield dict(zip(("https", "http"), node.stdout.readline().split(), strict=True))
    finally:
        node.stdin.close()
        node.wait(10)
        node.stdout.close()


@pytest.mark.parametrize(
    ("of_scheme", "error", "sent"), [("https", ConnectError, False), ("http", ProtocolError, True)]
)
def test_a_server_of_http2_alone_is_named(ports, authority, of_scheme, error, sent):
    transport = UrllibTransport(ca_file=authority.file)
    clone = clones_at(f"{of_scheme}://127.0.0.1:{ports[of_scheme]}", transport)["svc"]
    with pytest.raises(error, match="the server speaks HTTP/2 only") as caught:
        clone.post("/", timeout=5.0)
    assert (type(caught.value), caught.value.sent) == (error, sent)
    transport.close()
