"""The types that users see."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

API = Path(__file__).parent / "typing" / "api.py"


def test_the_public_types():
    """The type checker finds in `typing/api.py` the types it states, and refuses the mistakes in it."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--enable-error-code=ignore-without-code",
        str(API),
    ]
    done = subprocess.run(
        command, cwd=API.parent.parent.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
