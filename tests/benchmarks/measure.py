"""What the benchmarks share: processes to measure in, medians over rounds, tables and JSON."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import select
import statistics
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent
PATIENCE = 120.0  # seconds for what ends by itself
DISTRIBUTIONS = (
    "archal-lambda",
    "msgspec",
    "urllib3",
    "requests",
    "httpx",
    "aiohttp",
    "botocore",
    "mcp",
    "pycurl",
    "pyreqwest",
    "pydantic",
    "aws-lambda-powertools",
)


class Process:
    """A program that answers each line of JSON with another."""

    def __init__(self, *command, **variables):
        self._process = subprocess.Popen(
            [*map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )

    def ask(self, do, *, patience=PATIENCE, **arguments):
        """Give a command; give its result, or None if there was none in time."""
        self.tell(do, **arguments)
        return self.told(patience)

    def tell(self, do, **arguments):
        print(json.dumps({"do": do, **arguments}), file=self._process.stdin, flush=True)

    def told(self, patience=PATIENCE):
        if not select.select([self._process.stdout], [], [], patience)[0]:
            return None
        return json.loads(self._process.stdout.readline() or "null")

    def end(self):
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()
        self._process.stdout.close()


@contextlib.contextmanager
def server():
    """Run the fast server; give its origin."""
    process = Process(sys.executable, HERE / "server.py")
    try:
        yield f"http://127.0.0.1:{process.told()}"
    finally:
        process.end()


@contextlib.contextmanager
def workers(names, origin=None, **options):
    """Run a process for each client: {name: process}."""
    with contextlib.ExitStack() as stack:
        started = {}
        for name in names:
            started[name] = worker(name)
            stack.callback(started[name].end)
            if origin is not None and started[name].ask("open", origin=origin, **options) is None:
                raise SystemExit(f"{name} does not start")
        yield started


def worker(name):
    """Run a process for one client."""
    return Process(sys.executable, HERE / "worker.py", name)


def installed(names):
    """Leave out the clients whose package is not installed, and say so."""
    packages = {"boto3's session": "botocore", "log_calls hook": "aws_lambda_powertools"}
    found = []
    for name in names:
        package = packages.get(name, name.split()[0].split(".")[0])
        known = package not in {"requests", "httpx", "aiohttp", "botocore", "pycurl", "pyreqwest"}
        if known or find_spec(package) is not None:
            found.append(name)
        else:
            print(f"{name} is left out: it is not installed (pip install -e '.[bench]')")
    return found


def parser(description, **defaults):
    """Make the command line that all benchmarks share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write every figure to this file")
    if "rounds" in defaults:
        made.add_argument(
            "--rounds",
            type=int,
            default=defaults["rounds"],
            help="rounds, of which the medians count",
        )
    if "clients" in defaults:
        made.add_argument(
            "--clients",
            nargs="+",
            choices=defaults["clients"],
            default=list(defaults["clients"]),
            metavar="CLIENT",
            help=f"which clients: {', '.join(defaults['clients'])}; by default those that the script is about",
        )
    return made


def interleaved(measures, rounds):
    """Take each measure once a round, so that what disturbs the machine disturbs all: {name: [result]}."""
    results = {name: [] for name in measures}
    for number in range(rounds):
        turns = list(measures.items())
        for name, take in turns[number % len(turns) :] + turns[: number % len(turns)]:
            results[name].append(take())
    return results


def imports(statements, rounds, *, base):
    """Measure whole processes that run statements: {name: {wall, cpu: seconds; and their ratio to those of `base`}}."""
    with tempfile.TemporaryDirectory() as cache:
        environ = os.environ | {"PYTHONPYCACHEPREFIX": cache}
        environ.pop("PYTHONDONTWRITEBYTECODE", None)

        def take(statement):
            started = time.perf_counter()
            process = subprocess.Popen([sys.executable, "-c", statement], env=environ)
            _, code, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(code)
            wall = time.perf_counter() - started
            cpu = usage.ru_utime + usage.ru_stime
            return {"wall": wall, "cpu": cpu, "code": process.returncode}

        measures = {name: lambda code=code: take(code) for name, code in statements.items()}
        ready = {name: one for name, one in measures.items() if one()["code"] == 0}  # and compiled
        taken = interleaved(ready, rounds)
    found = {}
    for name, results in taken.items():
        found[name] = {field: median(results, field) for field in ("wall", "cpu")}
        # Of each round the ratio, so that a slow moment of the machine is in both of its parts.
        for field in ("wall", "cpu"):
            pairs = zip(results, taken[base], strict=True)
            ratios = [one[field] / of[field] for one, of in pairs]
            found[name][f"{field}_ratio"] = statistics.median(ratios)
    return found


def median(results, field):
    """Give the median of a field of results."""
    return statistics.median(result[field] for result in results)


def table(title, columns, rows):
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")
    sys.stdout.flush()


def machine():
    """Say what this ran on."""
    versions = {}
    for name in DISTRIBUTIONS:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "cpus": os.cpu_count(),
        "processor": platform.machine(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": versions,
    }


def save(path, **figures):
    """Write figures, and what they were measured on, if there is a path."""
    if path is not None:
        document = {"command": sys.argv, "machine": machine(), **figures}
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
