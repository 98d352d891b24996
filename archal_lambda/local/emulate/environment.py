"""What Node and npm are told of this process's environment, and where a cache is.

This module is the one of the local Archal that reads the environment. It must not decide what is run.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["cache", "for_node", "for_npm"]

# What a program needs to run at all: no secret, and none of Node's own options.
_NEEDED = (
    "HOME",
    "LD_LIBRARY_PATH",
    "PATH",
    "SYSTEMROOT",
    "TEMP",
    "TMP",
    "TMPDIR",
    "USERPROFILE",
)


def for_node() -> dict[str, str]:
    """Give the variables that the emulators see."""
    return {name: os.environ[name] for name in _NEEDED if name in os.environ}


def for_npm(node: Path) -> dict[str, str]:
    """Give the variables that npm sees: all, because its settings are among them, and the Node it runs with."""
    path = os.pathsep.join(filter(None, (str(node.parent), os.environ.get("PATH"))))
    return {**os.environ, "PATH": path}


def cache() -> Path:
    """Give the folder for what can be fetched again."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if Path(chosen).is_absolute():  # others are ignored (XDG Base Directory Specification)
        return Path(chosen) / "archal-lambda"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "archal-lambda"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "archal-lambda" / "Cache"
    return Path.home() / ".cache" / "archal-lambda"
