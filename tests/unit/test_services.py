"""The catalogue of services."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path

import msgspec
import pytest
from support.standin import GITHUB_TOKEN

from archal_lambda.core.services import SERVICES

ROOT = Path(__file__).parents[2]
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# What scanners look for. No pattern here matches itself.
SECRET_SHAPED = [
    re.compile(pattern)
    for pattern in (
        r"xox[abp]-[0-9a-z]{4}",
        r"[rs]k_(test|live)_[0-9a-zA-Z]{4}",
        r"ATATT3[A-Za-z0-9]{4}",
        r"MTAx[A-Za-z0-9]{4}",
        r"lin_api_[A-Za-z0-9]{4}",
        r"AKIA[A-Z0-9]{16}",
    )
]


def sources():
    """Every text file that is published."""
    for folder in ("archal_lambda", "deploy", "events", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".json", ".yaml", ".mk", ".toml", ".txt", ".pyi"}:
                yield path
    yield from (ROOT / name for name in ("README.md", "CHANGELOG.md", "template.yaml"))


def test_each_service_is_found_under_its_id():
    """Ids are labels of a host name, because a session's host name has one per clone."""
    assert list(SERVICES) == sorted(SERVICES)
    for name, service in SERVICES.items():
        assert service.id == name
        assert LABEL.fullmatch(name)


def test_services_whose_production_calls_archal_can_take_over_have_hosts():
    """They are those of its route mode."""
    routed = "discord github google-workspace jira linear ramp slack stripe supabase"
    assert all(SERVICES[name].hosts for name in routed.split())


def test_no_host_belongs_to_two_services():
    """So a host tells the service."""
    hosts = list(chain.from_iterable(service.hosts for service in SERVICES.values()))
    assert len(hosts) == len(set(hosts))


def test_hosts_are_bare_names():
    """In lower case, without scheme, port, wildcard, path or final dot."""
    for service in SERVICES.values():
        for host in service.hosts:
            labels = host.split(".")
            assert len(labels) > 1
            assert all(LABEL.fullmatch(label) for label in labels), host


def test_a_path_prefix_can_be_put_between_host_and_path():
    """It is empty, or begins with a slash and does not end with one."""
    for service in SERVICES.values():
        assert re.fullmatch(r"(/[a-z0-9]+)*", service.path_prefix)
        assert service.hosts or not service.path_prefix
    assert SERVICES["github"].path_prefix == ""
    assert SERVICES["slack"].path_prefix == "/api"
    assert SERVICES["discord"].path_prefix == "/api/v10"


def test_dummy_tokens_are_the_documented_ones():
    """Each is a bearer token, spelled without white space; GitHub's is the published one."""
    tokens = {name: service.dummy_token for name, service in SERVICES.items()}
    assert tokens["github"] == GITHUB_TOKEN
    assert tokens["linear"] == "test-token"
    assert tokens["slack"].removeprefix("xoxb") == "-bootstrap-slack-token"
    assert tokens["stripe"].removeprefix("sk") == "_test_bootstrap"
    assert tokens["jira"].removeprefix("ATATT3") == "xFfGF0_bootstrap_jira_token"
    assert tokens["discord"] is None
    given = [token for token in tokens.values() if token is not None]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", token) for token in given)


def test_no_variable_belongs_to_two_services():
    """So each can be filled without a conflict."""
    names = list(chain.from_iterable(service.token_variables for service in SERVICES.values()))
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)+", name) for name in names)


def test_services_cannot_be_changed():
    """One catalogue serves the whole process."""
    service = SERVICES["github"]
    with pytest.raises(AttributeError):
        service.id = "gitlab"
    assert hash(service) == hash(msgspec.structs.replace(service))


def test_secret_shaped_tokens_are_not_written_out():
    """A scanner that finds one in the repository would raise an alarm over nothing."""
    harmless = {SERVICES["github"].dummy_token, SERVICES["linear"].dummy_token, None}
    joined = {service.dummy_token for service in SERVICES.values()} - harmless
    assert len(joined) == 3
    for path in sources():
        text = path.read_text(encoding="utf-8")
        assert not [token for token in joined if token in text], path
        assert not [found[0] for shape in SECRET_SHAPED if (found := shape.search(text))], path
