"""Targets that a server might read as others, and hosts that only look like this machine."""

from __future__ import annotations

import pytest

from archal_lambda import Request
from archal_lambda.core.url import BaseUrl, is_loopback


@pytest.mark.parametrize("end", ["?", "#", ";", "?x=1", "#/a"])
@pytest.mark.parametrize("dots", [".", "..", "%2e%2e", ".. "])
@pytest.mark.parametrize("times", [1, 2, 3])
def test_dots_before_an_encoded_delimiter_are_refused(dots, end, times):
    """A server that decodes before it splits the target would leave the clone's base."""
    hidden = "".join(f"%{ord(char):02x}" for char in end)
    for _ in range(times - 1):
        hidden = hidden.replace("%", "%25")
    with pytest.raises(ValueError, match=r"must not contain \. or \.\. segments"):
        Request("GET", f"/a/{dots}{hidden}")


@pytest.mark.parametrize("path", ["/a%3f", "/what%3f/b", "/..a%3f", "/a..%23", "/%23..", "/...%3f"])
def test_other_encoded_delimiters_are_data(path):
    assert Request("GET", path).path == path


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.255.255.255", True),
        ("127.0.0.0", True),
        ("localhost", True),
        ("::1", True),
        ("127.0.0.999", False),
        ("127.0.0.256", False),
        ("127.300.0.1", False),
        ("127.0.0.01", False),
        ("127.0.1", False),
        ("127.0.0.1.test", False),
        ("127.0.0.\u0661", False),
        ("128.0.0.1", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(host, loopback):
    """Plain http goes nowhere else."""
    assert is_loopback(host) is loopback


def test_what_only_looks_like_loopback_needs_https():
    with pytest.raises(ValueError, match="must be https"):
        BaseUrl("http://127.0.0.999/github/api")
