"""What `sam build` makes: the package and its dependencies, compiled for Lambda, and nothing else."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import tomllib
from email.parser import HeaderParser

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support import supply
from support.sam import tools

HANDLERS = (
    "agent",
    "create_repo",
    "github_webhook",
    "mcp_agent",
    "scenario_worker",
    "session_lifecycle",
    "session_sweeper",
)
DISTRIBUTIONS = ("aws_lambda_powertools", "jmespath", "msgspec", "typing_extensions", "urllib3")
# The function that needs more, and what that is: distribution to top-level name.
DURABLE = "DurableLifecycle"
MORE = {
    "aws_durable_execution_sdk_python": "aws_durable_execution_sdk_python",
    "boto3": "boto3",
    "botocore": "botocore",
    "python_dateutil": "dateutil",
    "s3transfer": "s3transfer",
    "six": "six.py",
}
# The rooms of the package that no function has a use for.
NOT_DEPLOYED = {"cli", "faults", "invoke", "lambda_events", "local", "testing"}
MAGIC = struct.pack("<H2s", 3571, b"\r\n")  # of CPython 3.13's bytecode
NEVER_CHECKED = struct.pack("<I", 0b01)  # named by its source's hash, which nobody compares
MACHINES = {"x86_64": 62, "arm64": 183}  # in the header of an ELF file

# Imports one handler, and prints where the loaded modules lie that are not the interpreter's own.
IMPORT = """
import importlib, json, sys, sysconfig
if len(sys.argv) > 2:
    sys.path.insert(0, sys.argv[2])
handler = importlib.import_module("archal_lambda.handlers." + sys.argv[1]).handler
assert callable(handler)
own = sysconfig.get_paths()["stdlib"]
files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
cached = [module.__cached__ for module in list(sys.modules.values()) if getattr(module, "__cached__", None)]
foreign = [file for file in files + cached if not file.startswith(own) or "site-packages" in file]
print(json.dumps([foreign, [name for name in sys.modules if name.startswith("archal_lambda")]]))
"""


@pytest.fixture(params=["arm64", "x86_64"])
def build(request, builds):
    """The folder of the built functions, for each architecture."""
    return builds(request.param)


@pytest.fixture
def artifact(build):
    """The folder of one function; a test holds that the others are like it."""
    return build / "CreateRepo"


@pytest.fixture
def runnable(builds):
    """An artifact that this machine can run."""
    return builds(tools.this_machine()) / "CreateRepo"


def files(folder):
    """Give the files below a folder: {path: content}."""
    found = (path for path in folder.rglob("*") if not path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def requirements(path=tools.REQUIREMENTS):
    """Read what is pinned: {name: (version, number of hashes)}."""
    text = path.read_text(encoding="utf-8")
    pins = re.findall(
        r"^(\S+)==(\S+) (\\\n(?:    --hash=sha256:[0-9a-f]{64}.*\n?)+)", text, re.MULTILINE
    )
    return {name: (version, rest.count("sha256")) for name, version, rest in pins}


def test_every_function_has_the_same_code(build):
    """There is a folder for each function of the template, and all hold the same, but for the durable one."""
    folders = sorted(path for path in build.iterdir() if path.is_dir())

    text = (tools.ROOT / "template.yaml").read_text(encoding="utf-8")
    names = re.findall(
        r"^  (\w+):\n(?:    #.*\n)*    Type: AWS::Serverless::Function$", text, re.MULTILINE
    )
    assert len(names) > 1
    assert [folder.name for folder in folders] == sorted(names)
    first = files(folders[0])
    assert all(files(folder) == first for folder in folders[1:] if folder.name != DURABLE)


def test_the_durable_function_has_its_sdk_as_well(build):
    """And boto3, as the SDK asks for it, with the description of one service; all else is as in the others."""
    common, found = files(build / "Agent"), files(build / DURABLE)
    pins = requirements(tools.DURABLE_REQUIREMENTS)

    assert {name: text for name, text in found.items() if name in common} == common
    more = {name.partition("/")[0] for name in found.keys() - common.keys()} - {"__pycache__"}
    versions = {name.replace("-", "_"): version for name, (version, _) in pins.items()}
    assert more == {*MORE.values(), *(f"{name}-{versions[name]}.dist-info" for name in MORE)}
    services = {
        path.name for path in (build / DURABLE / "botocore" / "data").iterdir() if path.is_dir()
    }
    assert services == {"lambda"}
    assert sum(len(text) for name, text in found.items() if not name.endswith(".pyc")) < 16_000_000


def test_the_durable_function_pins_what_its_sdk_asks_for(build):
    """Each requirement is pinned in one of the two files, within its bounds, and by one hash: none is compiled."""
    project = tomllib.loads((tools.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(line) for line in project["optional-dependencies"]["durable"]]
    more = requirements(tools.DURABLE_REQUIREMENTS)
    for name, (version, _) in more.items():
        metadata = build / DURABLE / f"{name.replace('-', '_')}-{version}.dist-info" / "METADATA"
        fields = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        wanted += map(Requirement, fields.get_all("Requires-Dist", []))
    environment = {"extra": "", "python_version": "3.13", "python_full_version": "3.13.0"}
    needed = [r for r in wanted if r.marker is None or r.marker.evaluate(environment)]

    assert {canonicalize_name(requirement.name) for requirement in needed} >= set(more)
    for requirement in needed:
        version, _ = (requirements() | more)[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement
    assert {hashes for _, hashes in more.values()} == {1}


def test_the_durable_handler_is_imported_from_its_artifact_alone(builds, tmp_path):
    """And can make the client that keeps its checkpoints."""
    built = builds(tools.this_machine()) / DURABLE
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from archal_lambda.handlers.durable_lifecycle import handler
from aws_durable_execution_sdk_python.lambda_service import LambdaClient
client = LambdaClient.initialize_client().client
assert callable(client.checkpoint_durable_execution) and callable(client.get_durable_execution_state)
"""
    done = subprocess.run(
        [supply.obtained(tools.python), "-I", "-S", "-c", code, str(built)],
        cwd=tmp_path,
        env={"PATH": os.defpath, "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_top_level_is_the_package_and_its_dependencies(artifact):
    """Nothing else is in the artifact."""
    pins = {name.replace("-", "_"): version for name, (version, _) in requirements().items()}

    assert {path.name for path in artifact.iterdir()} == {
        "__pycache__",
        "archal_lambda",
        "aws_lambda_powertools",
        "jmespath",
        "msgspec",
        "typing_extensions.py",
        "urllib3",
        *(f"{name}-{pins[name]}.dist-info" for name in DISTRIBUTIONS),
    }
    assert {path.name for path in (artifact / "__pycache__").iterdir()} == {
        "typing_extensions.cpython-313.pyc"
    }


def test_package_is_whole_but_for_the_command_line_and_the_local_archal(artifact):
    """Every module is there, unchanged, except those that a function has no use for."""
    source = tools.ROOT / "archal_lambda"
    expected = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for path in source.rglob("*.py")
        if path.relative_to(source).parts[0] not in NOT_DEPLOYED
    }

    found = files(artifact / "archal_lambda")

    assert {name: text for name, text in found.items() if not name.endswith(".pyc")} == expected
    for handler in HANDLERS:
        assert f"handlers/{handler}.py" in found


def test_installer_leaves_only_what_others_read(artifact):
    """Of each dependency's records stay the metadata, for scanners, and the licence."""
    for name in DISTRIBUTIONS:
        (folder,) = artifact.glob(f"{name}-*.dist-info")
        names = {path.name for path in folder.rglob("*") if path.is_file()}
        assert "METADATA" in names
        assert names - {"METADATA"} <= {"LICENSE", "LICENSE.txt"}
        assert len(names) == 2


def test_every_module_is_compiled_for_lambda(artifact):
    """Each source has its bytecode of 3.13, never compared with the source; there is no other bytecode."""
    found = files(artifact)
    sources = [name for name in found if name.endswith(".py")]
    compiled = {name for name in found if name.endswith(".pyc")}

    assert compiled == {
        re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-313.pyc", name) for name in sources
    }
    assert {found[name][:8] for name in compiled} == {MAGIC + NEVER_CHECKED}
    # The places in tracebacks are Lambda's, so the same sources always make the same bytes.
    assert not [name for name in compiled if str(artifact).encode() in found[name]]


def test_compiled_extensions_are_of_the_architecture(request, artifact):
    """Each shared library is for the processor asked for; without asking, for arm64."""
    libraries = {name: text for name, text in files(artifact).items() if ".so" in name}

    assert libraries
    for library in libraries.values():
        assert library[:4] == b"\x7fELF"
        (machine,) = struct.unpack_from("<H", library, 18)
        assert machine == MACHINES[request.node.callspec.params["build"]]


def test_artifact_stays_small(artifact):
    """6 MB without bytecode is the limit; the dependencies alone take 4.7, Powertools 3.5 of it."""
    sizes = {name: len(text) for name, text in files(artifact).items()}

    assert sum(size for name, size in sizes.items() if not name.endswith(".pyc")) < 6_000_000
    assert (
        sum(size for name, size in sizes.items() if name.startswith("archal_lambda/")) < 1_300_000
    )


def test_everybody_may_read_the_artifact(artifact):
    """Lambda runs the code as a user of its own."""
    assert not [path for path in artifact.rglob("*") if not path.stat().st_mode & 0o004]


@pytest.mark.parametrize("isolated", [True, False], ids=["-I -S", "PYTHONPATH"])
@pytest.mark.parametrize("handler", HANDLERS)
def test_handler_is_imported_from_the_artifact_alone(runnable, tmp_path, handler, isolated):
    """It needs nothing but the standard library, loads no more of the package than is there, and writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in runnable.rglob("*")}
    options = ["-I", "-S"] if isolated else ["-s"]
    command = [supply.obtained(tools.python), *options, "-W", "error", "-c", IMPORT, handler]

    done = subprocess.run(
        [*command, str(runnable)] if isolated else command,
        cwd=tmp_path,
        env={"PATH": os.defpath} | ({} if isolated else {"PYTHONPATH": str(runnable)}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    foreign, modules = json.loads(done.stdout)
    assert foreign
    assert not [file for file in foreign if not file.startswith(f"{runnable}/")]
    assert f"archal_lambda.handlers.{handler}" in modules
    assert {path: path.stat().st_mtime_ns for path in runnable.rglob("*")} == before


def test_pins_are_what_the_project_asks_for(artifact):
    """Each runtime dependency, and what it needs itself, is pinned within its bounds, and by hash."""
    project = tomllib.loads((tools.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [Requirement(line) for line in project["dependencies"]]
    for metadata in artifact.glob("*.dist-info/METADATA"):
        fields = HeaderParser().parsestr(metadata.read_text(encoding="utf-8"))
        wanted += map(Requirement, fields.get_all("Requires-Dist", []))
    environment = {"extra": "", "python_version": "3.13", "python_full_version": "3.13.0"}
    needed = [r for r in wanted if r.marker is None or r.marker.evaluate(environment)]

    pins = requirements()

    assert {canonicalize_name(requirement.name) for requirement in needed} == set(pins)
    for requirement in needed:
        version, _ = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), requirement
    # One wheel for all, or one for each architecture and Python.
    assert {name: hashes for name, (_, hashes) in pins.items() if hashes != 1} == {"msgspec": 4}
