"""Pyodide in Node: CPython on WebAssembly, as in a Worker, with the built wheel and what it needs.

What is fetched has exact versions and checked digests, and is kept in a cache outside the repository.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import subprocess
import tarfile
from pathlib import Path

from support import supply

HERE = Path(__file__).parent
TESTS = HERE.parents[1]
PYODIDE = "pyodide@314.0.7"  # CPython 3.14
SHA512 = "0YvXxEhfEdpLfb/XkM2BFAeMROq0iMUX2bzzH9pOttyMcWkwq+HbE5uyuGD82LN7y2q+SNvi/6V5JEsOlD2R1A=="
REQUIREMENTS = HERE / "pyodide.txt"
PLATFORM = ["--python-version", "3.14", "--implementation", "cp", "--abi", "cp314"]
PLATFORM += ["--platform", "pyemscripten_2026_0_wasm32", "--platform", "any"]
# By age of Node: the newest need no flag, and refuse those of the others.
JSPI = ([], ["--experimental-wasm-jspi"], ["--experimental-wasm-stack-switching"])


def pyodide():
    """Fetch Pyodide; give the folder of its npm package."""

    def fetch(folder):
        with tarfile.open(supply.npm_pack(PYODIDE, SHA512, folder)) as archive:
            archive.extractall(folder, filter="data")
        return folder / "package"

    return supply.cached(PYODIDE.replace("@", "-"), fetch)


def dependencies():
    """Install the wheels for WebAssembly; give their folder."""

    def fetch(folder):
        target = folder / "site"
        options = ["--only-binary", ":all:", "--no-compile", "--no-deps", "--require-hashes"]
        options += ["--target", target, "--requirement", REQUIREMENTS]
        supply.pip("install", *PLATFORM, *options)
        return target

    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    return supply.cached(f"pyodide-site-{digest}-{platform.machine()}", fetch)


def built(folder):
    """Build the package's wheel and unpack it; give the folder."""
    supply.pip("wheel", "--no-deps", "--wheel-dir", folder, supply.REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    shutil.unpack_archive(wheel, folder / "package", "zip")
    return folder / "package"


def node():
    """Find Node; give its path and the flags by which Python may wait for JavaScript."""
    path = shutil.which("node")
    if path is None:
        raise FileNotFoundError("node is not installed")
    ask = "process.exit(WebAssembly.Suspending || WebAssembly.Suspender ? 0 : 1)"
    for flags in JSPI:
        if (
            subprocess.run([path, *flags, "-e", ask], capture_output=True, check=False).returncode
            == 0
        ):
            return path, flags
    raise ValueError("node has no WebAssembly JSPI")


class Engine:
    """Runs files of `tests/conformance` in Pyodide.

    Args:
        folder: An empty folder, for the built wheel.
    """

    def __init__(self, folder):
        self._node, self._jspi = node()
        self._pyodide = pyodide()
        self._mounts = {
            "/dependencies": str(dependencies()),
            "/package": str(built(folder)),
            "/tests": str(TESTS),
        }

    def run(self, file, given, *, jspi=False, flags=(), modules=None):
        """Run a file's `main` with what is given; the lines of JSON that it prints, and all else that it printed."""
        order = {
            "pyodide": str(self._pyodide),
            "mounts": self._mounts,
            "path": list(self._mounts),
            "modules": str(TESTS / "conformance" / modules) if modules else None,
            "main": f"/tests/conformance/{file}",
            "given": json.dumps(given),
        }
        done = subprocess.run(
            [
                self._node,
                *(self._jspi if jspi else []),
                *flags,
                HERE / "pyodide.mjs",
                json.dumps(order),
            ],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        told = [line for line in done.stdout.splitlines() if line.startswith("{")]
        return [json.loads(line) for line in told], done.stdout + done.stderr
