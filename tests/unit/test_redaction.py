"""What may be shown."""

from __future__ import annotations

import copy

import pytest
from support.fakes import repickled

from archal_lambda import Secret
from archal_lambda.core.secrets import REDACTED


def test_a_secret_is_never_shown():
    """Every way of making text of a secret gives the marker."""
    secret = Secret("hunter2")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret!r}", "%s" % secret, str([secret])]  # noqa: UP031
    assert set(shown) == {REDACTED, f"[{REDACTED}]"}


def test_a_secret_reveals_itself_when_asked():
    assert Secret("hunter2").reveal() == "hunter2"


def test_secrets_compare_by_value():
    """Equal secrets have the same hash. A secret is not equal to its own string."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, repickled])
def test_a_secret_survives_copies(again):
    """A copied or pickled secret still hides its value."""
    secret = again(Secret("hunter2"))
    assert (secret.reveal(), str(secret)) == ("hunter2", REDACTED)
