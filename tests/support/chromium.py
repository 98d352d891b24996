"""A headless Chromium for tests of the page, driven through Node by playwright-core."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

from support import supply

HOST = Path(__file__).with_suffix(".mjs")
NAMES = ("chromium", "chromium-browser", "google-chrome")
PLAYWRIGHT = "playwright-core@1.64.1"
PLAYWRIGHT_SHA512 = (
    "BC4s8y6SEVA6Q1rSxZTto8hI1KUI3xXlHGZgvGqP4IqPdI/a6FX9H29IDNz7vKo9l21b6LfYosScPL6M3xxyDQ=="
)
AXE = "axe-core@4.14.1"
AXE_SHA512 = (
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
)


class PageError(AssertionError):
    """What Chromium or the code that was run in Node says went wrong."""


class Chromium:
    """One browser; `run` takes the body of an asynchronous function in JavaScript, and what it is told."""

    def __init__(self, command):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._read()

    def run(self, code, **args):
        print(json.dumps({"code": code, "args": args}), file=self._process.stdin, flush=True)
        return self._read()["value"]

    def close(self):
        self._process.communicate(timeout=20)

    def _read(self):
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": self._process.stderr.read()}
        if "error" in answer:
            raise PageError(answer["error"])
        return answer


def chromium():
    """Start Chromium; FileNotFoundError if it or Node is missing."""
    node = shutil.which("node")
    browser = next(filter(None, map(shutil.which, NAMES)), None)
    if node is None or browser is None:
        raise FileNotFoundError("Node or Chromium is not installed")
    core = unpacked(PLAYWRIGHT, PLAYWRIGHT_SHA512)
    axe = unpacked(AXE, AXE_SHA512) / "axe.min.js"
    return Chromium([node, str(HOST), str(core), str(axe), browser])


def unpacked(package, digest):
    """Fetch an npm package that needs no other; give its folder."""

    def fetch(folder):
        with tarfile.open(supply.npm_pack(package, digest, folder)) as archive:
            archive.extractall(folder, filter="data")
        return folder / "package"

    return supply.cached(package.replace("@", "-").replace("/", "-"), fetch)
