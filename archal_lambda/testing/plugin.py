"""The pytest plugin: options, a marker, and fixtures over a local or a hosted Archal.

This module owns the hooks and the fixtures. pytest loads it in every run of everybody who has the package installed, so
it must do nothing until it is used, and import nothing but pytest: what it does is in `testing.pytest_plugin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from typing import Any

    from archal_lambda.clients.sync import Clones
    from archal_lambda.local import LocalArchal
    from archal_lambda.testing.context import LocalContext
    from archal_lambda.testing.pytest_plugin.world import Run, World

__all__ = [
    "archal",
    "archal_clones",
    "archal_environ",
    "archal_options",
    "lambda_context",
    "pytest_addoption",
    "pytest_configure",
    "pytest_runtest_makereport",
    "pytest_runtest_setup",
    "pytest_terminal_summary",
]

_MARKER = (
    "archal(clones=[...], seeds={...}, fresh=False): the clones and seeds of the Archal session that the test gets; "
    "fresh=True makes one of its own"
)
_RUN: pytest.StashKey[Run] = pytest.StashKey()
_WORLD: pytest.StashKey[World] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, and what stands for them in a configuration file.

    Args:
        parser: pytest's.
    """
    group = parser.getgroup("archal", "Archal")
    group.addoption(
        "--archal",
        choices=("local", "hosted"),
        default="local",
        help="What the archal fixtures run against: a local Archal, or one session of the hosted one.",
    )
    group.addoption(
        "--archal-clone",
        action="append",
        metavar="NAME",
        help="A clone of the run's session (default: github); may be repeated.",
    )
    group.addoption(
        "--archal-seed",
        action="append",
        metavar="CLONE:SEED",
        help="Its seed: a name, or for a local Archal a .json or .yaml file; may be repeated.",
    )
    group.addoption(
        "--archal-guard",
        action="store_true",
        default=None,
        help="Let tests reach this machine only: one that looks up or connects to another address fails.",
    )
    parser.addini("archal_clones", "Clones of the run's Archal session, by name.", type="args")
    parser.addini("archal_seeds", "Their seeds, a CLONE:SEED on each line.", type="linelist")
    parser.addini("archal_guard", "Whether tests may reach this machine only.", type="bool")


def pytest_configure(config: pytest.Config) -> None:
    """Say what the marker means, and set up what an option asks for.

    Args:
        config: pytest's.

    Raises:
        pytest.UsageError: If the value of an option is wrong; it is named.
    """
    config.addinivalue_line("markers", _MARKER)
    guarded = config.getoption("archal_guard")
    if config.getini("archal_guard") if guarded is None else guarded:
        from archal_lambda.testing.pytest_plugin.guard import GuardPlugin  # noqa: PLC0415 - see the module

        guard = GuardPlugin()
        config.pluginmanager.register(guard, "archal_lambda-guard")
        config.add_cleanup(guard.lift)
    chosen = [config.getoption("archal_clone"), config.getoption("archal_seed")]
    chosen += [config.getini("archal_clones"), config.getini("archal_seeds")]
    if config.getoption("archal") == "hosted" or any(chosen):
        _run_of(config)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse a marker that says what it cannot, also on a test that uses no fixture of these.

    Args:
        item: The test.
    """
    if item.get_closest_marker("archal") is not None:
        from archal_lambda.testing.pytest_plugin.choice import marked  # noqa: PLC0415 - see the module

        marked(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the calls of a test that failed.

    Args:
        item: The test.

    Returns:
        Its report.
    """
    report = yield
    world = item.stash.get(_WORLD, None)
    if report.failed and world is not None:
        report.sections.append(("Archal calls", "\n".join(world.calls())))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the sessions that were used.

    Args:
        terminalreporter: pytest's.
    """
    ids = {
        str(value): None
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == "archal_session_id"
    }
    if ids and terminalreporter.config.get_verbosity() >= 0:
        shown = ", ".join(list(ids)[:3]) + (f" and {len(ids) - 3} more" if len(ids) > 3 else "")  # noqa: PLR2004 - that many are read
        mode = terminalreporter.config.getoption("archal")
        terminalreporter.write_line(f"archal: {mode}, session {shown}")


def _run_of(config: pytest.Config) -> Run:
    run = config.stash.get(_RUN, None)
    if run is None:
        from archal_lambda.testing.pytest_plugin.run import start  # noqa: PLC0415 - see the module

        run = config.stash[_RUN] = start(config)
    return run


@pytest.fixture(scope="session")
def archal_options() -> Mapping[str, Any]:
    """Further arguments of the run's `LocalArchal`: override it to give `extra_clones` or `upstreams`.

    Returns:
        None of them, unless it is overridden.
    """
    return {}


@pytest.fixture
def archal(
    request: pytest.FixtureRequest, archal_options: Mapping[str, Any]
) -> Generator[LocalArchal]:
    """The Archal that the test runs against, as its seeds have it.

    Locally it is the run's `LocalArchal`. Before each test that uses it, it is put back to its seeds, in a millisecond
    for GitHub; its faults and the targets of its webhooks are removed, its clocks are right, and `requests` holds those
    of the test. With `--archal hosted` it is an object with the same names, of the run's one session, which other tests
    have used: `@pytest.mark.archal(fresh=True)` gives a test its own. What the hosted Archal cannot do is an
    `UnsupportedError` that says what to do instead.

    Args:
        request: pytest's.
        archal_options: Further arguments of `LocalArchal`.

    Yields:
        The `LocalArchal`, or what stands for it.
    """
    node: pytest.Item = request.node
    with _run_of(request.config).world(node, archal_options) as world:
        node.user_properties.append(("archal_session_id", world.archal.session_id))
        node.stash[_WORLD] = world
        yield world.archal


@pytest.fixture
def archal_clones(request: pytest.FixtureRequest, archal: LocalArchal) -> Generator[Clones]:
    """Clients of the session's clones, closed after the test.

    Args:
        request: pytest's.
        archal: The session.

    Yields:
        The `Clones`.
    """
    from archal_lambda.clients.sync import Clones  # noqa: PLC0415 - see the module

    hook = request.node.stash[_WORLD].on_call
    with Clones.from_env(archal.environ, on_call=hook) as clones:
        yield clones


@pytest.fixture
def archal_environ(archal: LocalArchal, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Set the session's variables in the environment of the process, and none of another session's.

    Args:
        archal: The session.
        monkeypatch: pytest's.

    Returns:
        What was set; its `repr` shows the names only.
    """
    from archal_lambda.testing.pytest_plugin.run import environ  # noqa: PLC0415 - see the module

    variables = environ(archal.environ)
    for name, value in variables.items():
        if value:
            monkeypatch.setenv(name, value)
        else:
            monkeypatch.delenv(name, raising=False)
    return variables


@pytest.fixture
def lambda_context() -> LocalContext:
    """The context of an invocation that has 15 seconds.

    Returns:
        A `LocalContext`.
    """
    from archal_lambda.testing.context import LocalContext  # noqa: PLC0415 - see the module

    return LocalContext()
