"""Projects whose tests pytest runs with the plugin, as it comes by its entry point, in a process of their own.

The entry point is that of `pyproject.toml`, whether the package is installed or not.
"""

from __future__ import annotations

import os
import sys
import tomllib
from contextlib import contextmanager
from pathlib import Path

import coverage

from archal_lambda import ArchalClient
from support.programs import PATIENCE

ROOT = Path(__file__).parents[2]


class Project:
    """A folder with tests; `run` runs them."""

    def __init__(self, pytester, monkeypatch, site):
        self.pytester = pytester
        self.path = pytester.path
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        info = site / "plugged-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1\n")
        points = "\n".join(f"{a} = {b}" for a, b in project["entry-points"]["pytest11"].items())
        (info / "entry_points.txt").write_text(f"[pytest11]\n{points}\n")
        self._monkeypatch = monkeypatch
        # What one run compiles serves the next, and stays out of the repository.
        monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        self.environ(
            PYTHONPATH=os.pathsep.join([str(site), str(ROOT)]),
            PYTHONPYCACHEPREFIX=str(site.parent / "compiled"),
        )
        watched = coverage.Coverage.current()
        if watched is not None:  # coverage's .pth file then measures the child and its workers
            self.environ(
                COVERAGE_PROCESS_START=str(ROOT / "pyproject.toml"),
                COVERAGE_FILE=str(Path(watched.config.data_file).absolute()),
            )

    def environ(self, **variables):
        """Set variables for the runs to come."""
        for name, value in variables.items():
            self._monkeypatch.setenv(name, value)

    def write(self, text, name="test_it.py"):
        """Write a file of tests."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def ini(self, *lines):
        """Write a configuration file, as strict as may be."""
        strict = [
            "[pytest]",
            "addopts = --strict-markers --strict-config -W error -p no:cacheprovider",
        ]
        self.write("\n".join([*strict, *lines]) + "\n", "pytest.ini")

    def run(self, *arguments):
        """Run the tests to their end."""
        if not (self.path / "pytest.ini").exists():
            self.ini()
        return self.pytester.runpytest_subprocess(*arguments, timeout=PATIENCE)

    @contextmanager
    def running(self, *arguments):
        """Run the tests beside this one; they have been killed at the end."""
        self.ini()
        with open(self.path / "output.txt", "wb") as file:  # noqa: PTH123 - Popen takes it
            command = [sys.executable, "-m", "pytest", *arguments]
            process = self.pytester.popen(command, stdout=file, stderr=file, stdin=None)
            try:
                yield process
            finally:
                process.kill()
                process.wait()

    @property
    def output(self):
        """What `running` has printed."""
        return (self.path / "output.txt").read_text(encoding="utf-8")


def hosted_by(archal, project):
    """Let a project take a local Archal for the hosted one; its own session is not used."""
    kept = ("ARCHAL_TOKEN", "ARCHAL_LAMBDA_API_URL", "ARCHAL_LAMBDA_RUNTIME_URL")
    project.environ(**{name: archal.environ[name] for name in kept})


def sessions_left(archal):
    """The ids of the sessions that run, but for the one that was there from the start."""
    with ArchalClient.from_env(archal.environ) as client:
        return {one.session_id for one in client.sessions.list()} - {archal.session_id}
