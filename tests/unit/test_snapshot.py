"""The hooks of Lambda's runtime, where there are some and where there are none."""

from __future__ import annotations

import subprocess
import sys

HOOKS = """
import sys, types
hooks = types.ModuleType("snapshot_restore_py")
before, after = [], []
hooks.register_before_snapshot, hooks.register_after_restore = before.append, after.append
sys.modules["snapshot_restore_py"] = hooks
import ssl
mixed = []
ssl.RAND_add = lambda *given: mixed.append(given)
"""


def run(code):
    """Run code in a fresh interpreter; give what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_new_randomness_is_mixed_in_after_each_restore():
    """OpenSSL's generator was seeded before the snapshot, and every copy has the same."""
    told = run(
        HOOKS
        + "import archal_lambda.transports._urllib3\n"
        + "for _ in range(2):\n"
        + "    for work in after: work()\n"
        + "print(len(mixed), len({bytes for bytes, _ in mixed}), {len(bytes) for bytes, _ in mixed} == {32})"
    )

    assert told == ["2", "2", "True"]


def test_a_function_of_ones_own_runs_before_the_snapshot():
    """The decorator registers it and leaves it as it was."""
    told = run(
        HOOKS
        + "from archal_lambda.powertools import before_snapshot\n"
        + "@before_snapshot\n"
        + "def prime(): print('primed')\n"
        + "before[-1]()\n"
        + "print(prime.__name__)"
    )

    assert told == ["primed", "prime"]


def test_outside_lambda_nothing_happens():
    """There are no hooks, and that is no error."""
    told = run(
        "from archal_lambda.powertools import before_snapshot\n"
        "@before_snapshot\n"
        "def prime(): print('primed')\n"
        "print('loaded')"
    )

    assert told == ["loaded"]
