"""The public names on each Python that functions run on."""

from __future__ import annotations

import subprocess
from pathlib import Path

WALK = Path(__file__).parents[1] / "support" / "public_names.py"


def test_every_name_can_be_looked_at(version, function):
    """Help, signatures, type hints and pickles: annotations are read in a new way by each Python."""
    done = subprocess.run(
        [
            function.python,
            "-c",
            f"import runpy; runpy.run_path({str(WALK)!r}, run_name='__main__')",
        ],
        env={"PYTHONPATH": str(function.task_root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    *found, count = done.stdout.splitlines()
    assert found == [], version
    assert int(count.split()[0]) > 40
