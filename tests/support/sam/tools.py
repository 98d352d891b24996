"""SAM's command line, in an environment of its own, and what it builds."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import venv
from pathlib import Path

from support import supply

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
REQUIREMENTS = ROOT / "deploy" / "requirements.txt"
DURABLE_REQUIREMENTS = ROOT / "deploy" / "requirements-durable.txt"
# What `sam build` reads.
SOURCES = ("template.yaml", "deploy", "archal_lambda")
# What may lie about in a checkout and must not be deployed.
LITTER = (
    "archal_lambda/core/__pycache__/old.cpython-311.pyc",
    "archal_lambda/handlers/.env",
    "events/event.json",
    "tests/test_it.py",
    ".venv/lib/module.py",
)
PLATFORMS = {"arm64": "manylinux2014_aarch64", "x86_64": "manylinux2014_x86_64"}


def digest(path):
    """Name a state of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def environment():
    """Install SAM; give the Python of its environment."""
    pinned = HERE / "tools.txt"

    def fetch(folder):
        made = folder / "venv"
        venv.create(made, symlinks=True)
        supply.pip("--python", made, "install", "--only-binary", ":all:", "--requirement", pinned)
        return made

    name = f"sam-{digest(pinned)}-{platform.machine()}-{supply.running()}"
    return supply.cached(name, fetch) / "bin" / "python"


def python():
    """Find the Python that the functions run on."""
    found = supply.interpreter(supply.DEPLOYED)
    if found is None:
        raise ValueError(f"there is no Python {supply.DEPLOYED}")
    return found


def make():
    """Find make."""
    found = shutil.which("make")
    if found is None:
        raise ValueError("make is not installed")
    return found


def wheels(architecture, version=supply.DEPLOYED):
    """Fetch what a build would, so that one that fails has no other reason than itself."""

    def fetch(folder):
        target = folder / "wheels"
        options = ["--only-binary", ":all:", "--no-deps", "--require-hashes", "--dest", target]
        options += ["--platform", PLATFORMS[architecture], "--python-version", version]
        for pinned in (REQUIREMENTS, DURABLE_REQUIREMENTS):
            supply.pip("download", *options, "--requirement", pinned)
        return target

    pins = f"{digest(REQUIREMENTS)}-{digest(DURABLE_REQUIREMENTS)}"
    return supply.cached(f"wheels-{pins}-{architecture}-{version}", fetch)


class Sam:
    """The command line, without telemetry, and without the account of the machine's owner.

    Args:
        program: The Python of its environment.
        home: A folder for what it keeps.
    """

    def __init__(self, program, home):
        self._program = program
        foreign = ("AWS_", "SAM_", "PYTHON")
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
            "SAM_CLI_TELEMETRY": "0",
            "__SAM_CLI_APP_DIR": str(home),
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def __call__(self, *arguments, **options):
        """Run `sam` with arguments; see `run`."""
        # Not bin/sam: the environment was moved into the cache, and a script's first line knows where it was before.
        return self.run("-m", "samcli", *arguments, **options)

    def run(self, *arguments, cwd=ROOT, **variables):
        """Run its Python with arguments; give the exit code, and what came on stdout and on stderr."""
        done = subprocess.run(
            [self._program, *map(str, arguments)],
            cwd=cwd,
            env=self._environ | variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    def examine(self, *templates):
        """Translate and lint templates: for each a dict with its `template` and its `findings`."""
        code, printed, errors = self.run(HERE / "translate.py", *templates)
        assert code == 0, errors
        return [json.loads(line) for line in printed.splitlines()]

    def build(self, folder, architecture, *options):
        """Build a littered copy of the sources; give the folder that has a folder for each function."""
        fetched, interpreter = supply.obtained(wheels, architecture), supply.obtained(python)
        for name in SOURCES:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        for name in LITTER:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("litter")
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(fetched)}
        code, _, errors = self("build", *options, cwd=folder, PYTHON=interpreter, **offline)
        assert code == 0, errors
        return folder / ".aws-sam" / "build"


def this_machine():
    """Name this machine's architecture as Lambda does."""
    return {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
