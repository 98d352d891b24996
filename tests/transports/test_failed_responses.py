"""Failed responses of a real peer: judged, told and bounded."""

from __future__ import annotations

import json
import tracemalloc

import msgspec
import pytest
from support.faults.client import SECRETS, TOKEN, assert_clean

from archal_lambda import errors
from archal_lambda.testing.faulty_server import answer, send

GITHUB = ["X-GitHub-Request-Id: 1", "Content-Type: application/json; charset=utf-8"]


class Repo(msgspec.Struct):
    id: int


def body(document, *headers, status="404 Not Found"):
    return send(answer(json.dumps(document).encode(), status=status, headers=headers))


def test_a_body_like_the_routes_is_the_clones_where_its_headers_say_so(play):
    envelope = {"error": "unauthorized", "code": "expired", "message": "m"}
    here = play(body(envelope, *GITHUB, status="401 Unauthorized"))
    response = here.call()
    assert response.rejected_by == "clone"


def test_an_error_tells_the_services_words_and_none_of_ours(play):
    """A service that repeats the credential does not get it into the log."""
    document = {"message": f"Bad token {TOKEN} for issues", "documentation_url": "u"}
    here = play(body(document, *GITHUB, status="403 Forbidden"))
    with pytest.raises(errors.PermissionDeniedError) as caught:
        here.call().raise_for_status()
    assert str(caught.value).endswith("status 403: Bad token \u2026 for issues")
    assert not any(secret in str(caught.value) for secret in SECRETS)


def test_a_spent_rate_limit_says_how_long_to_wait(play):
    lines = [
        "Date: Wed, 21 Oct 2026 07:28:00 GMT",
        "X-RateLimit-Remaining: 0",
        "X-RateLimit-Reset: 1792567740",
    ]
    here = play(
        body({"message": "API rate limit exceeded"}, *GITHUB, *lines, status="403 Forbidden")
    )
    with pytest.raises(errors.RateLimitError) as caught:
        here.call("GET").raise_for_status()
    assert caught.value.retry_after == 60.0


def test_a_body_of_another_shape_names_field_path_and_call(play):
    here = play(body({"id": "hidden"}, status="201 Created"))
    with pytest.raises(errors.DecodeError) as caught:
        here.call().raise_for_status().decode(Repo)
    error = caught.value
    assert_clean(error)
    assert (error.path, error.field, error.method, error.status_code) == ("$.id", "id", "POST", 201)
    assert error.url == f"{here.server.origin}/svc/api/things"
    assert "expected `int`, got `str`" in str(error)


def test_a_body_behind_a_byte_order_mark_is_decoded(play):
    here = play(send(answer(b'\xef\xbb\xbf{"id": 7}')))
    assert here.call().decode(Repo) == Repo(7)


@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Oops"])
def test_a_large_failure_costs_no_more_than_its_bytes(play, status):
    """6 MB of small objects would be 140 MB of Python's; nothing of it is an envelope."""
    content = b"[" + b"{}," * 1_900_000 + b"{}]"
    here = play(send(answer(content, status=status)))
    response = here.call()
    tracemalloc.start()
    try:
        with pytest.raises(errors.StatusError):
            response.raise_for_status()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert response.rejected_by is None
    assert peak < 200_000
