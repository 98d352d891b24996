"""What MCP costs, beside the official client: size, import, requests, CPU, and how long a silent server holds a call.

Each client runs in a process of its own, `mcp_caller.py`, and calls the official server in another, in both eras of
the protocol. Size is that of the files of a package and of all that it needs, without bytecode.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from importlib import metadata
from pathlib import Path

import measure

import archal_lambda

OURS, AWAITED, OFFICIAL = "archal_lambda", "archal_lambda, awaited", "mcp"
CLIENTS = (OURS, AWAITED, OFFICIAL)
PACKAGES = {OURS: "archal-lambda", OFFICIAL: "mcp"}
REST = "archal_lambda without MCP"
CALLS = 200
BUDGET = 1.0  # seconds
IMPORTS = {
    "nothing": "pass",
    REST: "import archal_lambda; archal_lambda.Clones",
    OURS: "import archal_lambda; archal_lambda.Clones, archal_lambda.Mcp",
    AWAITED: "import archal_lambda; archal_lambda.AsyncClones, archal_lambda.AsyncMcp",
    OFFICIAL: "from mcp import Client; from mcp.client import streamable_http",
}
ERAS = {"stateless (2026-07-28)": "new", "handshake (2025-11-25)": "old"}


def process(*arguments):
    """Run a client or the server; it must not find this script under the name of the official package."""
    path = os.pathsep.join([str(measure.TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    script = measure.HERE / "mcp_caller.py"
    return measure.Process(sys.executable, "-P", script, *arguments, PYTHONPATH=path)


def sizes():
    """Sum up the files of each client: {client: {bytes, files, packages}}."""
    found = {}
    for name, package in PACKAGES.items():
        needed = closure(package)
        files = [path for one in needed for path in files_of(one)]
        total = sum(path.stat().st_size for path in files)
        found[name] = {"bytes": total, "files": len(files), "packages": len(needed)}
    return found


def closure(package):
    """List a distribution and all that it needs here, with the extras that are asked for."""
    from packaging.requirements import Requirement

    found, left = set(), [Requirement(package)]
    while left:
        wanted = left.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        for extra in {"", *wanted.extras}:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            needed = map(Requirement, metadata.requires(name) or ())
            left += [
                one for one in needed if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return sorted({name for name, _ in found})


def files_of(package):
    """List the files that a distribution has installed; ours may be a checkout."""
    if package == PACKAGES[OURS]:
        folder = Path(archal_lambda.__file__).parent
        listed = [path for path in folder.rglob("*") if path.is_file()]
    else:
        listed = [Path(one.locate()) for one in metadata.files(package) or ()]
    return [path for path in listed if path.is_file() and "__pycache__" not in path.parts]


@contextlib.contextmanager
def silent():
    """Listen on a port, and never answer; give its origin."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def server(era):
    """Run the official server of an era; give it, ready to be asked, and its origin."""
    peer = process("server", era)
    try:
        yield peer, peer.ask("origin")
    finally:
        peer.end()


def calls(rounds, era):
    """Measure calls of a tool: {client: {first, each: requests; cpu, wall: seconds a call}}."""
    found = {}
    with server(era) as (peer, origin), contextlib.ExitStack() as stack:
        callers = {}
        for name in CLIENTS:
            callers[name] = caller = process(name)
            stack.callback(caller.end)
            peer.ask("count")
            caller.ask("open", origin=origin, timeout=15.0)
            caller.ask("calls", count=1)
            first = peer.ask("count")
            caller.ask("calls", count=10)
            found[name] = {"first": first, "each": peer.ask("count") / 10}
        turns = {
            name: lambda caller=caller: caller.ask("calls", count=CALLS)
            for name, caller in callers.items()
        }
        for name, results in measure.interleaved(turns, rounds).items():
            for field in ("cpu", "wall"):
                found[name][field] = measure.median(results, field) / CALLS
    return found


def held():
    """Measure how long a first call is held by a server that never answers: {client: {wall, outcome}}."""
    found = {}
    with silent() as origin:
        for name in CLIENTS:
            caller = process(name)
            try:
                caller.ask("open", origin=origin, timeout=BUDGET)
                found[name] = caller.ask("fault")
            finally:
                caller.end()
    return found


def show(found):
    """Print all of it."""
    size = found["size"]
    measure.table(
        "Size and import",
        ["client", "packages", "files", "MB", "import, wall ms", "import, CPU ms"],
        [
            [
                name,
                size[name]["packages"] if name in size else "-",
                size[name]["files"] if name in size else "-",
                f"{size[name]['bytes'] / 1e6:.1f}" if name in size else "-",
                f"{row['wall'] * 1e3:.1f}",
                f"{row['cpu'] * 1e3:.1f}",
            ]
            for name, row in found["imports"].items()
        ],
    )
    columns = ["CPU µs", f"{OFFICIAL} / it", "wall µs", f"{OFFICIAL} / it"]
    for title, row in found["calls"].items():
        official = row[OFFICIAL]
        measure.table(
            f"A call of a tool, {title}",
            ["client", "POSTs up to the first result", "POSTs a call", *columns],
            [
                [
                    name,
                    one["first"],
                    f"{one['each']:.0f}",
                    round(one["cpu"] * 1e6),
                    f"{official['cpu'] / one['cpu']:.1f}",
                    round(one["wall"] * 1e6),
                    f"{official['wall'] / one['wall']:.1f}",
                ]
                for name, one in row.items()
            ],
        )
    measure.table(
        f"A server that never answers, budget {BUDGET:.0f} s",
        ["client", "held for, s", "outcome"],
        [[name, f"{row['wall']:.2f}", row["outcome"]] for name, row in found["held"].items()],
    )


def main():
    """Measure, print, save."""
    options = measure.parser(__doc__, rounds=9).parse_args()
    found = {
        "size": sizes(),
        "imports": measure.imports(IMPORTS, options.rounds, base=REST),
        "calls": {title: calls(options.rounds, era) for title, era in ERAS.items()},
        "held": held(),
    }
    show(found)
    measure.save(options.json, **found)


if __name__ == "__main__":
    main()
