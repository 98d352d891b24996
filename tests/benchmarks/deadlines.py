"""Who keeps a budget of one second, whatever the peer does: the time until control returns, fault by fault.

Each client has the settings that its documentation recommends for one second in all. `curl --max-time 1` (a process
for each call, whose start counts) and Node's `fetch` with `AbortSignal.timeout(1000)` are the standard to meet. Each
cell of the table is the worst of HTTP and TLS, fresh and reused connection; a client that does not return by the cap
is killed. Clients that keep the budget are measured one after the other, so that none makes another late.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cases
import measure
from clients import CLIENTS
from support.faults.tls import Authority

BUDGET = 1.0  # seconds
STANDARDS = ("curl --max-time", "fetch (Node)")
ALONE = ("archal_lambda", "archal_lambda.aio", *STANDARDS)
PEERS = [name for name in CLIENTS if name not in ALONE and not name.endswith("hook")]
NO_REUSE = ("urllib.request", "curl --max-time")  # they open a connection for each call
OWN_RESOLVER = (*STANDARDS, "pycurl", "pyreqwest")  # it cannot be replaced
UPLOAD = 8_000_000  # bytes, more than the buffers between two sockets hold


def variants(fault, client):
    """List the ways in which a client meets a fault: (scheme, reused)."""
    if fault == "name never resolved" and client in OWN_RESOLVER:
        return []
    if fault.startswith("TLS"):
        return [("https", False)]
    once = fault in cases.CONNECTING or client in NO_REUSE
    return [
        (scheme, reused) for scheme in ("http", "https") for reused in (False, True)[: 2 - once]
    ]


class Curl:
    """Curl, with the face of a process that is told what to do."""

    def ask(self, do, **arguments):
        return getattr(self, do)(**arguments)

    def open(self, origin, ca_file, timeout):
        self._options = ["--cacert", ca_file, "--max-time", str(timeout)]
        self._base = f"{origin}/svc/api"

    def fault(self, path, patience, size=None):
        with tempfile.NamedTemporaryFile() as body:
            body.write(b"x" * (size or 10))
            body.flush()
            options = [*self._options, "--data-binary", f"@{body.name}", "--header", "Expect:"]
            command = ["curl", "--silent", "--output", "/dev/null", *options, self._base + path]
            started = time.perf_counter()
            try:
                code = subprocess.run(command, check=False, timeout=patience).returncode
            except subprocess.TimeoutExpired:
                return None
            return {"wall": time.perf_counter() - started, "outcome": f"exit {code}"}

    def end(self):
        """There is nothing to end."""


class Rig:
    """Makes one client meet faults.

    Args:
        client: Its name.
        authority: The CA that it trusts.
        cap: Seconds after which it is killed.
    """

    def __init__(self, client, authority, cap):
        self._client, self._authority, self._cap = client, authority, cap
        self._process = None

    def prove(self):
        """Make sure that it succeeds where nothing is wrong."""
        for scheme, reused in variants(cases.NONE, self._client):
            result = self._one(cases.NONE, scheme, reused=reused)
            if result is None or result["outcome"] not in {"no error", "exit 0"}:
                raise SystemExit(f"{self._client} fails at {scheme} without a fault: {result}")

    def meet(self, fault):
        """Give what became of each variant."""
        found = []
        for scheme, reused in variants(fault, self._client):
            result = self._one(fault, scheme, reused=reused)
            if result is None:
                self.end()
            outcome = result or {"wall": None, "outcome": "held"}
            found.append({"scheme": scheme, "reused": reused, **outcome})
        return found

    def _one(self, fault, scheme, *, reused):
        with contextlib.ExitStack() as stack:
            origin = stack.enter_context(cases.peer(fault, scheme, self._authority, reused=reused))
            process = self._process = self._process or self._start()
            process.ask("open", origin=origin, ca_file=self._authority.file, timeout=BUDGET)
            if fault == "name never resolved":
                process.ask("hang_resolver")
                stack.callback(self.end)
            if reused:
                process.ask("fault", path="/warm", patience=self._cap)
            size = {"size": UPLOAD} if fault in cases.READING else {}
            return process.ask("fault", path="/fault", patience=self._cap, **size)

    def _start(self):
        if self._client == "curl --max-time":
            return Curl()
        if self._client == "fetch (Node)":
            trust = {"NODE_EXTRA_CA_CERTS": self._authority.file}
            return measure.Process("node", measure.HERE / "fetch.mjs", **trust)
        return measure.worker(self._client)

    def end(self):
        """End the client's process."""
        if self._process is not None:
            self._process.end()
        self._process = None


def run(client, chosen, authority, cap):
    """Let one client meet the faults: {fault: [result]}."""
    rig = Rig(client, authority, cap)
    try:
        rig.prove()
        return {fault: rig.meet(fault) for fault in chosen}
    finally:
        rig.end()


def cell(results, cap):
    """Sum up the variants of a fault: the longest."""
    if not results:
        return "-"
    if any(result["wall"] is None for result in results):
        return f"**>{cap:g}**"
    return f"{max(result['wall'] for result in results):.2f}"


def lateness(found):
    """Say how late each client came back at the latest, in milliseconds, and at which fault."""
    rows = []
    for client, by_fault in found.items():
        everything = [(result, fault) for fault, results in by_fault.items() for result in results]
        held = sum(result["wall"] is None for result, _ in everything)
        late = [(result["wall"] - BUDGET, fault) for result, fault in everything if result["wall"]]
        worst, fault = max(late, default=(0, "-"))
        rows.append([client, len(everything), held, f"{max(worst, 0) * 1e3:.1f}", fault])
    return rows


def main():
    """Measure, print, save."""
    names = [*ALONE, *PEERS]
    parser = measure.parser(__doc__, clients=names)
    parser.add_argument(
        "--cap", type=float, default=4.0, help="seconds after which a client counts as held"
    )
    parser.add_argument(
        "--faults",
        nargs="+",
        choices=cases.FAULTS,
        default=cases.FAULTS,
        metavar="FAULT",
        help=f"which faults: {', '.join(cases.FAULTS)}; all by default",
    )
    parser.add_argument(
        "--parallel", type=int, default=4, help="how many of the others to measure at once"
    )
    options = parser.parse_args()
    chosen = [
        name
        for name in measure.installed(options.clients)
        if name not in STANDARDS or shutil.which(name.replace("fetch (Node)", "node").split()[0])
    ]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.parallel) as pool:
        authority = Authority(Path(folder))
        _ = authority.trusted
        jobs = {
            name: pool.submit(run, name, options.faults, authority, options.cap)
            for name in chosen
            if name not in ALONE
        }
        found = {name: job.result() for name, job in jobs.items()}
        for name in ALONE:
            if name in chosen:
                found[name] = run(name, options.faults, authority, options.cap)
    found = {name: found[name] for name in chosen}
    measure.table(
        f"Seconds until control returns, of a budget of {BUDGET:g}",
        ["fault", *chosen],
        [
            [fault, *[cell(found[name][fault], options.cap) for name in chosen]]
            for fault in options.faults
        ],
    )
    measure.table(
        "The latest return after the budget",
        ["client", "cases", f"held over {options.cap:g} s", "latest, ms", "at"],
        lateness(found),
    )
    measure.save(options.json, budget=BUDGET, cap=options.cap, clients=found)


if __name__ == "__main__":
    main()
