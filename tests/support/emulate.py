"""npm's emulate for tests, and what of its process can be seen from outside."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from support.chromium import unpacked

PACKAGE = "emulate@0.12.2"
SHA512 = "cHz1ITT3xm3HJM6qSks7+ME5Bw/W7zp7ky2Ve4M4ANls46EfeAy0m/nWOjTLJEgLEQcA9gW+L3cWjuUcklJxtQ=="


def folder():
    """Fetch emulate, which needs no other package where its API is called; give its folder."""
    if shutil.which("node") is None:
        raise FileNotFoundError("Node is not installed")
    return unpacked(PACKAGE, SHA512)


def children(pid=None):
    """List the Node processes that a process has started and that run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            # pid (name) state parent …
            name, _, rest = status.read_text().rpartition(") ")
        except OSError:  # it has ended
            continue
        state, parent = rest.split()[:2]
        if parent == str(pid or os.getpid()) and "(node" in name and state != "Z":
            found.append(int(status.parent.name))
    return found
