"""The tests do not depend on the shell they are started from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
SET_UP = {
    "ARCHAL_TOKEN": "two words",
    "AGENT_CLONE_URLS": "no JSON",
    "ARCHAL_STRIPE_REST_URL": "no URL",
    "POWERTOOLS_LOG_LEVEL": "ERROR",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


def test_a_shell_that_is_set_up_for_archal_does_not_matter():
    """Handlers, which read the environment, and PyGithub, which reads the proxy, pass all the same."""
    ended = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "-q", "-p", "no:cacheprovider"),
            str(HERE / "handlers" / "test_create_repo.py"),
            str(HERE / "local" / "test_pygithub.py"),
        ],
        cwd=HERE.parent,
        env={**os.environ, **SET_UP, "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout
