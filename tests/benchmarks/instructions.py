"""What a call costs in instructions of the processor: the same on every run, where times are not.

Needs valgrind. Each client makes a few calls and then more of them under callgrind; the difference is what each
of the further ones took. The kernel's part is not counted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import measure
from clients import CLIENTS

FLOOR = "http.client + msgspec"
DEFAULT = [
    "archal_lambda",
    "archal_lambda.aio",
    FLOOR,
    "aiohttp",
    "pycurl",
    "pyreqwest",
    "pyreqwest.aio",
]
FEW, MANY = 100, 1100


def total(name, origin, path, count):
    """Count the instructions of a process that makes so many calls."""
    commands = [{"do": "open", "origin": origin}, {"do": "calls", "path": path, "count": count}]
    done = subprocess.run(
        [
            "valgrind",
            "--tool=callgrind",
            "--callgrind-out-file=/dev/null",
            sys.executable,
            str(measure.HERE / "worker.py"),
            name,
        ],
        input="".join(f"{json.dumps(command)}\n" for command in commands),
        capture_output=True,
        text=True,
        check=True,
        # Hashes decide how often dicts and sets look twice.
        env=os.environ | {"PYTHONHASHSEED": "0"},
    )
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def main():
    """Count, print, save."""
    parser = measure.parser(__doc__, clients=CLIENTS)
    parser.set_defaults(clients=DEFAULT)
    parser.add_argument("--size", type=int, default=1000, help="bytes of a response")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed")
    path = f"/{options.size}/0"
    with measure.server() as origin:
        found = {
            name: (total(name, origin, path, MANY) - total(name, origin, path, FEW)) / (MANY - FEW)
            for name in measure.installed(options.clients)
        }
    floor = found.get(FLOOR)
    measure.table(
        f"Instructions of a typed call, response of {options.size:,} bytes",
        ["client", "thousands", "/ http.client's"],
        [
            [name, round(count / 1000), f"{count / floor:.2f}" if floor else "-"]
            for name, count in found.items()
        ],
    )
    measure.save(options.json, instructions=found)


if __name__ == "__main__":
    main()
