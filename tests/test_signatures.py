"""The asynchronous clients are the synchronous ones, awaited."""

from __future__ import annotations

import inspect

import pytest

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClone,
    AsyncClones,
    Clone,
    Clones,
    aio,
)
from archal_lambda.aio.sessions import AsyncHostedSession, AsyncSessions
from archal_lambda.sessions import HostedSession, Sessions

PAIRS = [
    (Clones, AsyncClones),
    (Clone, AsyncClone),
    (ArchalClient, AsyncArchalClient),
    (Sessions, AsyncSessions),
    (HostedSession, AsyncHostedSession),
]
# What is told apart only by who waits.
TWINS = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
AWAITED = {
    "Clones": {"gather", "close"},
    "Clone": {"send", "check"},
    "ArchalClient": {"close"},
    "Sessions": {"create", "get", "list", "delete", "wait_until_running"},
    "HostedSession": set(),
}


def public(cls):
    """The members that users call, by the synchronous name."""
    back = {twin: name for name, twin in TWINS.items()}
    special = {"__init__", "__getitem__", "__iter__", "__len__", "__contains__", *TWINS, *back}
    return {
        back.get(name, name): member
        for base in reversed(cls.__mro__[:-1])
        for name, member in vars(base).items()
        if inspect.isroutine(member) or isinstance(member, classmethod)
        if name in special or name[0] != "_"
    }


def parameters(member):
    """Names, kinds and defaults; `sleep` waits in its own way."""
    function = getattr(member, "__func__", member)
    return [
        (one.name, one.kind, None if one.name == "sleep" else one.default)
        for one in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize(("sync", "awaited"), PAIRS, ids=lambda cls: cls.__name__)
def test_same_methods_arguments_and_defaults(sync, awaited):
    """Nothing is missing on either side, and every call can be written the same way."""
    here, there = public(sync), public(awaited)

    assert sorted(here) == sorted(there)
    assert {name: parameters(here[name]) for name in here} == {
        name: parameters(there[name]) for name in there
    }


@pytest.mark.parametrize(("sync", "awaited"), PAIRS, ids=lambda cls: cls.__name__)
def test_what_is_awaited(sync, awaited):
    """What sends is awaited; what does not is the same."""
    found = {
        name
        for name, member in public(awaited).items()
        if name not in TWINS and inspect.iscoroutinefunction(member)
    }
    assert found == AWAITED[sync.__name__]


def test_documented_alike():
    """The promises of the two differ in no section."""
    for sync, awaited in PAIRS:
        for name, member in public(sync).items():
            theirs = public(awaited)[name]
            for section in ("Args:", "Returns:", "Raises:"):
                assert (section in (member.__doc__ or "")) == (section in (theirs.__doc__ or ""))


def test_the_package_of_the_asynchronous_clients():
    """It names them, too."""
    assert [getattr(aio, name) for name in aio.__all__] == [
        AsyncArchalClient,
        AsyncClone,
        AsyncClones,
    ]
    assert not hasattr(aio, "Nonsense")
