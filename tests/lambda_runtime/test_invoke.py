"""`archal_lambda.invoke` ends an invocation as AWS's runtime client does."""

from __future__ import annotations

import sys

import pytest
from support.aws.function import EXAMPLES

from archal_lambda.invoke import Function

KINDS = ["decimal", "nan", "point", "bytes", "raw", "text", "none"]
REFUSED = ["set", "object", "circle"]


@pytest.fixture
def both(drive):
    """Invoke a handler on the runtime client and here; give how each ended."""

    def invoke(handler, *events):
        api, _ = drive(handler, {})
        function = Function(handler, root=EXAMPLES)
        for event in events:
            (theirs,) = api.invoke(event)
            yield theirs, function.invoke(event, capture=True)

    return invoke


def test_results_are_encoded_alike(both):
    """Decimals are numbers, named tuples objects, bytes texts."""
    for theirs, ours in both("results.handler", *({"kind": kind} for kind in KINDS)):
        assert theirs.kind == "response"
        assert repr(ours.result) == repr(theirs.value)
        assert ours.error is None


def test_results_are_refused_alike(both):
    """What cannot be encoded is an error of the same type."""
    for theirs, ours in both("results.handler", *({"kind": kind} for kind in REFUSED)):
        assert theirs.value["errorType"] == ours.error["errorType"] == "Runtime.MarshalError"
        assert ours.error["errorMessage"].startswith("Unable to marshal response: ")


def test_an_async_handler_is_refused_alike(both):
    """The message begins with the runtime client's own, and says plainly what it means."""
    ((theirs, ours),) = both("results.awaited", {})

    assert ours.error["errorType"] == theirs.value["errorType"] == "Runtime.MarshalError"
    assert ours.error["errorMessage"].startswith(theirs.value["errorMessage"])
    assert "async function, which Lambda calls without awaiting it" in ours.error["errorMessage"]
    assert "never awaited" not in ours.log


def test_a_failure_is_reported_alike(both):
    """Type, message and the frames of the handler are the same, and stand in the log."""
    ((theirs, ours),) = both("results.fails", {})

    names = ("errorType", "errorMessage")
    assert [ours.error[name] for name in names] == [theirs.value[name] for name in names]
    frames = [line.splitlines()[0] for line in ours.error["stackTrace"]]
    assert frames == [line.splitlines()[0] for line in theirs.value["stackTrace"]]
    assert ours.log.startswith("[ERROR] LookupError: no such thing\nTraceback (most recent")
    assert "in inner" in ours.log


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("a" * 6_291_554, True),
        ("a" * 6_291_555, False),
        ('"' * 3_145_777, True),
        ('"' * 3_145_778, False),
        ("\u2028" * 1_048_600, False),
        ("\xe9" * 3_000_000, sys.version_info >= (3, 12)),
    ],
)
def test_a_result_that_lambda_would_refuse_for_its_size_is_its_error(tmp_path, text, fits):
    """The limit is 6,291,556 bytes, as encoded."""
    (tmp_path / "large.py").write_text("def handler(event, context):\n    return event\n")

    outcome = Function("large.handler", root=tmp_path).invoke(text, capture=True)

    if fits:
        assert outcome.result == text
    else:
        assert outcome.error["errorType"] == "Function.ResponseSizeTooLarge"
        assert "6291556 bytes" in outcome.error["errorMessage"]


@pytest.mark.parametrize(
    ("returned", "text"),
    [
        ("b'no JSON'", "no JSON"),
        ("b'\\xff'", "\ufffd"),
        ("b'[' * 100_000", "[" * 100_000),
        ("decimal.Decimal('9' * 5000)", "9" * 5000),
    ],
)
def test_a_result_that_cannot_be_decoded_is_given_as_text(tmp_path, returned, text):
    """Lambda passes it on, and so its caller gets it."""
    (tmp_path / "odd.py").write_text(
        f"import decimal\ndef handler(event, context):\n    return {returned}\n"
    )

    outcome = Function("odd.handler", root=tmp_path).invoke({}, capture=True)

    assert (outcome.result, outcome.error) == (text, None)
