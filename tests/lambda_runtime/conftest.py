"""The function under test on each Python, and what surrounds it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import threading
import time

import pytest
from support import supply
from support.aws import function as functions
from support.aws.emulator import Emulator
from support.aws.relay import Relay
from support.aws.runtime_api import Runtime, RuntimeApi
from support.sam import tools
from support.standin import GITHUB_TOKEN

from archal_lambda.local import LocalArchal

PYTHONS = supply.interpreters()


@pytest.fixture(scope="session", params=PYTHONS)
def version(request):
    return request.param


@pytest.fixture(scope="session")
def task_root(version, tmp_path_factory):
    """The function's folder: the artifact of `sam build` for the Python it builds for, what pip makes for others."""
    folder = tmp_path_factory.mktemp(f"task-{version}-")
    if version != supply.DEPLOYED:
        return supply.obtained(supply.task_root, PYTHONS[version], folder)
    machine = tools.this_machine()
    sam = tools.Sam(supply.obtained(tools.environment), folder / "home")
    (folder / "source").mkdir()
    choice = ("--parameter-overrides", f"Architecture={machine}")
    return sam.build(folder / "source", machine, *choice) / "CreateRepo"


@pytest.fixture(scope="session")
def function(version, task_root):
    client = supply.obtained(supply.runtime_client, version, PYTHONS[version])
    return functions.Function(version, PYTHONS[version], client, task_root)


@pytest.fixture(scope="session")
def program():
    return supply.obtained(supply.emulator)


@pytest.fixture
def archal():
    with LocalArchal() as running:
        yield running


@pytest.fixture
def relay(archal):
    """A relay in front of the local Archal."""
    with Relay(int(archal.api_url.rpartition(":")[2])) as running:
        yield running


@pytest.fixture
def relayed(archal, relay):
    """The environment in which everything goes through the relay."""
    url = f"http://127.0.0.1:{relay.port}"
    return {name: value.replace(archal.api_url, url) for name, value in archal.environ.items()}


@pytest.fixture
def secrets(archal):
    """What no function may print; a test may add to it."""
    return [archal.token, GITHUB_TOKEN, "any-service-token"]


@pytest.fixture
def emulate(program, function, secrets, tmp_path):
    """Start the emulator with a handler; afterwards no secret may be found in what was printed."""
    emulators = []

    def start(handler, settings, *, timeout=10):
        folder = tmp_path / str(len(emulators))
        folder.mkdir()
        environ = function.environ(settings, timeout=timeout)
        emulators.append(Emulator(program, function, handler, environ, folder))
        return emulators[-1]

    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [reveals(emulator.output, secrets) for emulator in emulators])
        stack.callback(lambda: [stack.callback(emulator.stop) for emulator in emulators])
        yield start


@pytest.fixture
def drive(function, secrets, tmp_path):
    """Start the runtime client on a Runtime API of the test's own; no secret may be printed either."""
    with contextlib.ExitStack() as stack:

        def start(handler, settings, *, timeout=10):
            api = stack.enter_context(RuntimeApi(timeout))
            environ = function.environ(settings, timeout=timeout)
            environ["AWS_LAMBDA_RUNTIME_API"] = api.address
            runtime = Runtime(function, handler, environ, tmp_path / "output")
            stack.callback(lambda: reveals(runtime.output, secrets))
            stack.callback(runtime.stop)
            return api, runtime

        yield start


def reveals(output, secrets):
    """Fail if a secret was printed."""
    assert not [secret for secret in secrets if secret in output]


@pytest.fixture(autouse=True, scope="module")
def nothing_left():
    """No process and no thread outlives a module; a socket that does is found by its ResourceWarning."""
    before = set(threading.enumerate())
    yield
    gc.collect()
    deadline = time.monotonic() + 5.0
    # The last of them may have been killed a moment ago.
    while (processes := functions.left_behind()) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    threads = [thread.name for thread in threading.enumerate() if thread not in before]
    assert (processes, threads) == ([], [])
