"""A function as Lambda would run it: an interpreter, a folder, and the environment."""

from __future__ import annotations

import dataclasses
import os
import uuid
from pathlib import Path

# Stands in the environment of every process started here, so that one left behind is found.
MARK = f"ARCHAL_LAMBDA_TEST_RUN={uuid.uuid4()}"
EXAMPLES = Path(__file__).parents[2] / "lambda_runtime" / "functions"


@dataclasses.dataclass(frozen=True)
class Function:
    """What is deployed.

    Args:
        version: The Python version, as in 3.13.
        python: The interpreter.
        runtime_client: The folder with AWS's runtime client.
        task_root: The folder that Lambda would mount as `/var/task`.
    """

    version: str
    python: str
    runtime_client: Path
    task_root: Path

    def command(self, handler):
        """Give the command of the runtime; without site-packages, so that the folder has to be complete."""
        return [self.python, "-S", "-m", "awslambdaric", handler]

    def environ(self, settings, *, timeout):
        """Give the environment: Lambda's own variables and the function's settings, nothing inherited."""
        name, value = MARK.split("=")
        return {
            "PATH": os.defpath,
            "TZ": ":UTC",
            "AWS_LAMBDA_FUNCTION_NAME": "create-repo",
            "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_REGION": "eu-west-1",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{self.version}",
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "PYTHONPATH": os.pathsep.join([str(self.runtime_client), str(EXAMPLES)]),
            "PYTHONDONTWRITEBYTECODE": "1",  # as where the folder is read-only
            "POWERTOOLS_SERVICE_NAME": "archal-lambda",
            name: value,
            **settings,
        }


def left_behind():
    """Find processes of this run that are still there."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if MARK.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue  # it has ended meanwhile, or is somebody else's
    return found
