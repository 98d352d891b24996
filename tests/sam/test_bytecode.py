"""What becomes of bytecode in the zip that SAM uploads: the README says so for templates of one's own."""

from __future__ import annotations

import os
import subprocess
import zipfile

import pytest
from support import supply
from support.sam import tools

ZIP = """
import sys
from samcli.lib.package.utils import make_zip_with_lambda_permissions
make_zip_with_lambda_permissions(sys.argv[1], sys.argv[2])
"""
DATED = ["--invalidation-mode", "timestamp"]
NEVER_CHECKED = ["--invalidation-mode", "unchecked-hash"]


@pytest.mark.parametrize(
    ("options", "variables", "used"),
    [
        (DATED, {}, False),
        ([], {"SOURCE_DATE_EPOCH": "1"}, True),  # as pip runs it
        (NEVER_CHECKED, {}, True),
    ],
    ids=["dated", "SOURCE_DATE_EPOCH", "unchecked-hash"],
)
def test_bytecode_that_goes_by_dates_is_stale_in_the_zip(sam, tmp_path, options, variables, used):
    """SAM dates every file 1980, so only bytecode that goes by content is used."""
    python = supply.obtained(tools.python)
    built, unpacked = tmp_path / "built", tmp_path / "unpacked"
    built.mkdir()
    (built / "module.py").write_text("x = 1\n")
    compile_all = [
        python,
        "-m",
        "compileall",
        "-q",
        *options,
        "-s",
        built,
        "-p",
        "/var/task",
        built,
    ]
    subprocess.run(compile_all, env={"PATH": os.defpath, **variables}, check=True, timeout=60)

    code, _, errors = sam.run("-c", ZIP, tmp_path / "code", built)
    assert code == 0, errors
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        assert {item.date_time[0] for item in archive.infolist()} == {1980}
        # zipfile dates what it unpacks anew, which is as stale.
        archive.extractall(unpacked)
    done = subprocess.run(
        [
            python,
            "-I",
            "-S",
            "-B",
            "-v",
            "-c",
            f"import sys; sys.path[:0] = [{str(unpacked)!r}]; import module",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert ("bytecode is stale" not in done.stderr) is used
    assert (f"module.cpython-313.pyc matches {unpacked}/module.py" in done.stderr) is used
