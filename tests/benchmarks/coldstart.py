"""What a cold start costs: imports in a fresh interpreter, and functions on AWS's Runtime Interface Emulator.

One function is CreateRepo as the template of this repository builds it. The others do the same, are written by hand
(see `handlers/`) and are built by plain `sam build` from a requirements.txt, without Docker. Lambda cannot write
bytecode beside the code, so that what the artifact lacks is compiled at every cold start; therefore each is measured
with and without it, and the table says which of the two its build makes. CPU and peak memory are those of the
function's process from its start to the end of its first call, to a local Archal.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import measure

sys.path.insert(0, str(measure.TESTS))

from support import supply
from support.aws import function as functions
from support.aws.emulator import Emulator
from support.sam import tools

from archal_lambda.local import LocalArchal

IMPORTS = {
    "nothing": "pass",
    "urllib3, msgspec": "import urllib3, msgspec",
    "archal_lambda": "import archal_lambda; archal_lambda.Clones",
    "requests": "import requests",
    "requests, pydantic": "import requests, pydantic",
    "httpx": "import httpx",
    "aiohttp": "import aiohttp",
    "boto3": "import boto3",
}
BASE = "urllib3, msgspec"
OURS = "archal_lambda"
# The functions written by hand, and what their requirements.txt lists.
BY_HAND = {
    "urllib3 + json": ("urllib3_json", ["urllib3"]),
    "requests + pydantic": ("requests_pydantic", ["requests", "pydantic"]),
    "httpx": ("httpx_json", ["httpx"]),
}
POWERTOOLS = "aws-lambda-powertools"
INIT = re.compile(r"INIT REPORT\(durationMs: ([0-9.]+)\)")
BODY = {"description": "A repository to measure with.", "private": True}


def imports(rounds):
    """Measure whole processes: {name: {wall, cpu, ratio}}, seconds."""
    found = measure.imports(IMPORTS, rounds, base=BASE)
    measure.table(
        "Imports, whole process",
        ["import", "wall ms", "CPU ms", f"wall / {BASE}", f"CPU / {BASE}"],
        [
            [
                name,
                f"{row['wall'] * 1e3:.1f}",
                f"{row['cpu'] * 1e3:.1f}",
                f"{row['wall_ratio']:.2f}",
                f"{row['cpu_ratio']:.2f}",
            ]
            for name, row in found.items()
        ],
    )
    return found


def template(machine):
    """Make the template of a function written by hand."""
    properties = {"Runtime": "python3.13", "Architectures": [machine], "Handler": "app.handler"}
    properties["CodeUri"] = "src"
    function = {"Type": "AWS::Serverless::Function", "Properties": properties}
    head = {"AWSTemplateFormatVersion": "2010-09-09", "Transform": "AWS::Serverless-2016-10-31"}
    return json.dumps(head | {"Resources": {"CreateRepo": function}})


def built(folder, python):
    """Build every function: {name: (folder of the artifact, handler)}."""
    sam, machine = tools.Sam(tools.environment(), folder / "home"), tools.this_machine()
    source = folder / OURS
    source.mkdir()
    ours = sam.build(source, machine, "--parameter-overrides", f"Architecture={machine}")
    found = {OURS: (ours / "CreateRepo", "archal_lambda.handlers.create_repo.handler")}
    path = os.pathsep.join([str(Path(python).resolve().parent), os.environ["PATH"]])
    for name, (module, requirements) in BY_HAND.items():
        project = folder / module
        (project / "src").mkdir(parents=True)
        (project / "template.yaml").write_text(template(machine))
        shutil.copy(measure.HERE / "handlers" / f"{module}.py", project / "src" / "app.py")
        (project / "src" / "requirements.txt").write_text("\n".join([POWERTOOLS, *requirements]))
        code, _, errors = sam("build", cwd=project, PATH=path)
        if code != 0:
            raise SystemExit(f"sam build fails for {name}: {errors}")
        found[name] = (project / ".aws-sam" / "build" / "CreateRepo", "app.handler")
    return found


def both(artifact, python):
    """Make an artifact's two forms beside it: {whether it has bytecode: folder}, and tell which the build made."""
    compiled = any(artifact.rglob("*.pyc"))
    forms = {}
    for bytecode in (False, True):
        forms[bytecode] = artifact.with_name(f"{artifact.name}-{bytecode}")
        shutil.copytree(artifact, forms[bytecode])
    for folder in list(forms[False].rglob("__pycache__")):
        shutil.rmtree(folder)
    options = ["-q", "-f", "--invalidation-mode", "unchecked-hash"]
    subprocess.run([python, "-m", "compileall", *options, forms[True]], check=True)
    return forms, compiled


def size(folder):
    """Sum up the files of a folder, in bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Starts:
    """Starts functions on the emulator.

    Args:
        python: The interpreter of the functions.
        environ: The variables by which they find Archal.
    """

    def __init__(self, python, environ):
        self._python, self._environ = python, environ
        self._program = supply.emulator()
        self._client = supply.runtime_client(supply.DEPLOYED, python)

    def take(self, task_root, handler):
        """Start a function and call it once: seconds of its init and of CPU in all, and bytes of its peak memory."""
        function = functions.Function(supply.DEPLOYED, self._python, self._client, task_root)
        environ = function.environ(self._environ, timeout=20)
        with tempfile.TemporaryDirectory() as folder:
            emulator = Emulator(self._program, function, handler, environ, Path(folder))
            try:
                body = json.dumps({"name": f"measured-{uuid.uuid4()}", **BODY})
                reply = emulator.invoke({"body": body, "isBase64Encoded": False})
                if reply.json.get("statusCode") != 201:
                    raise SystemExit(f"{handler} fails: {reply.text}")
                return {"init": float(INIT.search(emulator.output)[1]) / 1e3, **used()}
            finally:
                emulator.stop()


def used():
    """Read what the function's process has used: seconds of CPU, and bytes of memory at its peak."""
    for pid in functions.left_behind():
        process = Path(f"/proc/{pid}")
        with contextlib.suppress(OSError):
            if "python" in (process / "exe").readlink().name:
                text = (process / "status").read_text(encoding="utf-8")
                tasks = [path.read_text().split()[0] for path in process.glob("task/*/schedstat")]
                high = int(re.search(r"VmHWM:\s+(\d+)", text)[1])
                return {"cpu": sum(map(int, tasks)) / 1e9, "peak": high * 1024}
    raise SystemExit("the function's process is not found")


def starts(rounds):
    """Measure cold starts: {function: {built, forms: {bytecode: {init, peak, size}}}}."""
    python, found, measures = tools.python(), {}, {}
    with tempfile.TemporaryDirectory() as folder, LocalArchal() as archal:
        starter = Starts(python, archal.environ)
        for name, (artifact, handler) in built(Path(folder), python).items():
            forms, compiled = both(artifact, python)
            found[name] = {"compiled": compiled, "forms": {}}
            for bytecode, root in forms.items():
                found[name]["forms"][bytecode] = {"size": size(root)}
                measures[name, bytecode] = lambda root=root, handler=handler: starter.take(
                    root, handler
                )
        for (name, bytecode), results in measure.interleaved(measures, rounds).items():
            figures = {field: measure.median(results, field) for field in ("init", "cpu", "peak")}
            found[name]["forms"][bytecode].update(figures)
    show(found)
    return found


def show(found):
    """Print the cold starts."""
    ours, rows = found[OURS]["forms"][found[OURS]["compiled"]], []
    for name, function in found.items():
        without, with_ = function["forms"][False], function["forms"][True]
        row = function["forms"][function["compiled"]]
        rows.append(
            [
                name,
                f"{row['init'] * 1e3:.0f}",
                f"{ours['init'] / row['init']:.2f}",
                f"{without['init'] * 1e3:.0f} / {with_['init'] * 1e3:.0f}",
                f"{row['cpu'] * 1e3:.0f}",
                f"{ours['cpu'] / row['cpu']:.2f}",
                f"{row['peak'] / 1e6:.1f}",
                f"{without['size'] / 1e6:.1f} / {with_['size'] / 1e6:.1f}",
            ]
        )
    columns = ["function", "init ms, as built", f"{OURS} / it", "init ms without / with bytecode"]
    columns += ["CPU ms, as built", f"{OURS} / it"]
    columns += ["peak MB, as built", "unzipped MB without / with bytecode"]
    measure.table("Cold start on the emulator, Python 3.13", columns, rows)


def main():
    """Measure, print, save."""
    parser = measure.parser(__doc__, rounds=15)
    parser.add_argument("--skip-functions", action="store_true", help="leave out the emulator")
    options = parser.parse_args()
    figures = {"imports": imports(options.rounds)}
    if not options.skip_functions:
        figures["functions"] = starts(options.rounds)
    measure.save(options.json, **figures)


if __name__ == "__main__":
    main()
