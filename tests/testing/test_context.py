"""The stand-in for Lambda's context."""

from __future__ import annotations

import uuid

import pytest

import archal_lambda.local
import archal_lambda.testing
from archal_lambda.testing import LocalContext


def test_its_time_runs_out():
    """In whole milliseconds, and never below 0."""
    times = iter([100.0, 100.0, 101.2504, 104.0])
    context = LocalContext(timeout=3.0, clock=lambda: next(times))

    left = [context.get_remaining_time_in_millis() for _ in range(3)]

    assert left == [3000, 1750, 0]


def test_what_it_says_of_its_function():
    """The names are derived as Lambda derives them."""
    context = LocalContext(function_name="mine", memory_limit_in_mb=256)

    assert (context.function_name, context.memory_limit_in_mb) == ("mine", "256")
    assert context.invoked_function_arn.endswith(":function:mine")
    assert context.log_group_name == "/aws/lambda/mine"


def test_a_request_id_is_a_random_uuid():
    """As Lambda's are; each invocation has its own."""
    texts = {LocalContext().aws_request_id for _ in range(64)}
    ids = [uuid.UUID(text) for text in texts]

    assert len(ids) == 64
    assert {str(one) for one in ids} == texts
    assert {(one.version, one.variant) for one in ids} == {(4, uuid.RFC_4122)}


def test_where_it_is_imported_from():
    """Both packages name it; nothing else is made up."""
    assert archal_lambda.local.LocalContext is LocalContext
    assert dir(archal_lambda.testing) == archal_lambda.testing.__all__
    for package in (archal_lambda.local, archal_lambda.testing):
        with pytest.raises(AttributeError, match=f"'{package.__name__}' has no attribute 'Nope'"):
            _ = package.Nope
