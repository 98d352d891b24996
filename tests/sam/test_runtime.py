"""One parameter, `Runtime`, decides which Python the functions run on and which one `sam build` builds for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest
from support import supply
from support.sam import tools

# What another Python than the artifact's says when it imports a handler.
IMPORT = """
import sys
sys.path.insert(0, sys.argv[1])
import archal_lambda.handlers.create_repo
"""
SETTINGS = """
import json, sys
from pathlib import Path
from samcli.lib.config.samconfig import SamConfig
config = SamConfig(Path(sys.argv[1]))
print(json.dumps([config.get_all(command, "parameters")["parameter_overrides"] for command in (["build"], ["deploy"])]))
"""
ONCE_FOR_BOTH = (
    'version = 0.1\n[default.global.parameters]\nparameter_overrides = ["Runtime=python3.14"]\n'
)


def make(target, architecture, runtime, folder, **variables):
    """Run a target of the build into a folder."""
    return subprocess.run(
        [
            supply.obtained(tools.make),
            "--makefile",
            f"deploy/{architecture}/{runtime}/Makefile",
            target,
        ],
        cwd=tools.ROOT,
        env={**os.environ, "ARTIFACTS_DIR": str(folder), **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("function", ["CreateRepo", "DurableLifecycle"])
@pytest.mark.parametrize("version", ["3.13", "3.14"])
@pytest.mark.parametrize("architecture", tools.PLATFORMS)
def test_dependencies_are_resolved_for_the_runtime(tmp_path, architecture, version, function):
    """With the hashes of the pins, every compiled library is one for that CPython and the processor."""
    fetched = supply.obtained(tools.wheels, architecture, version)
    offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(fetched), "PYTHON": sys.executable}

    target = f"dependencies-{function}"
    done = make(target, architecture, f"python{version}", tmp_path, **offline)

    assert done.returncode == 0, done.stderr
    machine = tools.PLATFORMS[architecture].removeprefix("manylinux2014_")
    libraries = {path.name for path in tmp_path.rglob("*.so*")}
    assert libraries == {f"_core.cpython-{version.replace('.', '')}-{machine}-linux-gnu.so"}
    sdk = tmp_path / "aws_durable_execution_sdk_python"
    assert sdk.is_dir() is (function == "DurableLifecycle")


@pytest.mark.parametrize(
    ("runtime", "interpreter", "is_what"),
    [
        ("python3.13", "false", "not found or does not start"),
        ("python3.13", "python-that-is-not-there", "not found or does not start"),
        ("python3.14", sys.executable, "Python {}.{}".format(*sys.version_info)),
    ],
)
def test_a_build_without_the_right_python_says_so(tmp_path, runtime, interpreter, is_what):
    """Whoever lacks the runtime's Python is told what to do, and gets no half-made artifact."""
    if runtime.removeprefix("python") == supply.running():
        pytest.skip("this is the right one")

    done = make("build-CreateRepo", "arm64", runtime, tmp_path, PYTHON=interpreter)

    assert done.returncode != 0
    version = runtime.removeprefix("python")
    assert f"sam build needs Python {version}, because Runtime is {runtime}" in done.stderr
    assert f"{interpreter} is {is_what}. Put {runtime} on PATH" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_sam_hands_the_parameter_to_the_build(sam, tmp_path):
    """`sam build` builds for what its parameter says, from the command line or from samconfig.toml."""
    for name in tools.SOURCES:
        copy = shutil.copytree if (tools.ROOT / name).is_dir() else shutil.copy
        copy(tools.ROOT / name, tmp_path / name)
    options = ("--parameter-overrides", "Runtime=python3.14")

    told = [sam("build", "Agent", *options, cwd=tmp_path, PYTHON="false")]
    (tmp_path / "samconfig.toml").write_text(ONCE_FOR_BOTH)
    told.append(sam("build", "Agent", cwd=tmp_path, PYTHON="false"))

    for code, _, errors in told:
        assert code != 0
        assert "sam build needs Python 3.14, because Runtime is python3.14" in errors


def test_a_runtime_without_a_build_is_named(sam, tmp_path):
    """Lambda has more Pythons than there are builds for; SAM names the one that is missing."""
    folder = ("--build-dir", str(tmp_path / "build"))
    options = ("--parameter-overrides", "Runtime=python3.12")

    code, _, errors = sam("build", "Agent", *folder, *options)

    assert code != 0
    assert "deploy/arm64/python3.12/Makefile" in errors


def test_one_setting_of_samconfig_counts_for_build_and_deploy(sam, tmp_path):
    """Under `global` it is written once, so that the two cannot differ; the README has the same lines."""
    (tmp_path / "samconfig.toml").write_text(ONCE_FOR_BOTH)

    code, printed, errors = sam.run("-c", SETTINGS, tmp_path)

    assert code == 0, errors
    assert json.loads(printed) == [["Runtime=python3.14"]] * 2
    readme = (tools.ROOT / "README.md").read_text(encoding="utf-8")
    assert ONCE_FOR_BOTH in readme.replace("\n    ", "\n")


def test_code_built_for_another_python_says_so(builds):
    """Deployed to another runtime, a function's log says what is wrong."""
    artifact = builds(tools.this_machine()) / "CreateRepo"
    others = [version for version in ("3.11", "3.12") if supply.interpreter(version)]
    if not others:
        pytest.skip("there is no other Python")

    done = subprocess.run(
        [supply.interpreter(others[0]), "-I", "-S", "-c", IMPORT, str(artifact)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (
        f"than this one (Python {others[0]}): give `sam build` and `sam deploy` the same"
        in done.stderr
    )
