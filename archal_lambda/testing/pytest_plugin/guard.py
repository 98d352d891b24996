"""The guard that keeps tests on this machine.

This module owns what counts as this machine, and failing the test that goes beyond. It hears of each look-up and each
connection that Python's own sockets make, by an audit hook (PEP 578), and refuses before anything leaves. It hears
nothing of what C extensions do by themselves, such as pycurl, grpc and uvloop, nor of child processes.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Callable, Generator, Iterable
from typing import Any

import pytest

__all__ = ["GuardPlugin", "PublicAddressError"]

_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
_SECTION = "Archal guard"


class PublicAddressError(PermissionError):
    """A look-up or a connection that the guard has refused; for the code under test it is a failure of the network."""


class GuardPlugin:
    """Refuses whatever leaves this machine while a test runs or is collected, and fails it."""

    def __init__(self) -> None:
        self._watching = False
        self._reached: dict[str, None] = {}
        self._hosts: set[str] = set()
        self._addresses: set[str] = set()
        self._resolve: Callable[..., Any] | None = None
        _guards.append(self)
        if not _hooked:
            sys.addaudithook(_heard)
            _hooked.append(True)

    def allow(self, hosts: Iterable[str]) -> None:
        """Let hosts be reached, by their names and by what these resolve to."""
        self._hosts.update(host.lower() for host in hosts if host)
        if self._resolve is None:
            self._resolve = socket.getaddrinfo
            # The hook does not hear what a look-up found, and asking again may find other addresses.
            socket.getaddrinfo = self._getaddrinfo

    def lift(self) -> None:
        """Refuse nothing any more; a hook cannot be removed, but has nobody to tell."""
        self._watching = False
        if self in _guards:
            _guards.remove(self)
        if self._resolve is not None:
            socket.getaddrinfo, self._resolve = self._resolve, None

    def heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Judge an event; what is refused is kept for the test's report."""
        if not self._watching:
            return
        where = _target(event, arguments)
        if where is None:
            return
        host, port = where
        name = _plain(host)
        if _is_here(name) or name in self._hosts or name in self._addresses:
            return
        if event in _LOOK_UPS and _address(name) is not None:
            return  # nothing is asked of anybody; connecting there will be
        text = f"{name}:{port}" if port else name
        self._reached[text] = None
        raise PublicAddressError(f"the guard of archal_lambda refuses {text}: not this machine")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        """Watch a test, its fixtures included."""
        self._reached.clear()
        self._watching = True
        try:
            return (yield)
        finally:
            self._watching = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Fail a test that went beyond, whatever became of it."""
        report = yield
        self._judge(report, item.nodeid)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Watch the import of test modules, too."""
        self._watching = True
        try:
            report = yield
        finally:
            self._watching = False
        self._judge(report, collector.nodeid)
        return report

    def _judge(self, report: pytest.TestReport | pytest.CollectReport, nodeid: str) -> None:
        if not self._reached:
            return
        reached = ", ".join(self._reached)
        self._reached.clear()
        text = f"{nodeid} tried to reach {reached}, which is not this machine"
        if report.failed:
            report.sections.append((_SECTION, text))
            return
        report.outcome = "failed"
        report.longrepr = text
        vars(report).pop("wasxfail", None)  # expected was another failure

    def _getaddrinfo(self, host: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as socket's own
        resolve = self._resolve or socket.getaddrinfo
        found = resolve(host, *arguments, **options)
        if _plain(host) in self._hosts:
            self._addresses.update(_plain(address[0]) for *_, address in found)
        return found


# Those that are told: one, or two where a run is within a run.
_guards: list[GuardPlugin] = []
_hooked: list[bool] = []
_LOOK_UPS = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_EVENTS = _LOOK_UPS | {
    "socket.connect",
    "socket.gethostbyaddr",
    "socket.sendmsg",
    "socket.sendto",
}


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        for guard in _guards:
            guard.heard(event, arguments)


def _target(event: str, arguments: tuple[Any, ...]) -> tuple[Any, Any] | None:
    """Give host and port of an event, or None for what has none, such as a Unix socket."""
    if event == "socket.getaddrinfo":
        return arguments[0], arguments[1]
    if event.startswith("socket.gethost"):
        return arguments[0], None
    sock, address = arguments[:2]
    if sock.family not in {socket.AF_INET, socket.AF_INET6} or address is None:
        return None
    return address[0], address[1]


def _plain(host: object) -> str:
    """Write a host as it is compared: small, without zone and final dot."""
    text = bytes(host).decode("latin-1") if isinstance(host, bytes | bytearray) else str(host or "")
    return text.partition("%")[0].rstrip(".").lower()


def _is_here(name: str) -> bool:
    if not name or name in _NAMES or name.endswith(".localhost"):
        return True
    address = _address(name)
    if address is None:
        return name == socket.gethostname().rstrip(".").lower()
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address, also in the short forms that the C library takes, such as `127.1`."""
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        if not set(name) <= set("0123456789abcdefx."):
            return None
    try:
        return ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        return None
