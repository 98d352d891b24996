"""The errors."""

from __future__ import annotations

import copy
import re

import pytest
from support.fakes import repickled

from archal_lambda import Request, Response, errors

RESPONSE = Response(
    429,
    headers={"Retry-After": "7", "X-Note": "hunter2"},
    json={"code": "rate_limited", "detail": "hunter2"},
    request=Request("GET", "/a"),
)
FACTS = {"method": "POST", "url": "https://h/p", "sent": True, "elapsed": 1.234, "attempts": 2}
STATUS = {"method": "GET", "url": "https://h/p"}
WHERE, HOW = "POST https://h/p: ", " (request sent, 2 attempts, 1.23 s)"

SAMPLES = {
    errors.ArchalError: (errors.ArchalError("m"), "m"),
    errors.ConfigurationError: (errors.ConfigurationError("X", "is wrong"), "X is wrong"),
    errors.UnknownCloneError: (
        errors.UnknownCloneError("jira", ["slack", "github"]),
        "AGENT_CLONE_URLS does not name a clone 'jira'; known clones: github, slack",
    ),
    errors.TransportError: (errors.TransportError("m", **FACTS), f"{WHERE}m{HOW}"),
    errors.ConnectError: (errors.ConnectError("m", **FACTS), f"{WHERE}m{HOW}"),
    errors.ConnectionLost: (errors.ConnectionLost("m", **FACTS), f"{WHERE}m{HOW}"),
    errors.CertificateError: (errors.CertificateError("m", **FACTS), f"{WHERE}m{HOW}"),
    errors.ProtocolError: (errors.ProtocolError("m", status_code=401, **FACTS), f"{WHERE}m{HOW}"),
    errors.RequestTimeout: (errors.RequestTimeout("m", phase="body", **FACTS), f"{WHERE}m{HOW}"),
    errors.ResponseTooLarge: (
        errors.ResponseTooLarge(limit=9, **FACTS),
        f"{WHERE}the response is larger than 9 bytes{HOW}",
    ),
    errors.DecodeError: (errors.DecodeError("m", path="$.a"), "m at $.a"),
    errors.McpError: (errors.McpError("m", code=-32602, detail="hunter2"), "m"),
    errors.PageLimitError: (
        errors.PageLimitError(9),
        "the list has more than 9 pages; max_pages sets another limit",
    ),
    errors.SessionEndedError: (
        errors.SessionEndedError("ses-1", "failed", "hunter2"),
        "session ses-1 is failed",
    ),
    **{
        cls: (cls(RESPONSE, **STATUS), "GET https://h/p: status 429 (rate_limited)")
        for cls in (
            errors.StatusError,
            errors.BadRequestError,
            errors.AuthenticationError,
            errors.PermissionDeniedError,
            errors.NotFoundError,
            errors.UpgradeRequiredError,
            errors.RateLimitError,
            errors.ServerError,
            errors.RouteRejectedError,
        )
    },
    errors.WebhookRejected: (
        errors.WebhookRejected("wrong-signature", "its signature is by another secret"),
        "the webhook is rejected: its signature is by another secret",
    ),
    errors.TeardownFailedError: (
        errors.TeardownFailedError(RESPONSE, **STATUS),
        "GET https://h/p: status 429 (rate_limited); the session may still run",
    ),
}


def classes(root=errors.ArchalError):
    yield root
    for cls in root.__subclasses__():
        if cls.__module__ == errors.__name__:
            yield from classes(cls)


def test_the_class_tree_is_the_one_in_the_docstring():
    """Every class stands under its parent, with its builtin."""
    drawn, parents = {}, {}
    for line in errors.__doc__.splitlines():
        if found := re.match(r"    ([\s│├└─]*)(\w+)(?: \((\w+)\))?", line):
            parents[len(found[1])] = found[2]
            parent = parents.get(len(found[1]) - 4)
            drawn[found[2]] = {name for name in (parent, found[3]) if name}
    real = {
        cls.__name__: {base.__name__ for base in cls.__bases__} - {"Exception"} for cls in classes()
    }
    assert drawn == real


def test_every_class_is_public():
    """It is in `__all__` and has a sample here."""
    names = {cls.__name__ for cls in classes()}
    assert names == set(errors.__all__) - {"Phase"}
    assert names == {cls.__name__ for cls in SAMPLES}


def test_every_attribute_of_the_docstring_exists():
    for line in errors.__doc__.splitlines():
        if found := re.match(r"[\s│├└─]*(\w+)(?: \(\w+\))? +(\..*)", line):
            sample, _ = SAMPLES[getattr(errors, found[1])]
            for name in re.findall(r"\.(\w+)", found[2]):
                assert hasattr(sample, name), f"{found[1]}.{name}"


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.ConfigurationError, ValueError),
        (errors.UnknownCloneError, LookupError),
        (errors.RequestTimeout, TimeoutError),
        (errors.DecodeError, ValueError),
    ],
)
def test_catching_the_builtin_catches_ours(cls, builtin):
    assert issubclass(cls, builtin)


@pytest.mark.parametrize("cls", SAMPLES)
def test_a_message_is_one_line_without_secrets(cls):
    """It says what happened and where. It holds nothing of a header or body."""
    error, message = SAMPLES[cls]
    assert str(error) == message
    assert "hunter2" not in repr(error)
    assert "\n" not in message


@pytest.mark.parametrize(
    "again", [repickled, copy.copy, copy.deepcopy, lambda error: copy.copy(repickled(error))]
)
@pytest.mark.parametrize("cls", SAMPLES)
def test_errors_survive_copies(cls, again):
    """A copy has the same class, message, attributes and notes."""
    error, message = SAMPLES[cls]
    error.__notes__ = ["a note"]
    other = again(error)
    assert other is not error
    assert type(other) is cls
    assert (str(other), repr(other)) == (message, repr(error))
    assert other.args == error.args
    facts, others = dict(vars(error)), dict(vars(other))
    if isinstance(error, errors.StatusError):
        assert others.pop("response").content == facts.pop("response").content
    assert others == facts
    assert others["__notes__"] == ["a note"]


def test_a_copy_is_independent():
    error = errors.ConnectError("m", attempts=1)
    copy.copy(error).attempts = 5
    assert error.attempts == 1


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({}, "m (nothing sent, 1 attempt, 0.00 s)"),
        ({"attempts": 0}, "m (nothing sent, 0 attempts, 0.00 s)"),
        ({"url": "https://h/", "method": "GET", "sent": True}, "GET https://h/: m (request sent, 1 attempt, 0.00 s)"),
    ],
)  # fmt: skip
def test_a_transport_error_tells_its_story(facts, message):
    """It says where, what, whether anything was sent, how often, and how long it took."""
    assert str(errors.TransportError("m", **facts)) == message


def test_the_list_of_known_clones_may_be_empty():
    assert str(errors.UnknownCloneError("x", [])).endswith("known clones: none")


@pytest.mark.parametrize("status", ["hunter2 hunter2", "Line\nbreak", "ended-secret9", ""])
def test_a_status_that_is_not_a_plain_word_is_not_shown(status):
    """The status of a session is the server's text. The error keeps it as it came."""
    error = errors.SessionEndedError("ses-1", status)
    assert (str(error), error.status) == ("session ses-1 is over", status)
