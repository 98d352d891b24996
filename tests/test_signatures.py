"""The asynchronous clients are the synchronous ones, awaited."""

from __future__ import annotations

import inspect

import pytest

from archal_lambda import (
    ArchalClient,
    AsyncArchalClient,
    AsyncClone,
    AsyncClones,
    AsyncHostedSession,
    Clone,
    Clones,
    HostedSession,
)
from archal_lambda.clients.aio_control import AsyncSessions
from archal_lambda.clients.control import Sessions

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
    "Sessions": {"get", "list", "delete", "wait_until_running"},
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


def test_awaited_methods_name_the_ones_they_are_like():
    """What one does is documented once; a constructor is read where it is used, and says it all."""
    for sync, awaited in PAIRS:
        for name, member in public(sync).items():
            theirs = public(awaited)[name].__doc__ or ""
            assert "Args:" not in theirs or "Args:" in (member.__doc__ or "")
            if "Args:" in (member.__doc__ or "") and member is not public(awaited)[name]:
                assert f"See `{sync.__name__}.{name}`" in theirs or "Args:" in theirs
