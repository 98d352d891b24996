"""What the tests run on: interpreters, AWS's emulator and runtime client, and the function's folder.

Everything fetched has an exact version and a checked digest, and is kept in a cache outside the repository.
"""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[1]
DEPLOYED = "3.13"  # as in template.yaml
WANTED = (DEPLOYED, "3.12")

SAM = "1.170.0"
EMULATORS = {
    "x86_64": "6b1e686e62ab2baf5759c412c4864276ef2a88b094fca53ec070637ccba9b9a5",
    "arm64": "ec2e5d09633d853834c008b1ef264bf834b258a94d551d2b2074966494b39a21",
}
RUNTIME_CLIENT = HERE / "aws" / "awslambdaric.txt"


def obtained(make, *arguments):
    """Give what `make` makes, or skip the test with the reason it cannot; under CI that fails."""
    try:
        return make(*arguments)
    except subprocess.CalledProcessError as error:
        lines = (error.stderr or error.stdout or "no output").strip().splitlines()
        said = [line.strip() for line in lines if "ERROR:" in line] or lines
        reason = f"{error}: {said[-1]}"
    except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, ValueError) as error:
        reason = str(error)
    reason = f"{make.__name__} failed: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def interpreters():
    """Find the Pythons that Lambda offers: {version: path}; the running one if there is none of them."""
    found = {version: path for version in WANTED if (path := interpreter(version))}
    return found or {running(): sys.executable}


def interpreter(version):
    """Find a Python of a version on the PATH or with pyenv."""
    candidates = [sys.executable] if version == running() else []
    candidates += filter(None, [shutil.which(f"python{version}")])
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=False).stdout
        candidates += sorted(Path(root.strip()).glob(f"versions/{version}.*/bin/python"))
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        # A shim of pyenv is on the PATH also where that version is not active; then it fails.
        answer = subprocess.run(
            [candidate, "-c", ask], capture_output=True, text=True, check=False, timeout=30
        )
        if answer.stdout.strip() == version:
            return str(candidate)
    return None


def running():
    """Give the version of the running Python, as in 3.11."""
    return "{}.{}".format(*sys.version_info)


def emulator():
    """Fetch the Runtime Interface Emulator, which is a file in the wheel of the SAM command line."""
    machine = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
    if platform.system() != "Linux" or machine not in EMULATORS:
        raise ValueError(f"there is no emulator for {platform.system()} on {machine}")
    name = f"aws-lambda-rie-{machine}"

    def fetch(folder):
        pip("download", "--no-deps", "--dest", folder, f"aws-sam-cli=={SAM}")
        (wheel,) = folder.glob("*.whl")
        program = folder / name
        with zipfile.ZipFile(wheel) as archive:
            program.write_bytes(archive.read(f"samcli/local/rapid/{name}"))
        check(program, EMULATORS[machine])
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        return program

    program = cached(f"{name}-sam-{SAM}", fetch)
    check(program, EMULATORS[machine])
    return program


def runtime_client(version, python):
    """Fetch AWS's runtime client for one Python: a folder for PYTHONPATH."""
    digest = hashlib.sha256(RUNTIME_CLIENT.read_bytes()).hexdigest()[:12]

    def fetch(folder):
        target = folder / "target"
        install(python, target, "--require-hashes", "--requirement", RUNTIME_CLIENT)
        return target

    return cached(f"awslambdaric-{digest}-{platform.machine()}-{version}", fetch)


def task_root(python, folder):
    """Make the function's folder with pip: the package as the repository holds it, and its dependencies."""
    pip("wheel", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("*.whl")
    target = folder / "task"
    install(python, target, wheel)
    rooms = ("cli", "events", "invoke", "local", "testing")
    for unwanted in ("bin", *(f"archal_lambda/{room}" for room in rooms)):
        shutil.rmtree(target / unwanted)
    compile_all = ["-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", target]
    subprocess.run([python, *compile_all], check=True, capture_output=True, text=True, timeout=120)
    return target


def install(python, target, *what):
    """Install wheels for another Python into a folder."""
    options = ["--only-binary", ":all:", "--no-compile", "--target", target]
    pip("--python", python, "install", *options, *what)


def pip(*arguments):
    """Run the pip of the running Python."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)


def npm_pack(package, digest, folder):
    """Fetch a package of an exact version with npm into a folder; give the path of its tarball."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    command = [npm, "pack", package, "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=folder)
    (tarball,) = Path(folder).glob("*.tgz")
    found = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if found != digest:
        raise ValueError(f"{package} is not the package it should be")
    return tarball


def check(program, digest):
    """Refuse a file that is not the expected one."""
    if hashlib.sha256(program.read_bytes()).hexdigest() != digest:
        raise ValueError(f"{program.name} is not the file it should be")


def cached(name, fetch):
    """Give a file or folder of the cache; `fetch` makes it in an empty folder and returns its path."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "archal-lambda-tests"
    wanted = home / name
    if not wanted.exists():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as folder:
            made = fetch(Path(folder))
            try:
                made.rename(wanted)  # atomic, so that parallel test runs never see half of it
            except OSError:
                if not wanted.is_dir():  # a parallel run was faster
                    raise
    return wanted
