"""The example Worker on Cloudflare's own runtime, `wrangler dev`: `python tests/conformance/wrangler.py`.

No part of the test run: the runtime fetches CPython from Cloudflare when it starts. Prints `passed`, `failed` (and
exits with 1), or `skipped` with the reason where that, or npm, cannot be reached.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.pyodide import engine

from archal_lambda.local import LocalArchal

README = Path(__file__).parents[2] / "README.md"
PACKAGES = ["wrangler@4.164.0", "node@24.9.0"]  # this wrangler wants Node 22.12 or later
PATIENCE = 120.0  # seconds until the Worker answers
UNREACHABLE = "Request for Pyodide bundle failed"


def laid_out(folder, archal):
    """Lay out a Worker as pywrangler does: the entry, its settings, and the modules it brings."""
    modules = folder / "python_modules"
    shutil.copytree(engine.dependencies(), modules)
    shutil.copytree(engine.built(folder / "wheel"), modules, dirs_exist_ok=True)
    (modules / "pyvenv.cfg").touch()
    entry = "from archal_lambda.handlers.edge_worker import Default\n"
    (folder / "entry.py").write_text(entry)
    block = re.search(r"```jsonc\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    settings = json.loads(re.sub(r"^ *//.*", "", block, flags=re.MULTILINE))
    settings["vars"] = {
        "AGENT_CLONE_URLS": json.loads(archal.environ["AGENT_CLONE_URLS"]),
        "ARCHAL_TOKEN": archal.token,
    }
    (folder / "wrangler.jsonc").write_text(json.dumps(settings))


def started(folder, port, log):
    """Start `wrangler dev`."""
    tools = folder / "node_modules"
    program = [tools / "node" / "bin" / "node", tools / "wrangler" / "bin" / "wrangler.js", "dev"]
    quiet = {"WRANGLER_SEND_METRICS": "false", "CLOUDFLARE_CF_FETCH_ENABLED": "false", "CI": "true"}
    return subprocess.Popen(
        [*program, "--local", "--ip", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        env=os.environ | quiet | {"WRANGLER_LOG_PATH": str(folder / "logs")},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # so that the runtime it starts can be ended with it
    )


def answered(process, port):
    """POST a repository until the Worker answers, or `wrangler` has ended; give status and body."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/repos", data=b'{"name": "made-by-wrangler"}', method="POST"
    )
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()
        except OSError:  # it is not there yet
            time.sleep(0.5)
    return None, ""


def main():
    """Try it, and say what came of it."""
    with tempfile.TemporaryDirectory() as name, LocalArchal() as archal, socket.socket() as free:
        folder = Path(name)
        (folder / "wheel").mkdir()
        laid_out(folder, archal)
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", *PACKAGES]
        if subprocess.run(npm, cwd=folder, check=False).returncode:
            return "skipped: npm cannot install wrangler"
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        with (folder / "log").open("wb") as log:
            process = started(folder, port, log)
            try:
                status, body = answered(process, port)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        printed = (folder / "log").read_text(errors="replace")
    if UNREACHABLE in printed:
        return "skipped: Cloudflare's bundle of Pyodide cannot be had here"
    if status == 201 and '"full_name"' in body:
        return "passed"
    return f"failed: {status} {body}\n{printed[-4000:]}"


if __name__ == "__main__":
    result = main()
    print(result)  # noqa: T201 - it is a program
    sys.exit(result.startswith("failed"))
