"""What the caller of an HTTP function sees of a failure."""

from __future__ import annotations

import pytest

from archal_lambda import Response, errors
from archal_lambda.core.error_responses import error_response
from archal_lambda.core.response import status_error

CLONES = Response(422, json={"message": "Validation Failed", "errors": []})
ROUTES = Response(401, json={"error": "unauthorized", "message": "m"})


def test_a_clones_refusal_is_passed_on():
    assert error_response(status_error(CLONES)) is CLONES


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (errors.RequestTimeout("timed out", phase="body"), 504, "in time"),
        (errors.ConfigurationError("ARCHAL_TOKEN", "is wrong"), 502, "not set up"),
        (errors.UnknownCloneError("slack", ["github"]), 502, "not set up"),
        (status_error(ROUTES), 502, "not set up"),
        (errors.DecodeError("of another shape"), 502, "could not be read"),
        (errors.ProtocolError("refused", status_code=401), 502, "could not be read"),
        (errors.ConnectionLost("gone"), 502, "could not be reached"),
        (errors.CertificateError("expired"), 502, "could not be reached"),
        (errors.ResponseTooLarge(limit=5), 502, "could not be reached"),
    ],
)
def test_other_failures_are_a_status_and_nothing_of_the_setup(error, status, words):
    answer = error_response(error)

    assert answer.status_code == status
    assert words in answer.json()["message"]
    assert answer.headers["content-type"] == "application/json"
